#include "io/zero_packing.h"

#include "support/check_error.h"
#include "support/tensors.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

#include <functional>
#include <limits>

using namespace compress;

namespace {

std::string bytes_of(const at::Tensor& tensor) {
  const auto plain = tensor.contiguous();
  return {static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()};
}

io::TensorFile through_bytes(const io::TensorFile& file) {
  return io::parse_safetensors(io::safetensors_bytes(file), "t");
}

void require_same(const at::Tensor& tensor, bool packed) {
  const auto file = io::pack_zeros({{"a/b", tensor}});
  REQUIRE(file.tensors.contains("packed/a/b/bits") == packed);
  REQUIRE(io::is_worth_packing(tensor) == packed);
  const auto back = io::unpack_zeros(through_bytes(file));
  REQUIRE(back.size() == 1);
  REQUIRE(back.at("a/b").scalar_type() == tensor.scalar_type());
  REQUIRE(back.at("a/b").sizes() == tensor.sizes());
  REQUIRE(bytes_of(back.at("a/b")) == bytes_of(tensor));
}

/// 90 % zeros, every third of them -0.
at::Tensor sparse(int64_t count) {
  auto tensor = test::wild({count}).to(at::kFloat);
  for (int64_t i = 0; i < count; ++i)
    if (i % 10 != 0) tensor[i] = i % 3 == 0 ? -0.0F : 0.0F;
  return tensor;
}

void broken_parts(const std::function<void(io::TensorFile&)>& change, const std::string& message) {
  auto file = io::pack_zeros({{"w", sparse(1001)}});
  change(file);
  test::require_error([&] { io::unpack_zeros(file); }, message, "the file is damaged");
}

}  // namespace

TEST_CASE("zero_packing: sparse tensors of every type come back bit by bit") {
  for (const auto type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort, at::kChar,
                          at::kByte, at::kBool})
    require_same(sparse(12345).mul(100).to(type).reshape({5, 823, 3}), true);
  require_same(sparse(12345).reshape({5, 823, 3}).transpose(0, 2), true);
}

TEST_CASE("zero_packing: minus zero, NaN, infinity and the smallest numbers are kept") {
  auto tensor = at::zeros({4000});
  tensor[1] = -0.0F;
  tensor[2] = std::numeric_limits<float>::quiet_NaN();
  tensor[3] = -std::numeric_limits<float>::infinity();
  tensor[4] = std::numeric_limits<float>::denorm_min();
  tensor.view(at::kInt)[5] = 0x7fc01234;  // a NaN with a payload
  tensor.view(at::kInt)[3999] = -4;
  require_same(tensor, true);
  require_same(tensor.neg(), true);
}

TEST_CASE("zero_packing: a mask takes a bit an element, and so does a tensor of nothing but zeros") {
  const auto mask = test::wild({100, 100}).gt(0).to(at::kFloat);
  require_same(mask, true);
  REQUIRE(io::safetensors_bytes(io::pack_zeros({{"mask", mask}})).size() < 1250 + 512);
  require_same(at::ones({10000}), true);
  require_same(at::zeros({10000}), true);
  require_same(at::full({10000}, -0.0F), true);
}

TEST_CASE("zero_packing: what would not get smaller stays as it is") {
  require_same(test::wild({10000}).to(at::kFloat), false);
  require_same(at::zeros({100}), false);
  require_same(at::zeros({}), false);
  require_same(at::empty({0, 3}), false);
  auto half = test::wild({10000}).to(at::kFloat);
  require_same(half.clamp_min(0), true);
  half.slice(0, 0, 300).zero_();
  require_same(half, false);
}

TEST_CASE("zero_packing: parts that do not fit together are refused") {
  const auto set = [](const char* part, at::Tensor tensor) {
    return [=](io::TensorFile& file) { file.tensors[std::string("packed/w/") + part] = tensor; };
  };
  const auto lose = [](const char* part) {
    return [=](io::TensorFile& file) { file.tensors.erase(std::string("packed/w/") + part); };
  };
  const auto shape = [](const char* text) { return [=](io::TensorFile& file) { file.metadata["packed"] = text; }; };
  broken_parts(lose("bits"), "the packed tensor 'w' has no bits or no values");
  broken_parts(lose("values"), "has no bits or no values");
  broken_parts(set("bits", at::zeros({125}, at::kByte)), "has 125 bytes of bits, which do not fit its shape 1001");
  broken_parts(set("bits", at::zeros({126}, at::kFloat)), "bytes of bits");
  broken_parts(set("bits", at::full({126}, 255, at::kByte)), "has bits behind its last element");
  broken_parts(set("values", at::zeros({7})), "has 7 values for 101 elements that are not zero");
  broken_parts(set("values", at::zeros({0})), "has 0 values for 101 elements");
  broken_parts(set("signs", at::zeros({7}, at::kByte)), "has signs that do not fit its zeros");
  broken_parts(set("values", at::zeros({101}, at::kInt)), "has signs that do not fit its zeros");
  broken_parts(shape(R"({"w":[281474976710657]})"), "the packed tensor 'w' has no shape");
  broken_parts(shape(R"({"w":[100000000000,100000000000]})"), "do not fit its shape");
  broken_parts(shape(R"({"w":[-1]})"), "has no shape");
  broken_parts(shape(R"({"w":3})"), "has no shape");
  broken_parts(shape("[1"), "the list of packed tensors is no JSON object");
  broken_parts([](io::TensorFile& file) { file.tensors["w"] = at::zeros({1}); }, "the tensor 'w' is there twice");
}

TEST_CASE("zero_packing: names of packed tensors are kept") {
  test::require_error(
      [] {
        io::pack_zeros({{"packed/x", at::zeros({1})}});
      },
      "the name 'packed/x' is kept for packed tensors");
}
