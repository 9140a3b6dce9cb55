#include "io/onnx_tensor.h"

#include "support/check_error.h"
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

TEST_CASE("tensor: integers of 4 bits lie two to a byte, the first in the lower half") {
  const auto codes = test::integers({-8, 7, -1, 0, 5}).to(at::kChar);
  onnx::TensorProto proto;
  io::write_four_bits(proto, "t", codes);
  REQUIRE(proto.data_type() == io::kInt4);
  REQUIRE(proto.dims_size() == 1);
  REQUIRE(proto.dims(0) == 5);
  REQUIRE(proto.raw_data() == std::string("\x78\x0f\x05", 3));
  REQUIRE(io::read_four_bits(proto, {}).equal(codes));

  const auto unsigned_codes = test::integers({15, 0, 9, 1}).to(at::kByte).reshape({2, 2});
  onnx::TensorProto other;
  io::write_four_bits(other, "u", unsigned_codes);
  REQUIRE(other.data_type() == io::kUInt4);
  REQUIRE(io::read_four_bits(other, {}).equal(unsigned_codes));
}

TEST_CASE("tensor: integers of 4 bits may stand in a typed field") {
  onnx::TensorProto proto;
  proto.set_data_type(io::kInt4);
  proto.add_dims(3);
  proto.add_int32_data(0xF2);
  proto.add_int32_data(0x08);
  REQUIRE(io::read_four_bits(proto, {}).to(at::kLong).equal(test::integers({2, -1, -8})));
}

TEST_CASE("tensor: integers of 4 bits that do not fit, are cut, or stand where they may not") {
  onnx::TensorProto proto;
  test::require_error([&] { io::write_four_bits(proto, "t", test::integers({8}).to(at::kChar)); },
                      "'t' holds integers that 4 bits cannot hold");
  test::require_error([&] { io::write_four_bits(proto, "t", test::integers({16}).to(at::kByte)); }, "4 bits");
  onnx::TensorProto cut;
  io::write_four_bits(cut, "w", test::integers({1, 2, 3}).to(at::kChar));
  test::require_error([&] { io::read_tensor(cut, {}); }, "tensor 'w' holds integers of 4 bits",
                      "they may be initialisers that QuantizeLinear and DequantizeLinear read");
  cut.set_raw_data("x");
  test::require_error([&] { io::read_four_bits(cut, {}); }, "tensor 'w' has 1 bytes of data, its shape 3 needs 2");
}

TEST_CASE("tensor: floating point of 8 bits keeps its bits") {
  for (const auto type : {at::kFloat8_e4m3fn, at::kFloat8_e5m2}) {
    onnx::TensorProto proto;
    const auto values = test::wild({7}).to(type);
    io::write_tensor(proto, "t", values);
    REQUIRE(proto.data_type() == (type == at::kFloat8_e5m2 ? 19 : 17));
    const auto again = io::read_tensor(proto, {});
    REQUIRE(again.scalar_type() == type);
    REQUIRE(again.view(at::kByte).equal(values.view(at::kByte)));
  }
}
