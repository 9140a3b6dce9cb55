#pragma once

#include "io/safetensors.h"

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

/// Tensors that are mostly zeros, such as pruned weights and masks, take a bit for each element and the elements that
/// are not zero. Every bit comes back: a zero that pruning made of a negative number is -0.
///
/// In the file NAME becomes
///     packed/NAME/bits    uint8 [ceil(n / 8)]: bit i % 8 of byte i / 8 is set where element i is not zero
///     packed/NAME/values  the elements that are not zero, in order; only one when they are all the same (masks)
///     packed/NAME/signs   uint8: a bit for each zero in order, set for -0; only when there is one
/// and the metadata's `packed` is a JSON object with the shape of each NAME.
namespace compress::io {

/// What the names of packed tensors begin with.
inline constexpr std::string_view kPackedPrefix = "packed/";

/// True when the packed form is smaller, by more than the names that it adds to the file.
bool is_worth_packing(const at::Tensor& tensor);

/// Packs the tensors that are worth it. No name may begin with "packed/".
TensorFile pack_zeros(const std::map<std::string, at::Tensor>& tensors);

/// Takes back what pack_zeros did; a file in which nothing is packed stays as it is. Throws a request error that names
/// the tensor when the parts do not fit together.
std::map<std::string, at::Tensor> unpack_zeros(TensorFile file);

}  // namespace compress::io
