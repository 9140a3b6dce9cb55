#pragma once

#include "contract/op_example.h"

namespace compress::test {

inline std::vector<OpExample> transposed_convolution_examples() {
  const auto x = wild({2, 4, 4, 5}), bias = wild({3}, 2);
  const auto w = wild({4, 3, 3, 3}, 1);
  return {
      {"y = ConvTranspose(x, %w)", {x, w}},
      {"y = ConvTranspose(x, %w, %b) strides=[2,2] pads=[1,1,1,1]", {x, w, bias}},
      {"y = ConvTranspose(x, %w, %b) strides=[2,3] output_padding=[1,2]", {x, w, bias}},
      {"y = ConvTranspose(x, %w, %b) strides=[2,2] pads=[0,1,2,0]", {x, w, bias}},
      {"y = ConvTranspose(x, %w, %b) strides=[2,2] output_shape=[10,11]", {x, w, bias}},
      {"y = ConvTranspose(x, %w, %b) strides=[2,2] output_shape=[7,14]", {x, w, bias}},
      {"y = ConvTranspose(x, %w) strides=[2,2] auto_pad=\"SAME_UPPER\"", {x, w}},
      {"y = ConvTranspose(x, %w) strides=[2,2] auto_pad=\"SAME_LOWER\"", {x, w}},
      {"y = ConvTranspose(x, %w) auto_pad=\"VALID\" dilations=[2,1]", {x, w}},
      {"y = ConvTranspose(x, %w, %b) group=2", {x, wild({4, 3, 2, 2}, 1), wild({6}, 2)}},
      {"y = ConvTranspose(x, %w, %b) group=4 strides=[2,2]", {x, wild({4, 1, 2, 2}, 1), wild({4}, 2)}},
      {"y = ConvTranspose(x, %w) group=4", {x, wild({4, 2, 2, 2}, 1)}},
      {"y = ConvTranspose(x, %w, %b) strides=[2]", {wild({2, 3, 5}), wild({3, 2, 3}, 1), wild({2}, 2)}},
      {"y = ConvTranspose(x, %w) strides=[1,2,1]", {wild({1, 2, 2, 3, 2}), wild({2, 2, 2, 2, 2}, 1)}},
  };
}

inline std::vector<OpExample> statistics_examples() {
  const auto x = wild({2, 6, 4, 3}), scale = wild_positive({6}, 1), bias = wild({6}, 2);
  const auto sequence = wild({2, 3, 4, 5});
  return {
      {"y = InstanceNormalization(x, %s, %b)", {x, scale, bias}},
      {"y = InstanceNormalization(x, %s, %b) epsilon=0.1", {wild({2, 6, 7}), scale, bias}},
      {"y = GroupNormalization(x, %s, %b) num_groups=3", {x, scale, bias}},
      {"y = GroupNormalization(x, %s, %b) num_groups=1", {x, scale, bias}},
      {"y = GroupNormalization(x, %s, %b) num_groups=6 epsilon=0.1", {x, scale, bias}},
      {"y = LayerNormalization(x, %s, %b)", {sequence, wild_positive({5}, 1), wild({5}, 2)}},
      {"y = LayerNormalization(x, %s)", {sequence, wild_positive({5}, 1)}},
      {"y = LayerNormalization(x, %s, %b) axis=1 epsilon=0.1",
       {sequence, wild_positive({3, 4, 5}, 1), wild({4, 1}, 2)}},
      {"y, y:1, y:2 = LayerNormalization(x, %s, %b) axis=2 stash_type=11",
       {sequence, wild_positive({4, 5}, 1), wild({4, 5}, 2)}},
      {"y = RMSNormalization(x, %s)", {sequence, wild_positive({5}, 1)}},
      {"y = RMSNormalization(x, %s) axis=-3", {sequence, wild_positive({3, 4, 5}, 1)}},
      {"y = LRN(x) size=3", {x}},
      {"y = LRN(x) size=4 alpha=0.5 beta=0.6 bias=2.0", {x}},
      {"y = LpNormalization(x)", {x}},
      {"y = LpNormalization(x) axis=1 p=1", {x}},
      {"y = MeanVarianceNormalization(x)", {x}},
      {"y = MeanVarianceNormalization(x) axes=[1,2,3]", {x}},
  };
}

inline std::vector<OpExample> more_pooling_examples() {
  const auto x = wild({2, 3, 7, 6}), positions = integers({5, 7, 13, 15}).reshape({1, 1, 2, 2});
  return {
      {"y = GlobalMaxPool(x)", {x}},
      {"y = GlobalLpPool(x)", {x}},
      {"y = GlobalLpPool(x) p=3", {x}},
      {"y = LpPool(x) kernel_shape=[2,3]", {x}},
      {"y = LpPool(x) kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1] p=3 dilations=[1,2]", {x}},
      {"y = LpPool(x) kernel_shape=[3,2] strides=[2,2] ceil_mode=1 p=1", {x}},
      {"y, y:1 = MaxPool(x) kernel_shape=[3,2] strides=[2,2] pads=[1,0,1,0]", {x}},
      {"y, y:1 = MaxPool(x) kernel_shape=[3,3] strides=[2,2] pads=[0,1,2,1] storage_order=1", {x}},
      {"y, y:1 = MaxPool(x) kernel_shape=[3] dilations=[2]", {wild({2, 3, 8})}},
      {"y, y:1 = MaxPool(x) kernel_shape=[2,2,2] strides=[2,1,1]", {wild({2, 2, 4, 3, 3})}},
      {"y = AveragePool(x) kernel_shape=[3,2] dilations=[2,3] pads=[1,1,1,1]", {x}},
      {"y = AveragePool(x) kernel_shape=[3,2] dilations=[2,1] strides=[2,2] ceil_mode=1 count_include_pad=1 "
       "pads=[1,0,1,1]",
       {x}},
      {"y = MaxUnpool(x, i) kernel_shape=[2,2] strides=[2,2]", {wild({1, 1, 2, 2}), positions}},
      {"y = MaxUnpool(x, i) kernel_shape=[2,2] strides=[2,2] output_shape=[1,1,5,6]", {wild({1, 1, 2, 2}), positions}},
  };
}

inline std::vector<OpExample> resize_examples() {
  const auto x = wild({2, 3, 4, 5});
  std::vector<OpExample> examples;
  for (const std::string mode : {"nearest", "linear", "cubic"})
    for (const std::string coordinates :
         {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"})
      for (const std::string scales : {"[1,1,2,2]", "[1,1,0.6,1.7]"})
        examples.push_back({"y = Resize(x) scales=" + scales + " mode=\"" + mode +
                                "\" coordinate_transformation_mode=\"" + coordinates + "\"",
                            {x}});
  const std::vector<OpExample> more{
      {"y = Resize(x) scales=[1,1,2,2] coordinate_transformation_mode=\"asymmetric\" nearest_mode=\"floor\"", {x}},
      {"y = Resize(x) sizes=[3,9] axes=[2,-1] mode=\"linear\"", {x}},
      {"y = Resize(x) sizes=[0,3,3,1] mode=\"linear\" coordinate_transformation_mode=\"pytorch_half_pixel\"", {x}},
      {"y = Resize(x) sizes=[9,9] axes=[2,3] keep_aspect_ratio_policy=\"not_larger\"", {x}},
      {"y = Resize(x) sizes=[9,9] axes=[2,3] keep_aspect_ratio_policy=\"not_smaller\" mode=\"linear\"", {x}},
      {"y = Resize(x) scales=[0.4,0.6] axes=[2,3] mode=\"linear\" antialias=1", {x}},
      {"y = Resize(x) scales=[1,1,0.4,2.5] mode=\"cubic\" antialias=1 exclude_outside=1", {x}},
      {"y = Resize(x) scales=[1,1,3,3] mode=\"cubic\" cubic_coeff_a=-0.5 exclude_outside=1", {x}},
      {"y = Resize(x) sizes=[0,0,3,4] roi=[0,0,0.4,0.2,1,1,1.2,0.7] mode=\"linear\" "
       "coordinate_transformation_mode=\"tf_crop_and_resize\" extrapolation_value=10.0",
       {x}},
      {"y = Resize(x) scales=[1,1,2] mode=\"linear\"", {wild({2, 3, 5})}},
      {"y = Resize(x) scales=[1,1,2,1,2] mode=\"linear\"", {wild({1, 2, 2, 3, 2})}},
      {"y = Resize(x) scales=[1,2,1,1]", {x}},
      {"y = Resize(x) scales=[2.5]", {wild({4})}},
      {"y = Upsample(x) scales=[1,1,2,3]", {x}},
      {"y = Upsample(x) scales=[1,1,2,1.5] mode=\"linear\"", {x}},
      {"y = DepthToSpace(x) blocksize=2", {wild({2, 8, 2, 3})}},
      {"y = DepthToSpace(x) blocksize=2 mode=\"CRD\"", {wild({2, 8, 2, 3})}},
      {"y = SpaceToDepth(x) blocksize=2", {wild({2, 2, 4, 6})}},
      {"y = SpaceToDepth(x) blocksize=2 mode=\"CRD\"", {wild({2, 2, 4, 6})}},
  };
  examples.insert(examples.end(), more.begin(), more.end());
  return examples;
}

inline std::vector<OpExample> sampling_examples() {
  const auto x = wild({2, 3, 4, 5}), grid = wild({2, 3, 2, 2}, 1);
  return {
      {"y = GridSample(x, g)", {x, grid}},
      {"y = GridSample(x, g) mode=\"nearest\" padding_mode=\"border\" align_corners=1", {x, grid}},
      {"y = GridSample(x, g) mode=\"cubic\" padding_mode=\"reflection\"", {x, grid}},
      {"y = GridSample(x, g)", {wild({1, 2, 3, 3, 3}), wild({1, 2, 2, 2, 3}, 1)}},
      {"y = AffineGrid(t) size=[2,3,4,5]", {wild({2, 2, 3})}},
      {"y = AffineGrid(t) size=[1,3,2,2,2] align_corners=1", {wild({1, 3, 4})}},
      {"y = Col2Im(x) image_shape=[5,4] block_shape=[2,2]", {wild({2, 12, 12})}},
      {"y = Col2Im(x) image_shape=[5,4] block_shape=[3,2] strides=[2,1] pads=[1,0,1,1] dilations=[1,2]",
       {wild({2, 12, 9})}},
      {"y = Col2Im(x) image_shape=[5] block_shape=[2]", {wild({1, 4, 4})}},
  };
}

inline std::vector<OpExample> integer_examples() {
  const auto bytes = [](const Shape& shape, double seed) { return wild(shape, seed).mul(127).add(128).to(at::kByte); };
  const auto x = bytes({2, 4, 5, 5}, 0), w = wild({3, 4, 3, 3}, 1).mul(127).to(at::kChar);
  const auto number = [](double value) { return at::scalar_tensor(value, at::kFloat); };
  const auto byte = [](int64_t value) { return at::scalar_tensor(value, at::kByte); };
  const auto scales = wild_positive({3}, 3).to(at::kFloat), zeros = integers({1, -2, 3}).to(at::kChar);
  const auto a = bytes({2, 3, 4}, 0), b = bytes({4, 5}, 1);
  const auto values = wild({2, 3, 8}), block_scales = wild_positive({2, 3, 3}, 1).mul(0.01);
  return {
      {"y = ConvInteger(x, %w)", {x, w}},
      {"y = ConvInteger(x, %w, %z, %v) pads=[1,1,1,1] strides=[2,2]", {x, w, byte(120), zeros}},
      {"y = QLinearConv(x, %s, %z, %w, %t, %v, %u, %o)",
       {x, number(0.02), byte(120), w, number(0.01), at::scalar_tensor(0, at::kChar), number(0.4), byte(128)}},
      {"y = QLinearConv(x, %s, %z, %w, %t, %v, %u, %o, %b) pads=[1,0,1,0]",
       {x, number(0.02), byte(120), w, scales.mul(0.01), zeros, number(0.4), byte(7),
        integers({100, -200, 3000}).to(at::kInt)}},
      {"y = MatMulInteger(a, b)", {a, b}},
      {"y = MatMulInteger(a, b, %z, %v)", {a, b, integers({1, 2, 3}).to(at::kByte), byte(99)}},
      {"y = QLinearMatMul(a, %s, %z, b, %t, %v, %u, %o)",
       {a, number(0.02), byte(120), b, number(0.03), byte(130), number(0.5), byte(100)}},
      {"y, y:1, y:2 = DynamicQuantizeLinear(x)", {wild({3, 4}).to(at::kFloat)}},
      {"y = QuantizeLinear(x, %s) axis=2 block_size=3 output_dtype=3", {values, block_scales}},
      {"y = DequantizeLinear(x, %s) axis=-1 block_size=3 output_dtype=1",
       {values.mul(100).to(at::kChar), block_scales}},
      {"y = QuantizeLinear(x, %s) precision=11", {values.to(at::kFloat), at::scalar_tensor(0.01, at::kFloat)}},
      {"y, y:1 = Dropout(x) ratio=0.3", {values}},
      {"y = Pad(x) pads=[7,9] axes=[1] mode=\"reflect\"", {values}},
      {"y = Pad(x) pads=[-1,5] axes=[1] mode=\"wrap\"", {values}},
      {"y = Squeeze(x)", {wild({2, 3, 1, 1})}},
  };
}

}  // namespace compress::test
