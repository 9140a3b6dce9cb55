#include "io/safetensors.h"

#include "support/check_error.h"
#include "support/temporary_folder.h"
#include "support/tensors.h"

#include <ATen/ops/ones.h>

#include <catch2/catch.hpp>

#include <cstring>

using namespace compress;

namespace {

std::string with_header(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

template <class... Parts>
void refused_tensors(const std::string& bytes, Parts... parts) {
  test::require_error([&] { io::parse_safetensors(bytes, "t.safetensors"); }, "t.safetensors", parts...);
}

}  // namespace

TEST_CASE("safetensors: tensors of every type come back bit by bit") {
  io::TensorFile file{.metadata = {{"who", "me"}}};
  const auto numbers = test::wild({3, 4}).mul(100);
  for (const auto type :
       {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort, at::kChar, at::kBool})
    file.tensors[c10::toString(type)] = numbers.to(type);
  file.tensors["byte"] = numbers.abs().to(at::kByte);
  file.tensors["scalar"] = numbers[0][0];
  file.tensors["empty"] = numbers.slice(0, 0, 0);
  file.tensors["turned"] = numbers.t();
  test::TemporaryFolder folder;
  io::write_safetensors(folder / "t", file);
  const auto read = io::read_safetensors(folder / "t");
  REQUIRE(read.metadata == file.metadata);
  REQUIRE(read.tensors.size() == file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    INFO(name);
    REQUIRE(read.tensors.at(name).scalar_type() == tensor.scalar_type());
    REQUIRE(read.tensors.at(name).equal(tensor));
  }
}

TEST_CASE("safetensors: files that are cut or no such files are refused") {
  const auto bytes = io::safetensors_bytes({.tensors = {{"a", at::ones({4})}}});
  refused_tensors("abc", "only 3 bytes");
  refused_tensors(bytes.substr(0, 20), "cut off");
  refused_tensors(bytes.substr(0, bytes.size() - 1), "need 16 bytes of data, the file has 15");
  refused_tensors(bytes + "x", "need 16 bytes of data, the file has 17");
  refused_tensors(with_header("[1]", ""), "no JSON object");
  refused_tensors(std::string(8, '\xff') + "abc", "cut off");
}

TEST_CASE("safetensors: entries that lie about their data are refused") {
  const std::string four(4, 'x');
  refused_tensors(with_header(R"({"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}})", four), "type 'F99'");
  refused_tensors(with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", four),
                  "tensor 'a' has 4 bytes", "shape 2");
  refused_tensors(with_header(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", four),
                  "'shape' must be a list of whole numbers");
  refused_tensors(with_header(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}})", four),
                  "do not fit");
  refused_tensors(with_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", four), "begin and end");
  refused_tensors(with_header(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", four), "no 'dtype'");
  refused_tensors(
      with_header(
          R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
          four),
      "begins at byte 0 of the data instead of 4");
  refused_tensors(with_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", four + four),
                  "instead of 0");
  refused_tensors(with_header(R"({"__metadata__":{"a":1}})", ""), "'a' must be text");
  refused_tensors(with_header(R"({"__metadata__":1})", ""), "must be a map");
}
