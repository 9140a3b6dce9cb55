#include "core/error.h"
#include "core/file.h"
#include "core/zlib_header.h"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

namespace compress {

namespace {

constexpr std::string_view kGzipMagic = "\x1f\x8b";

/// Inflates the members of a gzip file one after the other.
class Inflater {
public:
  Inflater(std::string_view bytes, std::string_view name) : rest_(bytes), name_(name) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  std::string run() {
    do {
      member();
      inflateReset(&stream_);
    } while (rest_.starts_with(kGzipMagic));
    // tar and tapes pad with zeros
    if (rest_.find_first_not_of('\0') != std::string_view::npos) throw damaged("there are other bytes after its end");
    out_.resize(size_);
    return std::move(out_);
  }

private:
  Error damaged(std::string_view why) const { return request_error("'{}' is damaged: {}", name_, why); }

  void member() {
    for (int status = Z_OK; status != Z_STREAM_END;) {
      if (rest_.empty()) throw damaged("the gzip data ends early (is the file cut?)");
      if (size_ == out_.size()) out_.resize(std::max<size_t>(64 * 1024, 2 * out_.size()));
      constexpr size_t kMost = std::numeric_limits<uInt>::max();
      const auto in = static_cast<uInt>(std::min(rest_.size(), kMost));
      const auto room = static_cast<uInt>(std::min(out_.size() - size_, kMost));
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest_.data()));
      stream_.avail_in = in;
      stream_.next_out = reinterpret_cast<Bytef*>(out_.data() + size_);
      stream_.avail_out = room;
      status = inflate(&stream_, Z_NO_FLUSH);
      rest_.remove_prefix(in - stream_.avail_in);
      size_ += room - stream_.avail_out;
      if (status == Z_MEM_ERROR) throw std::bad_alloc();
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        throw damaged(stream_.msg ? stream_.msg : "this is no gzip data");
    }
  }

  std::string_view rest_, name_;
  z_stream stream_{};
  std::string out_;
  size_t size_ = 0;
};

}  // namespace

std::string gunzip(std::string bytes, std::string_view name) {
  if (!bytes.starts_with(kGzipMagic)) return bytes;
  return Inflater(bytes, name).run();
}

}  // namespace compress
