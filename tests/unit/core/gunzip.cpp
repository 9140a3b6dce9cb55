#include "core/file.h"
#include "core/zlib_header.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

namespace compress {

namespace {

std::string gzip(std::string text) {
  z_stream stream{};
  constexpr int kGzip = 16 + MAX_WBITS, kMemory = 8;
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, kMemory, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

TEST_CASE("gunzip: inflates, also several members and padding", "[core]") {
  const std::string large(1'000'000, 'x');
  REQUIRE(gunzip(gzip("hello"), "f") == "hello");
  REQUIRE(gunzip(gzip(""), "f").empty());
  REQUIRE(gunzip(gzip(large), "f") == large);
  REQUIRE(gunzip(gzip("a") + gzip("b") + std::string(5, '\0'), "f") == "ab");
}

TEST_CASE("gunzip: leaves other data as it is", "[core]") {
  REQUIRE(gunzip("plain", "f") == "plain");
  REQUIRE(gunzip("", "f").empty());
}

TEST_CASE("gunzip: a cut file is an error that names it, wherever the cut is", "[core]") {
  const auto whole = gzip("a text that is long enough");
  for (size_t size = 2; size < whole.size(); ++size)
    test::require_error([&] { gunzip(whole.substr(0, size), "train.gz"); },
                        "'train.gz' is damaged: the gzip data ends early");
}

TEST_CASE("gunzip: damaged data is an error that names it", "[core]") {
  auto damaged = gzip("a text that is long enough");
  damaged[damaged.size() - 6] ^= 1;
  test::require_error([&] { gunzip(damaged, "train.gz"); }, "'train.gz' is damaged: incorrect data check");
  test::require_error([&] { gunzip(gzip("x") + "more", "train.gz"); },
                      "'train.gz' is damaged: there are other bytes after its end");
  test::require_error([&] { gunzip("\x1f\x8b garbage garbage", "train.gz"); },
                      "'train.gz' is damaged: unknown compression method");
}

}  // namespace compress
