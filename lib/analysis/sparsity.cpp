#include "analysis/sparsity.h"

#include "analysis/weight.h"

#include <set>

namespace compress::analysis {

namespace {

double percent(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

/// Percent of the rows of a matrix that are all zero.
double zero_rows(const at::Tensor& matrix) {
  const int64_t nonzero = matrix.ne(0).any(1).count_nonzero().item<int64_t>();
  return percent(matrix.size(0) - nonzero, matrix.size(0));
}

}  // namespace

SparsityRow sparsity(const std::string& name, const at::Tensor& parameter) {
  const at::Tensor value = parameter.detach();
  SparsityRow row{.name = name, .shape = value.sizes().vec(), .dense = value.numel()};
  row.nonzero = value.count_nonzero().item<int64_t>();
  row.elements = percent(row.dense - row.nonzero, row.dense);
  if (row.dense > 0) {
    row.mean = value.mean().item<double>();
    row.abs_mean = value.abs().mean().item<double>();
  }
  if (row.dense > 1) row.std = value.std().item<double>();
  if (value.dim() == 2) {
    row.columns = row.kernels = zero_rows(value);
    row.rows = zero_rows(value.t());
  } else if (value.dim() > 2) {
    row.filters = zero_rows(value.flatten(1));
    row.kernels = zero_rows(value.reshape({value.size(0) * value.size(1), -1}));
    row.channels = zero_rows(value.transpose(0, 1).flatten(1));
  }
  return row;
}

std::vector<SparsityRow> sparsity(const Graph& graph) {
  std::vector<SparsityRow> rows;
  std::set<const Parameter*> weights;
  for (const Node& node : graph.nodes())
    for (const Parameter* weight : weights_of(graph, node)) weights.insert(weight);
  for (const Parameter* parameter : learned_parameters(graph)) {
    const int64_t axes = parameter->value.dim();
    if (axes == 2 || axes == 4 || (axes > 2 && weights.contains(parameter)))
      rows.push_back(sparsity(parameter->name, real_value(graph, *parameter)));
  }
  return rows;
}

double total_sparsity(const std::vector<SparsityRow>& rows) {
  int64_t dense = 0, nonzero = 0;
  for (const auto& row : rows) {
    dense += row.dense;
    nonzero += row.nonzero;
  }
  return percent(dense - nonzero, dense);
}

}  // namespace compress::analysis
