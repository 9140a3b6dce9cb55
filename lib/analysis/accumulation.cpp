#include "analysis/accumulation.h"

#include "analysis/integer_layer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <bit>

namespace compress::analysis {

namespace {

/// Sums of the two largest elements of each row, of which those that are not positive do not count.
at::Tensor largest_two(const at::Tensor& rows) {
  const auto positive = rows.clamp_min(0);
  const auto count = std::min<int64_t>(2, rows.size(1));
  return std::get<0>(positive.topk(count, 1)).sum(1);
}

/// The largest pair of products of each output: both of one sign, since inputs are never negative.
at::Tensor pairs_of(const at::Tensor& rows, int64_t largest_input) {
  return largest_two(rows).maximum(largest_two(rows.neg())) * largest_input;
}

/// Outputs whose pair may be above 32767 or below -32768.
int64_t outside_16_bits(const at::Tensor& rows, int64_t largest_input) {
  const auto above = (largest_two(rows) * largest_input).gt(32767);
  const auto below = (largest_two(rows.neg()) * largest_input).gt(32768);
  return above.logical_or(below).sum().item<int64_t>();
}

int64_t signed_bits(int64_t magnitude) {
  return std::bit_width(static_cast<uint64_t>(magnitude)) + 1;
}

Accumulation accumulation_of(const IntegerLayer& layer) {
  const auto& rows = layer.weights;
  const auto bias = layer.bias.defined() ? layer.bias.abs() : at::zeros_like(rows.select(1, 0));
  Accumulation result{.layer = layer.node->name,
                      .weights = layer.weight_quantizer ? layer.weight_quantizer->name : "",
                      .signed_weights = layer.signed_weights,
                      .largest_weight = rows.abs().max().item<int64_t>(),
                      .largest_input = layer.largest_input,
                      .adds_pairs = !layer.depthwise,
                      .channels = rows.size(0),
                      .accumulator_bits = layer.accumulator_bits};
  result.pair = pairs_of(rows, layer.largest_input).max().item<int64_t>();
  result.pair_channels = outside_16_bits(rows, layer.largest_input);
  result.sum = (rows.abs().sum(1) * layer.largest_input + bias).max().item<int64_t>();
  result.sum_bits = signed_bits(result.sum);
  return result;
}

}  // namespace

std::vector<Accumulation> accumulations(const Graph& graph) {
  std::vector<Accumulation> all;
  for (const auto& layer : integer_layers(graph)) all.push_back(accumulation_of(layer));
  return all;
}

}  // namespace compress::analysis
