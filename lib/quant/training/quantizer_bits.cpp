#include "quant/training/quantizer_bits.h"

#include "ops/conv_batch_normalization.h"
#include "ops/grid_method.h"
#include "quant/insertion/quantizer_node.h"

#include <ATen/core/grad_mode.h>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace compress::quant {
namespace {

bool joined(const Node& node) {
  return node.op == "ConvBatchNormalization";
}

const std::string& scale_of(const Node& node) {
  constexpr size_t kOfJoined = ops::FoldedConvolution::kScale;
  return node.inputs[joined(node) ? kOfJoined : 1];
}

const std::string& zero_point_of(const Node& node) {
  constexpr size_t kOfJoined = ops::FoldedConvolution::kZeroPoint;
  return node.inputs[joined(node) ? kOfJoined : 2];
}

bool adjustable(const Graph& graph, const Node& node) {
  if (!joined(node) && node.op != "FakeQuantize") return false;
  if (node.attributes.text("format", "integer") != "integer" || node.attributes.integer("bits", 8) > 16) return false;
  return joined(node) || graph.find_parameter(node.inputs[0]) == nullptr || !read_as_bias(graph, node);
}

}  // namespace

std::string ends_with(const Precision& own) {
  const auto width = [](int64_t bits) { return bits < 32 ? fmt::format("of {} bits", bits) : "in floating point"; };
  return fmt::format("training ends with weights {} and values {}", width(own.weights), width(own.values));
}

void check_epoch(const char* argument, int64_t epoch, int64_t last) {
  if (epoch <= last) return;
  throw request_error("'{}' has epoch {}, but the last epoch of its policy is {}", argument, epoch, last)
      .hint("epochs count from 0, from the beginning of training");
}

std::vector<AdjustableGrid> adjustable_grids(const Graph& graph) {
  std::vector<AdjustableGrid> grids;
  for (const Node& node : graph.nodes()) {
    if (!adjustable(graph, node)) continue;
    const auto& scale = scale_of(node);
    const auto same = std::ranges::find(grids, scale, &AdjustableGrid::scale);
    if (same != grids.end()) {
      same->nodes.push_back(node.name);
      continue;
    }
    grids.push_back({.scale = scale,
                     .nodes = {node.name},
                     .of_weight = joined(node) || graph.find_parameter(node.inputs[0]) != nullptr,
                     .bits = node.attributes.integer("bits", 8)});
  }
  return grids;
}

void set_bits(Graph& graph, const AdjustableGrid& grid, int64_t bits) {
  const at::NoGradGuard no_grad;
  const auto& first = graph.node(grid.nodes.front());
  auto spec = ops::method_spec(first);
  const auto zero_point = zero_point_of(first);
  const ops::Grid present{graph.parameter(grid.scale).value.detach(), graph.parameter(zero_point).value.detach()};
  const auto range = ops::grid_range(present, spec);
  spec.bits = static_cast<int>(bits);
  ops::write_grid(ops::make_grid(range.min, range.max, spec), graph.writable(grid.scale), graph.writable(zero_point));
  for (const auto& name : grid.nodes) graph.node(name).attributes.set("bits", bits);
  graph.touch();
}

void restart_weight_grid(Graph& graph, const AdjustableGrid& grid) {
  const at::NoGradGuard no_grad;
  const auto& node = graph.node(grid.nodes.front());
  if (joined(node)) return;  // training takes its grid from the weight at every step
  const auto& method = ops::grid_method(node);
  const auto spec = ops::method_spec(node);
  const auto range = ops::value_range(graph.parameter(node.inputs[0]).value.detach(), ops::grid_axes(node));
  ops::write_grid(ops::make_grid(range.min, range.max, spec), graph.writable(grid.scale),
                  graph.writable(zero_point_of(node)));
  if (method.start == nullptr) return;
  const auto values = method.start(range, spec);
  for (size_t i = 0; i < values.size(); ++i) {
    auto& own = graph.writable(node.inputs[3 + i]);
    own.copy_(values[i].reshape(own.sizes()));
  }
}

void BitFloor::note(const Graph& graph) {
  own_.clear();
  for (const auto& grid : adjustable_grids(graph)) own_[grid.scale] = grid.bits;
}

std::vector<std::string> BitFloor::set(Graph& graph, int64_t weights, int64_t values) {
  std::vector<std::string> changed;
  for (const auto& grid : adjustable_grids(graph)) {
    const auto own = own_.find(grid.scale);
    if (own == own_.end()) continue;
    const auto bits = std::max(own->second, grid.of_weight ? weights : values);
    if (bits == grid.bits) continue;
    set_bits(graph, grid, bits);
    changed.push_back(grid.scale);
  }
  return changed;
}

bool BitFloor::holds(const Graph& graph) const {
  return std::ranges::any_of(adjustable_grids(graph), [&](const AdjustableGrid& grid) {
    const auto own = own_.find(grid.scale);
    return own != own_.end() && grid.bits > own->second;
  });
}

nlohmann::json BitFloor::save() const {
  return own_;
}

void BitFloor::load(const nlohmann::json& values) {
  own_ = values.get<std::map<std::string, int64_t>>();
}

}  // namespace compress::quant
