#include "io/onnx_tensor.h"

#include "support/tensors.h"

#include <catch2/catch.hpp>

using namespace compress;

TEST_CASE("tensor: every type comes back from raw data bit by bit") {
  const auto numbers = test::wild({2, 3}).mul(50);
  for (const auto type :
       {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort, at::kChar, at::kBool}) {
    onnx::TensorProto proto;
    io::write_tensor(proto, "t", numbers.to(type));
    REQUIRE(io::read_tensor(proto, {}).equal(numbers.to(type)));
  }
}

TEST_CASE("tensor: typed fields hold small types widened") {
  onnx::TensorProto proto;
  proto.add_dims(2);
  proto.set_data_type(onnx::TensorProto::FLOAT16);
  proto.add_int32_data(0x3c00);
  proto.add_int32_data(0xc000);
  REQUIRE(io::read_tensor(proto, {}).to(at::kDouble).equal(test::numbers({1, -2})));
  proto.set_data_type(onnx::TensorProto::INT8);
  proto.set_int32_data(1, -5);
  proto.set_int32_data(0, 7);
  REQUIRE(io::read_tensor(proto, {}).to(at::kLong).equal(test::integers({7, -5})));
}

TEST_CASE("tensor: counting elements notices what is impossible") {
  REQUIRE(io::element_count({2, 3}) == 6);
  REQUIRE(io::element_count({}) == 1);
  REQUIRE(io::element_count({0, 5}) == 0);
  REQUIRE_FALSE(io::element_count({-1}));
  REQUIRE_FALSE(io::element_count({int64_t{1} << 40, int64_t{1} << 40}));
}
