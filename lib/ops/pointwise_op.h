#pragma once

#include "ops/channels.h"
#include "ops/shape.h"

#include <cstdlib>

/// What element-wise operators share: kernels made from a function of tensors, and the facets they have in common.
namespace compress::ops {

/// LibTorch stores unsigned integers of more than 8 bits but computes hardly anything with them.
inline bool is_wide_unsigned(at::ScalarType type) {
  return type == at::kUInt16 || type == at::kUInt32 || type == at::kUInt64;
}

/// The tensor, 64-bit integers in place of such unsigned ones (from 2^63 on they become negative).
inline at::Tensor computable(const at::Tensor& x) {
  return is_wide_unsigned(x.scalar_type()) ? x.to(at::kLong) : x;
}

/// What was computed from `computable`, in the type that it stands for; truth values stay.
inline at::Tensor of_type(const at::Tensor& result, at::ScalarType type) {
  return is_wide_unsigned(type) && result.scalar_type() == at::kLong ? result.to(type) : result;
}

/// at::Tensor function(const at::Tensor&) on each element.
template <auto function>
Kernel unary_kernel(const Node&) {
  return [](Call& call) { call.out() = of_type(function(computable(call.in(0))), call.in(0).scalar_type()); };
}

/// at::Tensor function(const at::Tensor&, const at::Tensor&) on elements that broadcast.
template <auto function>
Kernel binary_kernel(const Node&) {
  return [](Call& call) {
    call.out() = of_type(function(computable(call.in(0)), computable(call.in(1))), call.in(0).scalar_type());
  };
}

/// Truth values of the broadcast shape.
inline std::vector<ValueInfo> infer_truth(const InferCall& call) {
  auto infos = infer_broadcast(call);
  infos[0].type = at::kBool;
  return infos;
}

/// An operator of `inputs` values that broadcast (-1: one or more), with a gradient and arithmetic of its own.
inline Op pointwise_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&), int inputs = 1) {
  return {.name = name,
          .doc = doc,
          .min_inputs = std::abs(inputs),
          .max_inputs = inputs,
          .kernel = kernel,
          .gradient = Gradient::yes,
          .infer = inputs == 1 ? infer_same : infer_broadcast,
          .macs = no_macs,
          .channels = inputs == 1 ? same_channels : elementwise_channels,
          .resize = keep_attributes,
          .quantization = Quantization::arithmetic};
}

/// The same without a gradient and always in floating point: roundings, truth values.
inline Op stepwise_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&), int inputs = 1) {
  auto op = pointwise_op(name, doc, kernel, inputs);
  op.gradient = Gradient::none;
  op.quantization = Quantization::none;
  return op;
}

}  // namespace compress::ops
