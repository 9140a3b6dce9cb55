#include "ops/shape.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_nearest2d.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

at::Tensor resized(const std::string& attributes, const at::Tensor& x) {
  return run_op(node_of("y = Resize(x) " + attributes), {x})[0];
}

at::Tensor row_of(const std::string& attributes, int64_t count) {
  return resized(attributes, at::arange(count, at::kDouble));
}

}  // namespace

// Expected values: rounding from ONNX Runtime 1.31.1 (opset 13); positions and cropping, which it refuses for one axis,
// from onnx 1.23.2's ReferenceEvaluator (opset 19).
TEST_CASE("Resize: each way to round to the nearest", "[ops]") {
  const std::string at = "scales=[1.5] coordinate_transformation_mode=\"half_pixel\" nearest_mode=";
  require_close(row_of(at + "\"floor\"", 4), numbers({0, 0, 1, 1, 2, 3}), 0);
  require_close(row_of(at + "\"ceil\"", 4), numbers({0, 1, 2, 2, 3, 3}), 0);
  // 0.5 lies between the first two: the first output of the half and the second
  const std::string half = "scales=[0.5] nearest_mode=";
  require_close(row_of(half + "\"round_prefer_floor\"", 6), numbers({0, 2, 4}), 0);
  require_close(row_of(half + "\"round_prefer_ceil\"", 6), numbers({1, 3, 5}), 0);
}

TEST_CASE("Resize: each way to place the output's samples", "[ops]") {
  const auto at = [](const std::string& mode) {
    return row_of("scales=[2] mode=\"linear\" coordinate_transformation_mode=\"" + mode + "\"", 3);
  };
  require_close(at("half_pixel"), numbers({0, 0.25, 0.75, 1.25, 1.75, 2}), 1e-12);
  require_close(at("align_corners"), numbers({0, 0.4, 0.8, 1.2, 1.6, 2}), 1e-12);
  require_close(at("asymmetric"), numbers({0, 0.5, 1, 1.5, 2, 2}), 1e-12);
  require_close(row_of("sizes=[1] mode=\"linear\" coordinate_transformation_mode=\"pytorch_half_pixel\"", 3),
                numbers({0}), 0);
  require_close(row_of("sizes=[1] mode=\"linear\"", 3), numbers({1}), 0);
}

TEST_CASE("Resize: a cropping one fills what lies outside", "[ops]") {
  require_close(row_of("sizes=[3] roi=[0.5,1.5] mode=\"linear\" coordinate_transformation_mode=\"tf_crop_and_resize\" "
                       "extrapolation_value=7.0",
                       5),
                numbers({2, 4, 7}), 1e-12);
}

TEST_CASE("Resize: an aspect ratio is kept by one scale for all axes", "[ops]") {
  const auto x = wild({1, 1, 2, 4});
  const auto inside = resized("sizes=[7,8] axes=[2,3] keep_aspect_ratio_policy=\"not_larger\"", x);
  REQUIRE(inside.sizes() == at::IntArrayRef({1, 1, 4, 8}));
  const auto around = resized("sizes=[7,8] axes=[2,3] keep_aspect_ratio_policy=\"not_smaller\"", x);
  REQUIRE(around.sizes() == at::IntArrayRef({1, 1, 7, 14}));
}

TEST_CASE("Resize: LibTorch's interpolation stands in only where it is the same", "[ops]") {
  const auto x = wild({2, 3, 5, 4}).contiguous(at::MemoryFormat::ChannelsLast);
  require_close(resized("scales=[1,1,2,3] coordinate_transformation_mode=\"asymmetric\" nearest_mode=\"floor\"", x),
                at::upsample_nearest2d(x, {10, 12}), 0);
  require_close(resized("sizes=[0,0,7,9] mode=\"linear\"", x), at::upsample_bilinear2d(x, {7, 9}, false), 1e-12);
  require_close(resized("sizes=[0,0,7,9] mode=\"cubic\" coordinate_transformation_mode=\"align_corners\"", x),
                at::upsample_bicubic2d(x, {7, 9}, true), 1e-12);
  // The same weights by the general way: a channel axis that is resized, too, keeps LibTorch out.
  const auto wide = resized("scales=[1,2,2,2] mode=\"linear\"", x);
  require_close(wide.select(1, 0), at::upsample_bilinear2d(x, {10, 8}, false).select(1, 0), 1e-12);
}

TEST_CASE("Resize: integers are interpolated and rounded", "[ops]") {
  const auto x = integers({0, 3, 255}).to(at::kByte);
  const auto y = resized("scales=[2] mode=\"cubic\"", x);
  REQUIRE(y.scalar_type() == at::kByte);
  REQUIRE(y.max().item<int64_t>() == 255);
  REQUIRE(resized("scales=[2]", x).equal(integers({0, 0, 3, 3, 255, 255}).to(at::kByte)));
}
