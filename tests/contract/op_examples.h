#pragma once

#include "contract/examples_indexing.h"
#include "contract/examples_pointwise.h"
#include "contract/examples_sequence.h"
#include "contract/examples_spatial.h"
#include "contract/op_example.h"

#include <set>
#include <string>
#include <vector>

namespace compress::test {

inline std::vector<OpExample> convolution_examples() {
  const auto x = wild({2, 4, 6, 5}), bias = wild({4}, 2);
  const auto w = wild({4, 4, 3, 3}, 1);
  return {
      {"y = Conv(x, %w)", {x, w}},
      {"y = Conv(x, %w, %b) pads=[1,1,1,1]", {x, w, bias}},
      {"y = Conv(x, %w, %b) kernel_shape=[3,3] strides=[2,1] pads=[1,0,1,0]", {x, w, bias}},
      {"y = Conv(x, %w, %b) pads=[0,1,2,1] strides=[2,2]", {x, w, bias}},
      {"y = Conv(x, %w) auto_pad=\"SAME_UPPER\" strides=[2,2]", {x, w}},
      {"y = Conv(x, %w) auto_pad=\"SAME_LOWER\" strides=[2,2]", {x, w}},
      {"y = Conv(x, %w) auto_pad=\"VALID\"", {x, w}},
      {"y = Conv(x, %w) dilations=[2,2] pads=[2,2,2,2]", {x, w}},
      {"y = Conv(x, %w, %b) group=2 pads=[1,1,1,1]", {x, wild({4, 2, 3, 3}, 1), bias}},
      {"y = Conv(x, %w, %b) group=4", {x, wild({4, 1, 3, 3}, 1), bias}},
      {"y = Conv(x, %w) group=4", {x, wild({8, 1, 3, 3}, 1)}},
      {"y = Conv(x, %w, %b) pads=[1,1]", {wild({2, 3, 7}), wild({5, 3, 3}, 1), wild({5}, 2)}},
      {"y = Conv(x, %w)", {wild({1, 2, 3, 3, 3}), wild({3, 2, 2, 2, 2}, 1)}},
      {"y = Gemm(x, %w, %b) transB=1", {wild({3, 4}), wild({5, 4}, 1), wild({5}, 2)}},
      {"y = Gemm(x, %w) transB=1", {wild({3, 4}), wild({5, 4}, 1)}},
      {"y = Gemm(x, %w, %b) alpha=0.5 beta=2.0", {wild({3, 4}), wild({4, 5}, 1), wild({1, 5}, 2)}},
      {"y = Gemm(x, %w, %b) transA=1", {wild({4, 3}), wild({4, 5}, 1), wild({}, 2)}},
      {"y = MatMul(x, %w)", {wild({3, 4}), wild({4, 5}, 1)}},
      {"y = MatMul(x, %w)", {wild({2, 3, 4}), wild({4, 5}, 1)}},
      {"y = MatMul(x, w)", {wild({2, 1, 3, 4}), wild({2, 4, 5}, 1)}},
  };
}

inline std::vector<OpExample> normalization_examples() {
  const std::vector<at::Tensor> statistics{wild({2, 3, 4, 4}), wild_positive({3}, 1), wild({3}, 2), wild({3}, 3),
                                           wild_positive({3}, 4)};
  auto flat = statistics;
  flat[0] = wild({4, 3});
  // 16 bits: steps far finer than the difference that counts; its gradients are compared with conv and batch-norm in
  // unit/ops
  const std::vector<at::Tensor> folded{wild({2, 3, 4, 4}),
                                       wild({3, 3, 3, 3}, 1),
                                       wild({3}, 5),
                                       wild_positive({3}, 1),
                                       wild({3}, 2),
                                       wild({3}, 3),
                                       wild_positive({3}, 4),
                                       wild_positive({3}, 6).mul(1e-4),
                                       at::tensor({0., 0., 0.})};
  auto no_bias = folded, linear = folded;
  no_bias[2] = at::Tensor();
  linear[0] = wild({4, 5});
  linear[1] = wild({3, 5}, 1);
  linear[7] = at::scalar_tensor(1e-4, at::kDouble);
  linear[8] = at::scalar_tensor(0, at::kDouble);
  return {
      {"y = BatchNormalization(x, %g, %b, %m, %v)", statistics, {3, 4}},
      {"y = BatchNormalization(x, %g, %b, %m, %v) epsilon=0.1 momentum=0.5", statistics, {3, 4}, ops::Mode::train},
      {"y = BatchNormalization(x, %g, %b, %m, %v)", flat, {3, 4}},
      {"y = ConvBatchNormalization(x, %w, %c, %g, %b, %m, %v, %s, %z) bits=16", folded},
      {"y = ConvBatchNormalization(x, %w, _, %g, %b, %m, %v, %s, %z) bits=16 pads=[1,1,1,1]",
       no_bias,
       {},
       ops::Mode::train},
      {"y = ConvBatchNormalization(x, %w, %c, %g, %b, %m, %v, %s, %z) bits=16 scheme=\"exact\"",
       folded,
       {},
       ops::Mode::train},
      {"y = ConvBatchNormalization(x, %w, %c, %g, %b, %m, %v, %s, %z) bits=16 frozen=1", folded, {}, ops::Mode::train},
      {"y = ConvBatchNormalization(x, %w, %c, %g, %b, %m, %v, %s, %z) bits=16 axis=-1 layer=\"Gemm\"", linear},
  };
}

inline std::vector<OpExample> activation_examples() {
  const auto x = wild({2, 3, 4}).mul(4);
  return {
      {"y = Relu(x)", {x}},
      {"y = LeakyRelu(x) alpha=0.2", {x}},
      {"y = PRelu(x, %slope)", {x, wild({3, 1}, 1)}},
      {"y = PRelu(x, %slope)", {x, wild({1}, 1)}},
      {"y = Clip(x) min=-1.0 max=2.0", {x}},
      {"y = Clip(x) min=0", {x}},
      {"y = Clip(x)", {x}},
      {"y = Sigmoid(x)", {x}},
      {"y = HardSigmoid(x) alpha=0.25 beta=0.4", {x}},
      {"y = HardSwish(x)", {x}},
      {"y = Tanh(x)", {x}},
      {"y = Softmax(x)", {x}},
      {"y = Softmax(x) axis=1", {x}},
      {"y = Dropout(x) ratio=0.3", {x}},
      {"y = Identity(x)", {x}},
      {"y = Floor(x)", {x}},
      {"y = Sqrt(x)", {wild_positive({2, 3})}},
      {"y = Cast(x) to=11", {x}},
      {"y = Cast(x) to=7", {x}},
  };
}

inline std::vector<OpExample> arithmetic_examples() {
  const auto a = wild({2, 3, 4, 4}), b = wild_positive({2, 3, 1, 1}, 1);
  return {
      {"y = Add(a, b)", {a, wild({2, 3, 4, 4}, 1)}},
      {"y = Add(a, %b)", {a, wild({3, 1, 1}, 1)}},
      {"y = Add(a, %b)", {a, wild({4}, 1)}},
      {"y = Sub(a, b)", {a, b}},
      {"y = Mul(a, b)", {a, b}},
      {"y = Mul(b, a)", {b, a}},
      {"y = Mul(a, %b)", {a, wild({}, 1)}},
      {"y = Div(a, b)", {a, b}},
      {"y = Div(a, b)", {integers({7, -7, 9}), integers({2, 2, 3})}},
      {"y = Pow(a, b)", {wild_positive({2, 3}), wild({3})}},
      {"y = Equal(a, b)", {integers({1, 2}), integers({1, 3})}},
      {"y = Where(c, a, b)", {wild({2, 3}).gt(0), wild({2, 3}, 1), wild({3}, 2)}},
  };
}

inline std::vector<OpExample> pooling_examples() {
  const auto x = wild({2, 3, 7, 6});
  std::vector<OpExample> examples;
  for (const std::string op : {"MaxPool", "AveragePool"})
    for (const std::string attributes :
         {"kernel_shape=[2,2] strides=[2,2]", "kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1]",
          "kernel_shape=[3,2] strides=[2,2] ceil_mode=1", "kernel_shape=[2,2] strides=[2,2] pads=[0,0,1,1]",
          "kernel_shape=[3,3] strides=[3,3] pads=[1,0,0,1] ceil_mode=1",
          "kernel_shape=[3,3] strides=[2,2] auto_pad=\"SAME_UPPER\"", "kernel_shape=[3,3] pads=[2,1,2,1]"})
      examples.push_back({"y = " + op + "(x) " + attributes, {x}});
  const auto more = std::vector<OpExample>{
      {"y = MaxPool(x) kernel_shape=[2,2] dilations=[2,1]", {x}},
      {"y = MaxPool(x) kernel_shape=[3] strides=[2]", {wild({2, 3, 9})}},
      {"y = MaxPool(x) kernel_shape=[2,2,2]", {wild({1, 2, 3, 3, 3})}},
      {"y = AveragePool(x) kernel_shape=[3] strides=[2] pads=[0,1]", {wild({2, 3, 9})}},
      {"y = AveragePool(x) kernel_shape=[2,2,2]", {wild({1, 2, 3, 3, 3})}},
      {"y = AveragePool(x) kernel_shape=[3,3] pads=[1,1,1,1] count_include_pad=1", {x}},
      {"y = AveragePool(x) kernel_shape=[3,3] strides=[2,2] pads=[0,1,1,0] count_include_pad=1 ceil_mode=1", {x}},
      {"y = GlobalAveragePool(x)", {x}},
      {"y = ReduceMean(x) axes=[2,3] keepdims=0", {x}},
      {"y = ReduceMean(x) axes=[-1]", {x}},
      {"y = ReduceMean(x)", {x}},
      {"y = ReduceMean(x) noop_with_empty_axes=1", {x}},
      {"y = ReduceSum(x) axes=[1]", {x}},
      {"y = ReduceMax(x) axes=[2,3]", {x}},
  };
  examples.insert(examples.end(), more.begin(), more.end());
  return examples;
}

inline std::vector<OpExample> shape_examples() {
  const auto x = wild({2, 6, 4, 2});
  return {
      {"y = Concat(a, b) axis=1", {wild({2, 3, 4}), wild({2, 2, 4}, 1)}},
      {"y = Concat(a, b) axis=-1", {wild({2, 3, 4}), wild({2, 3, 1}, 1)}},
      {"y = Concat(a, %b) axis=1", {wild({2, 3, 4}), wild({2, 2, 4}, 1)}},
      {"y = Pad(x) pads=[0,2,0,1,0,1,1,0]", {x}},
      {"y = Pad(x) pads=[0,-1,0,0,0,-2,1,0]", {x}},
      {"y = Pad(x) pads=[0,0,1,1,0,0,1,1] value=2.5", {x}},
      {"y = Pad(x) pads=[1,1] axes=[1] value=2.5", {x}},
      {"y = Pad(x) pads=[2,1,1,1] axes=[-2,-1] mode=\"reflect\"", {x}},
      {"y = Pad(x) pads=[0,1,2,3,0,0,0,1] mode=\"edge\"", {x}},
      {"y = Pad(x) pads=[0,0,1,1,0,0,1,1] mode=\"wrap\"", {x}},
      {"y = Slice(x) starts=[1] ends=[4] axes=[1]", {x}},
      {"y = Slice(x) starts=[-3,0] ends=[9223372036854775807,-1] axes=[1,2]", {x}},
      {"y = Slice(x) starts=[0,0,0] ends=[9,9,9] axes=[1,2,3] steps=[2,2,1]", {x}},
      {"y = Slice(x) starts=[-1] ends=[-100] axes=[2] steps=[-1]", {x}},
      {"y = Slice(x) starts=[5] ends=[0] axes=[1] steps=[-2]", {x}},
      {"y = Slice(x) starts=[0,1] ends=[1,3]", {x}},
      {"y = Split(x) axis=1", {x}},
      {"y, y:1 = Split(x) axis=1 split=[2,4]", {x}},
      {"y, y:1, y:2, y:3 = Split(x) axis=1", {wild({2, 7, 2})}},
      {"y, y:1 = Split(x) axis=-2", {x}},
      {"y = Reshape(x) shape=[0,-1]", {x}},
      {"y = Reshape(x) shape=[-1,48]", {x}},
      {"y = Reshape(x) shape=[0,2,3,4,2]", {x}},
      {"y = Reshape(x) shape=[2,6,8]", {x}},
      {"y = Reshape(x) shape=[0,0,4,2,1,1]", {x}},
      {"y = Flatten(x)", {x}},
      {"y = Flatten(x) axis=2", {x}},
      {"y = Flatten(x) axis=4", {x}},
      {"y = Flatten(x) axis=-1", {x}},
      {"y = Transpose(x) perm=[0,2,3,1]", {x}},
      {"y = Transpose(x)", {x}},
      {"y = Squeeze(x) axes=[2,3]", {wild({2, 3, 1, 1})}},
      {"y = Squeeze(x) axes=[-2]", {wild({2, 3, 1, 4})}},
      {"y = Unsqueeze(x) axes=[2,3]", {wild({2, 3})}},
      {"y = Unsqueeze(x) axes=[1,-1]", {wild({2, 3})}},
      {"y = Expand(x) shape=[2,3,4]", {wild({3, 1})}},
      {"y = Expand(x) shape=[2,3,1,5]", {wild({2, 3, 4, 1})}},
      {"y = Gather(x, %i) axis=1", {x, integers({5, -1, 0})}},
      {"y = Gather(x, %i) axis=2", {x, integers({1, 3, 3, 0}).reshape({2, 2})}},
      {"y = Shape(x)", {x}},
      {"y = Shape(x) start=1 end=-1", {x}},
      {"y = Constant() value_ints=[3,4]", {}},
      {"y = Constant() value_float=2.5", {}},
      {"y = ConstantOfShape() shape=[2,3] value=7 dtype=7", {}},
      {"y = Range(a, b, c)", {integers({2}).reshape({}), integers({9}).reshape({}), integers({3}).reshape({})}},
  };
}

inline std::vector<OpExample> quantizer_examples() {
  const auto x = wild({2, 3, 4}), scale = wild_positive({3}, 1).mul(0.01);
  const auto zero_points = integers({3, -4, 0}).to(at::kChar);
  return {
      {"y = QuantizeLinear(x, %s)", {x, at::scalar_tensor(0.02, at::kDouble)}},
      {"y = QuantizeLinear(x, %s, %z) axis=1", {x, scale, zero_points}},
      {"y = DequantizeLinear(x, %s, %z) axis=1",
       {integers({-128, 5, 127}).to(at::kChar).reshape({1, 3}), scale, zero_points}},
      {"y = DequantizeLinear(x, %s)", {integers({70000, 5}).to(at::kInt), at::scalar_tensor(0.5, at::kDouble)}},
      {"y = FakeQuantize(x, %s, %z) axis=1", {x, scale, zero_points.to(at::kDouble)}, {1, 2}},
      {"y = FakeQuantize(%w, %s, %z) axis=0 narrow_range=1 method=\"minmax\"",
       {wild({3, 4}), scale, zero_points},
       {1, 2}},
  };
}

inline std::vector<OpExample> op_examples() {
  std::vector<OpExample> all;
  for (const auto& some :
       {convolution_examples(), normalization_examples(), activation_examples(), arithmetic_examples(),
        pooling_examples(), shape_examples(), quantizer_examples(), sequence_examples(), unary_examples(),
        broadcasting_examples(), reduction_examples(), indexing_examples(), transposed_convolution_examples(),
        statistics_examples(), more_pooling_examples(), resize_examples(), sampling_examples(), integer_examples()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

}  // namespace compress::test
