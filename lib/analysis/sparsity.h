#pragma once

#include "graph/graph.h"

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

/// How sparse weights are, by structure. Percentages are 0 ... 100; structures that a tensor does not have give 0, as
/// in Distiller.
namespace compress::analysis {

/// One weight: a matrix, or a convolution's with any number of spatial axes.
struct SparsityRow {
  std::string name;
  Shape shape;
  int64_t dense = 0;  ///< elements
  int64_t nonzero = 0;
  double columns = 0;   ///< zero columns of the transposed matrix, that is outputs (axis 0) of a linear weight
  double rows = 0;      ///< zero rows of the transposed matrix, that is inputs (axis 1) of a linear weight
  double channels = 0;  ///< zero input channels (axis 1) of a convolution
  double kernels = 0;   ///< "2D": zero kernels of a convolution; zero outputs of a linear weight
  double filters = 0;   ///< "3D": zero filters (axis 0) of a convolution
  double elements = 0;  ///< "Fine": zero elements
  double std = 0, mean = 0, abs_mean = 0;
};

SparsityRow sparsity(const std::string& name, const at::Tensor& value);

/// A row for each learned parameter with 2 or 4 axes, as in Distiller, and for each other weight of a layer with more
/// than one; in the graph's order. Integers of quantised files count as the real numbers that they stand for.
std::vector<SparsityRow> sparsity(const Graph& graph);

/// Percent of all elements of the rows that are zero.
double total_sparsity(const std::vector<SparsityRow>& rows);

}  // namespace compress::analysis
