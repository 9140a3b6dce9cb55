#include "quant/report/quantizer_report.h"

#include "ops/grid_format.h"
#include "quant/insertion/quantizer_node.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <map>

namespace compress::quant {

/// The grid of a quantiser whose scale is known beforehand.
struct FixedGrid {
  ops::GridSpec spec;
  ops::GridAxes axes;
  at::Tensor low, high, half_step;  ///< real numbers, one of each for each scale
};

namespace {

using Role = QuantizerReport::Role;

Role report_role(const Graph& graph, const Node& quantizer) {
  if (graph.find_parameter(quantizer.inputs[0]) == nullptr) return Role::activation;
  if (read_as_weight(graph, quantizer)) return Role::weight;
  return read_as_bias(graph, quantizer) ? Role::bias : Role::constant;
}

std::optional<FixedGrid> fixed_grid(const Graph& graph, const Node& quantizer) {
  FixedGrid grid{.spec = ops::grid_spec(quantizer), .axes = ops::grid_axes(quantizer)};
  if (!grid.spec.is_integer() || quantizer.attributes.text("method", "fixed") != "fixed") return std::nullopt;
  const auto scale = graph.parameter(quantizer.inputs[1]).value.to(at::kDouble);
  const auto zero_point = graph.parameter(quantizer.inputs[2]).value.to(at::kDouble);
  grid.low = (static_cast<double>(grid.spec.low()) - zero_point) * scale;
  grid.high = (static_cast<double>(grid.spec.high()) - zero_point) * scale;
  grid.half_step = scale / 2;
  return grid;
}

/// Finite numbers of a batch beyond what a grid holds.
int64_t clipped_by(const FixedGrid& grid, const at::Tensor& x) {
  const auto wide = x.to(at::kDouble);
  const auto low = ops::along_axes(grid.low - grid.half_step, grid.axes, wide);
  const auto high = ops::along_axes(grid.high + grid.half_step, grid.axes, wide);
  return wide.lt(low).logical_or_(wide.gt(high)).sum().item<int64_t>();
}

}  // namespace

double QuantizerReport::clipped_percent() const {
  return error.numbers() == 0 ? 0 : 100.0 * static_cast<double>(clipped) / static_cast<double>(error.numbers());
}

std::string QuantizerReport::grid() const {
  if (!spec.is_integer())
    return ops::word_of(spec.format) + (spec.format == ops::GridFormat::gfpq ? fmt::format(" {}", spec.bits) : "");
  return fmt::format("{}{} {}{}{}", spec.is_signed ? "int" : "uint", spec.bits,
                     spec.symmetric ? "symmetric" : "asymmetric", spec.narrow ? " narrow" : "",
                     spec.scale_rule == ops::ScaleRule::power_of_two ? " power_of_two" : "");
}

std::string_view role_word(Role role) {
  switch (role) {
  case Role::activation: return "activation";
  case Role::weight: return "weight";
  case Role::bias: return "bias";
  case Role::constant: break;
  }
  return "constant";
}

struct QuantizerWatch::Impl {
  explicit Impl(const Graph& graph) : graph(graph) {
    for (const auto& node : graph.nodes())
      if (node.op == "FakeQuantize") add_quantizer(node);
    exec::PlanOptions options{.optimize = false};
    for (const auto& [value, at] : rounded) options.observe.push_back(value);
    for (const auto& [value, at] : given)
      if (!rounded.contains(value)) options.observe.push_back(value);
    options.observer = [this](std::string_view name, const at::Tensor& value) { watch(std::string(name), value); };
    plan.emplace(graph, std::move(options));
  }

  void add_quantizer(const Node& node) {
    QuantizerReport report{.name = node.name,
                           .input = node.inputs[0],
                           .role = report_role(graph, node),
                           .spec = ops::grid_spec(node),
                           .method = node.attributes.text("method", "fixed"),
                           .scales = graph.parameter(node.inputs[1]).value.numel()};
    for (const auto* reader : graph.consumers(node.name)) report.readers.push_back(reader->name);
    grids.push_back(fixed_grid(graph, node));
    if (const auto& grid = grids.back())
      report.range = Extremes{grid->low.min().item<double>(), grid->high.max().item<double>()};
    reports.push_back(std::move(report));
    const auto index = reports.size() - 1;
    if (reports.back().role != Role::activation) return look_at_constant(index, node);
    given[node.inputs[0]].push_back(index);
    rounded.emplace(node.name, index);
  }

  void look_at_constant(size_t index, const Node& node) {
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> inputs;
    for (const auto& input : node.inputs) inputs.push_back(graph.parameter(input).value.detach());
    include(index, inputs[0], exec::run_node(node, inputs)[0]);
  }

  void include(size_t index, const at::Tensor& x, const at::Tensor& y) {
    auto& report = reports[index];
    if (x.numel() == 0) return;
    if (!report.seen) report.seen.emplace(report.input, StatisticsNeeds{.histogram = true});
    report.seen->watch(x.dim() == 0 ? x.reshape({1}) : x);
    report.error.add(x, y);
    if (grids[index]) report.clipped += clipped_by(*grids[index], x);
  }

  /// A quantiser is seen after what it rounds; a value may be both.
  void watch(const std::string& name, const at::Tensor& value) {
    if (const auto found = rounded.find(name); found != rounded.end())
      include(found->second, kept.at(reports[found->second].input), value);
    if (given.contains(name)) kept[name] = value;
  }

  const Graph& graph;
  std::vector<QuantizerReport> reports;
  std::vector<std::optional<FixedGrid>> grids;
  std::map<std::string, std::vector<size_t>> given;  ///< a value and its quantisers
  std::map<std::string, size_t> rounded;             ///< a quantiser's own value
  std::map<std::string, at::Tensor> kept;            ///< of one batch
  std::optional<exec::Plan> plan;
};

QuantizerWatch::QuantizerWatch(const Graph& graph) : impl_(std::make_unique<Impl>(graph)) {}
QuantizerWatch::~QuantizerWatch() = default;

void QuantizerWatch::add(std::span<const at::Tensor> inputs) {
  impl_->plan->run(inputs);
  impl_->kept.clear();
}

const std::vector<QuantizerReport>& QuantizerWatch::reports() const {
  return impl_->reports;
}

}  // namespace compress::quant
