#pragma once

#include "ops/op.h"

#include <ATen/core/Tensor.h>

#include <utility>

/// Exact integer arithmetic in double precision: sums of products of 8-bit integers stay below 2^53 up to 10^11 terms,
/// and LibTorch has matrix products and convolutions of doubles, not of integers.
namespace compress::ops {

/// Smallest and largest value of an integer type of up to 16 bits. Throws a request error for others.
std::pair<double, double> grid_limits(at::ScalarType type);

/// q - zero_point in double precision; an undefined zero point is 0.
at::Tensor centred(const at::Tensor& q, const at::Tensor& zero_point);

/// The integers rint(sum * multiplier + zero_point), saturated, of the zero point's type; rounded as one expression,
/// like onnx's ReferenceEvaluator.
at::Tensor requantized(const at::Tensor& sum, const at::Tensor& multiplier, const at::Tensor& zero_point);

/// A sum as the 32-bit integer that ONNX's integer operators give; beyond 32 bits it wraps around.
at::Tensor as_accumulator(const at::Tensor& sum);

/// Throws a request error unless input i has one of the 8-bit types, or the call lacks it.
void require_bytes(const InferCall& call, std::span<const size_t> inputs);

}  // namespace compress::ops
