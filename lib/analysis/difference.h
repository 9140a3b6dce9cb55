#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace compress::analysis {

/// How far numbers are from a reference, summed up batch by batch in double precision. Numbers that are the same
/// infinity on both sides count as equal; any other number that is not finite makes every measure say the worst.
class Difference {
public:
  /// Tensors of one shape, of any type of numbers.
  void add(const at::Tensor& reference, const at::Tensor& other);

  int64_t numbers() const { return numbers_; }
  bool exact() const { return numbers_ > 0 && largest_ == 0; }
  /// Signal to quantisation noise, 10 log10(sum x^2 / sum (y - x)^2) in dB: infinity when all are equal, minus infinity
  /// when the reference is all 0 or something is not finite; NaN before the first number.
  double sqnr() const;
  double max_error() const { return largest_; }
  double mean_error() const;  ///< of y - x
  double mean_absolute_error() const;
  /// x.y / (|x| |y|); 1 when both are all 0.
  double cosine() const;

private:
  void add_sums(const at::Tensor& x, const at::Tensor& y, const at::Tensor& error);

  int64_t numbers_ = 0;
  double signal_ = 0, noise_ = 0, other_ = 0, product_ = 0, error_ = 0, absolute_ = 0, largest_ = 0;
};

}  // namespace compress::analysis
