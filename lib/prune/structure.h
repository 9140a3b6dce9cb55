#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

/// Structures of a weight that are kept or removed as a whole.
namespace compress::prune {

enum class Group {
  filters,   ///< one output: w[i, ...] of a convolution or linear layer (Distiller: also "3D")
  channels,  ///< one input channel of a convolution over all filters: w[:, i, ...]
  rows       ///< one input of a linear layer: w[:, i], a row of the transposed matrix, as in Distiller
};

/// The axis of a weight [outputs, inputs, ...] along which the structures are counted.
int64_t axis_of(Group group);

/// Throws a request error when a weight of this shape has no such structures.
void require_structures(std::string_view parameter, at::IntArrayRef shape, Group group);

/// Mean magnitude of each structure, [structures].
at::Tensor mean_l1(const at::Tensor& weight, Group group);

/// 1 for the structures that stay, 0 for the `count` weakest; among equal ones the first go.
at::Tensor rank_and_cut(const at::Tensor& strengths, int64_t count);

/// A map [structures] as a mask of the weight's shape.
at::Tensor expand_map(const at::Tensor& map, at::IntArrayRef shape, Group group);

enum class Rounding { floor, ceil, round };

/// How many of `structures` a share means: rounded, then rounded to a multiple of group_size; never all of them.
int64_t structures_to_remove(int64_t structures, double share, int64_t group_size, Rounding rounding);

}  // namespace compress::prune
