#include "data/npy.h"

#include "data/zip_file.h"
#include "image_files.h"
#include "numpy_values.h"
#include "support/check_error.h"

namespace compress::data {
namespace {

using namespace compress::data::test;
using compress::test::require_error;

std::vector<float> npy_numbers(const char* hex) {
  const auto tensor = parse_npy(from_hex(hex), "a.npy").tensor(at::kFloat);
  return {tensor.const_data_ptr<float>(), tensor.const_data_ptr<float>() + tensor.numel()};
}

const std::vector<float> kTable = {-2, -1, 0, 1, 2, 3}, kAbsolute = {2, 1, 0, 1, 2, 3};

TEST_CASE("npy: every type of number is read, of both byte orders and both orders of axes", "[data]") {
  for (const char* hex : {k_npy_float16, k_npy_float32, k_npy_float64, k_npy_int8, k_npy_int16, k_npy_int32,
                          k_npy_int64, k_npy_big_endian, k_npy_fortran})
    REQUIRE(npy_numbers(hex) == kTable);
  for (const char* hex : {k_npy_uint8, k_npy_uint16, k_npy_uint32, k_npy_uint64})
    REQUIRE(npy_numbers(hex) == kAbsolute);
  REQUIRE(npy_numbers(k_npy_bool) == std::vector<float>{0, 0, 0, 1, 1, 1});
  REQUIRE(npy_numbers(k_npy_scalar) == std::vector<float>{3});
  REQUIRE(parse_npy(from_hex(k_npy_fortran), "a").shape == Shape{2, 3});
  REQUIRE(parse_npy(from_hex(k_npy_int16), "a").natural_type() == at::kLong);
  REQUIRE(parse_npy(from_hex(k_npy_int16), "a").tensor(at::kLong)[0][0].item<int64_t>() == -2);
  REQUIRE(parse_npy(from_hex(k_npy_bool), "a").natural_type() == at::kByte);
  REQUIRE(parse_npy(from_hex(k_npy_float16), "a").natural_type() == at::kFloat);
}

TEST_CASE("npy: what is not numbers is refused with what to do", "[data]") {
  const auto parse = [](const char* hex) { parse_npy(from_hex(hex), "a.npy"); };
  require_error([&] { parse(k_npy_objects); }, "'a.npy' holds Python objects, which only pickle could read",
                "save numbers");
  require_error([&] { parse(k_npy_structure); }, "'a.npy' holds a structured array");
  require_error([&] { parse(k_npy_text); }, "'a.npy' holds numbers of type '<U2'; read are float16/32/64");
  require_error([&] { parse(k_npy_complex); }, "'a.npy' holds numbers of type '<c16'");
}

TEST_CASE("npy: a file that is cut, too long or no .npy at all is refused", "[data]") {
  const auto whole = from_hex(k_npy_float32);
  const auto parse = [](std::string bytes) { parse_npy(std::move(bytes), "a.npy"); };
  require_error([&] { parse(whole.substr(0, whole.size() - 4)); },
                "'a.npy' is cut: 2x3 numbers of 4 bytes need 24 bytes, it has 20");
  require_error([&] { parse(whole + "1234"); }, "'a.npy' is too long: 2x3 numbers");
  require_error([&] { parse("PK"); }, "it does not start with \\x93NUMPY");
  require_error([&] { parse(whole.substr(0, 8)); }, "it is cut");
  require_error([&] { parse(whole.substr(0, 50)); }, "it is cut");
}

/// A version-1 file with this header and no numbers.
std::string npy_with(const std::string& header) {
  return std::string("\x93NUMPY\1\0", 8) + static_cast<char>(header.size()) + '\0' + header;
}

TEST_CASE("npy: a header that lies or is no dictionary is refused", "[data]") {
  const auto parse = [](std::string bytes) { parse_npy(std::move(bytes), "a.npy"); };
  require_error(
      [&] { parse(npy_with("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }")); },
      "'a.npy' claims an impossible size: 4294967296x4294967296");
  require_error([&] { parse(npy_with("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }")); },
                "its shape is impossible");
  require_error([&] { parse(npy_with("{'descr': '<f4', 'shape': (1,), }")); },
                "the header lacks descr, fortran_order or shape");
  require_error([&] { parse(npy_with("{'descr': '<f4', 'fortran_order': 1, 'shape': (1,), }")); },
                "fortran_order is neither True nor False");
  require_error([&] { parse(npy_with("hello")); }, "the header has no '{' where one is needed");
  require_error([&] { parse(npy_with("{'colour': 3}")); }, "the header has an unknown key");
  require_error([&] { parse(std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12) + "{}"); },
                "its header claims 4294967295 bytes");
  require_error([&] { parse(std::string("\x93NUMPY\7\0\1\0", 10) + "{}"); }, "version 7 is not known");
}

TEST_CASE("npz: members are read stored, deflated and with 64-bit records", "[data]") {
  for (const char* hex : {k_npz_stored, k_npz_deflated}) {
    const ZipFile file(from_hex(hex), "a.npz");
    REQUIRE(file.names() == std::vector<std::string>{"x.npy", "y.npy"});
    REQUIRE(parse_npy(file.read("x.npy"), "x").tensor(at::kFloat)[1][2].item<float>() == 3);
    REQUIRE(parse_npy(file.read("y.npy"), "y").tensor(at::kLong)[0].item<int64_t>() == 1);
    require_error([&] { file.read("z.npy"); }, "'a.npz' has no member 'z.npy'");
  }
  const ZipFile file(from_hex(k_npz_64), "a.npz");
  REQUIRE(parse_npy(file.read("x.npy"), "x").tensor(at::kFloat)[0][0].item<float>() == -2);
}

TEST_CASE("npz: damage is named with the member", "[data]") {
  const auto whole = from_hex(k_npz_stored);
  require_error([&] { ZipFile(whole.substr(0, whole.size() - 30), "a.npz"); },
                "'a.npz' is no readable .npz (ZIP) file");
  require_error([&] { ZipFile("", "a.npz"); }, "it has no directory (is it cut?)");
  auto changed = whole;
  changed[changed.find("NUMPY") + 140] ^= 1;
  require_error([&] { ZipFile(changed, "a.npz").read("x.npy"); },
                "'a.npz': the member 'x.npy' is not readable: its checksum is wrong");
  changed = whole;
  changed[changed.find("PK\1\2") + 8] |= 1;
  require_error([&] { ZipFile(changed, "a.npz").read("x.npy"); }, "it is encrypted");
  changed = whole;
  changed[changed.find("PK\1\2") + 10] = 12;
  require_error([&] { ZipFile(changed, "a.npz").read("x.npy"); }, "compression method 12 is not known");
  auto packed = from_hex(k_npz_deflated);
  packed[packed.find("x.npy") + 40] ^= 0x55;
  require_error([&] { ZipFile(packed, "a.npz").read("x.npy"); }, "'a.npz': the member 'x.npy' is not readable");
}

TEST_CASE("npz and npy: no change of the bytes crashes the readers", "[data][fuzz]") {
  const char* files[] = {k_npy_float32, k_npy_fortran, k_npy_objects, k_npz_stored, k_npz_deflated, k_npz_64};
  int refused = 0, read = 0;
  for (uint64_t i = 0; i < 6000; ++i) {
    Random random(4, "mutated arrays", {i});
    const auto bytes = mutated(from_hex(files[i % std::size(files)]), random);
    try {
      if (i % std::size(files) < 3) {
        parse_npy(bytes, "a").tensor(at::kFloat);
      } else {
        const ZipFile file(bytes, "a.npz");
        for (const auto& name : file.names()) parse_npy(file.read(name), name).tensor(at::kLong);
      }
      ++read;
    } catch (const Error&) {
      ++refused;
    }
  }
  REQUIRE(refused > 1000);
  REQUIRE(read > 100);
}

}  // namespace
}  // namespace compress::data
