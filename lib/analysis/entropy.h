#pragma once

#include <ATen/core/Tensor.h>

namespace compress::analysis {

/// Shannon entropy of the elements in bits an element: no code that writes each element for itself takes less (Han et
/// al. 2016, arXiv:1510.00149, come near it by Huffman coding). +0 and -0 are one element. 0 for a tensor of one
/// element.
double entropy(const at::Tensor& values);

}  // namespace compress::analysis
