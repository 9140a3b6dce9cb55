#pragma once

#include "data/dataset.h"

#include <string>

namespace compress::data {

/// An array as NumPy's `save` writes it (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
struct NpyArray {
  std::string name;   ///< for messages
  char kind = 'f';    ///< 'f' floating point, 'i' and 'u' integers, 'b' boolean
  int64_t width = 4;  ///< bytes of a number
  bool big_endian = false;
  bool fortran = false;  ///< the first axis runs fastest
  Shape shape;
  std::string bytes;
  size_t offset = 0;  ///< of the first number in `bytes`

  /// float32 for floating point, uint8 for bytes and booleans, int64 for other integers.
  at::ScalarType natural_type() const;
  /// All numbers as a contiguous tensor of uint8, int64 or float32.
  at::Tensor tensor(at::ScalarType type) const;
};

/// Versions 1 to 3; float16/32/64, integers of 8 to 64 bits, bool; both byte orders; C and Fortran order. Throws a
/// request error naming the array: no .npy, cut, objects (they would need pickle), texts, structures.
NpyArray parse_npy(std::string bytes, std::string name);

}  // namespace compress::data
