#include "prune/distiller/feature_map_points.h"

#include "analysis/weight.h"
#include "core/random.h"
#include "ops/op.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <numeric>

namespace compress::prune {

namespace {

const Node& only_layer(const Graph& graph, const std::string& weight) {
  const Node* found = nullptr;
  for (const Node& node : graph.nodes()) {
    const auto* own = analysis::weight_of(graph, node);
    if (!own || own->name != weight) continue;
    if (found)
      throw request_error("'{}' is the weight of '{}' and of '{}': it cannot be fitted to the outputs of one", weight,
                          found->name, node.name);
    found = &node;
  }
  const bool fits = found && (found->op == "Conv" || found->op == "Gemm" || found->op == "MatMul");
  if (!fits)
    throw request_error("'{}' is not the weight of a convolution or linear layer{}, so that it cannot be fitted to its "
                        "outputs",
                        weight, found ? fmt::format(" (but of {})", ops::describe(*found)) : "");
  return *found;
}

/// A linear layer's values as [samples, positions, channels].
at::Tensor as_rows(const at::Tensor& value) {
  return value.dim() == 2 ? value.unsqueeze(1) : value.flatten(1, -2);
}

/// Of rows [samples, positions, channels] those at the points [samples, count], as [points, channels].
at::Tensor at_points(const at::Tensor& rows, const at::Tensor& points) {
  const auto index = points.to(rows.device()).unsqueeze(2).expand({-1, -1, rows.size(2)});
  return rows.gather(1, index).flatten(0, 1).to(at::kDouble);
}

}  // namespace

PointwiseLayer::PointwiseLayer(const Graph& graph, const std::string& weight) {
  const Node& node = only_layer(graph, weight);
  const auto& value = graph.parameter(weight).value;
  shape_.assign(value.sizes().begin(), value.sizes().end());
  input_ = node.inputs.front();
  output_ = node.output();
  convolves_ = node.op == "Conv";
  channels_last_ = node.op == "MatMul";
  transposed_ = node.op == "MatMul" || (node.op == "Gemm" && node.attributes.integer("transB", 0) == 0);
  if (convolves_) {
    const Shape ones(shape_.size() - 2, 1);
    groups_ = node.attributes.integer("group", 1);
    strides_ = node.attributes.integers("strides", ones);
    dilations_ = node.attributes.integers("dilations", ones);
    pads_ = node.attributes.integers("pads", Shape(2 * ones.size(), 0));
  }
  if (node.op == "Gemm") factor_ = node.attributes.number("alpha", 1);
  if (!node.has_input(2)) return;
  if (const auto* bias = analysis::parameter_behind(graph, node.inputs[2]))
    bias_ = bias->value.detach().to(at::kDouble) * node.attributes.number("beta", 1);
}

at::Tensor PointwiseLayer::choose_points(const at::Tensor& output, int64_t count, uint64_t key) const {
  const int64_t samples = output.size(0), channels = output.size(channels_last_ ? -1 : 1);
  const int64_t positions = output.numel() / std::max<int64_t>(1, samples * channels);
  if (positions <= count) return at::arange(positions).expand({samples, positions});
  auto points = at::empty({samples, count}, at::kLong);
  Random random(key);
  for (auto& point : std::span(points.mutable_data_ptr<int64_t>(), static_cast<size_t>(points.numel())))
    point = random.below(positions);
  return points;
}

at::Tensor PointwiseLayer::outputs_at(const at::Tensor& output, const at::Tensor& points) const {
  auto values = at_points(convolves_ ? output.flatten(2).transpose(1, 2) : as_rows(output), points);
  if (bias_.defined()) values = values - bias_;
  return values / factor_;
}

at::Tensor PointwiseLayer::patches(const at::Tensor& input, const at::Tensor& points) const {
  const auto axes = strides_.size();
  Shape padding;  // from the last axis on: before, behind
  for (size_t i = axes; i-- > 0;) {
    padding.push_back(pads_[i]);
    padding.push_back(pads_[axes + i]);
  }
  const auto padded = at::constant_pad_nd(input, padding);
  const auto rows = padded.flatten(2).transpose(1, 2).contiguous();  // [samples, positions, channels]
  Shape kernel(shape_.begin() + 2, shape_.end()), outputs(axes);
  for (size_t i = 0; i < axes; ++i)
    outputs[i] = (padded.size(static_cast<int64_t>(i) + 2) - dilations_[i] * (kernel[i] - 1) - 1) / strides_[i] + 1;
  // Where in the padded input the kernel begins.
  auto rest = points.to(input.device());
  auto begin = rest.mul(0);
  int64_t step = 1;
  Shape steps(axes);
  for (size_t i = axes; i-- > 0;) {
    steps[i] = step;
    begin = begin + rest.remainder(outputs[i]) * (strides_[i] * step);
    rest = rest.floor_divide(outputs[i]);
    step *= padded.size(static_cast<int64_t>(i) + 2);
  }
  std::vector<at::Tensor> taps;
  Shape tap(axes, 0);
  const int64_t count = std::accumulate(kernel.begin(), kernel.end(), int64_t{1}, std::multiplies{});
  for (int64_t k = 0; k < count; ++k) {
    int64_t offset = 0;
    for (size_t i = axes, left = static_cast<size_t>(k); i-- > 0; left /= static_cast<size_t>(kernel[i]))
      offset += static_cast<int64_t>(left % static_cast<size_t>(kernel[i])) * dilations_[i] * steps[i];
    taps.push_back(at_points(rows, begin + offset));
  }
  return at::stack(taps, 2);  // [points, channels, kernel]
}

at::Tensor PointwiseLayer::inputs_at(const at::Tensor& input, const at::Tensor& points) const {
  if (convolves_) {
    const auto seen = patches(input, points);
    return seen.reshape({seen.size(0), groups_, -1});
  }
  return at_points(as_rows(input), points).unsqueeze(1);
}

at::Tensor PointwiseLayer::matrix_of(const at::Tensor& weight) const {
  const auto matrix = (transposed_ ? weight.t() : weight.contiguous().flatten(1)).to(at::kDouble);
  return matrix.reshape({groups_, matrix.size(0) / groups_, matrix.size(1)});
}

at::Tensor PointwiseLayer::weight_of_matrix(const at::Tensor& matrix) const {
  const auto whole = matrix.flatten(0, 1);
  return transposed_ ? whole.t() : whole.reshape(shape_);
}

}  // namespace compress::prune
