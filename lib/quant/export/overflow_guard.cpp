#include "quant/export/overflow_guard.h"

#include "core/cpu.h"
#include "core/log.h"
#include "core/text.h"
#include "ops/op.h"
#include "ops/quantization_grid.h"
#include "quant/export/accumulators.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <set>

namespace compress::quant {

namespace {

constexpr size_t kLayersNamed = 5;

/// "conv1 (65,025), conv2 (64,770) and 17 others"
std::string name_layers(const std::vector<analysis::Accumulation>& layers) {
  std::vector<std::string> words;
  for (const auto& layer : layers) {
    if (words.size() == kLayersNamed) break;
    words.push_back(fmt::format("{} ({})", layer.layer, with_commas(layer.pair)));
  }
  const auto rest = layers.size() - words.size();
  return rest == 0 ? join_words(words) : fmt::format("{} and {} more", join(words, ", "), rest);
}

std::string what_is_done(OverflowGuard mode) {
  switch (mode) {
  case OverflowGuard::seven_bits: return "their weights go on a grid of 7 bits, whose sums fit";
  case OverflowGuard::unsigned_weights:
    return "their weights are stored as unsigned bytes, the same numbers, which kernels sum in 32 bits (seven_bits "
           "keeps the faster kernel)";
  case OverflowGuard::automatic:
  case OverflowGuard::off:
  case OverflowGuard::warn: break;
  }
  return "left as they are; seven_bits or unsigned_weights would prevent it";
}

std::string report_text(const std::vector<analysis::Accumulation>& layers, OverflowGuard mode) {
  if (layers.empty()) return {};
  const auto cpu = this_cpu();
  return fmt::format(
      "[overflow] x86 without VNNI adds pairs of byte products in 16 bits, and {} layer(s) can exceed its 32,767: {}; "
      "{} (this processor: {}, {} affected)",
      layers.size(), name_layers(layers), what_is_done(mode), cpu.str(), cpu.saturates_pairs() ? "is" : "is not");
}

OverflowGuard resolved(OverflowGuard mode, const Graph& graph) {
  if (mode != OverflowGuard::automatic) return mode;
  const auto runtime = graph.metadata.find(kRuntimeKey);
  return runtime == graph.metadata.end() || runtime->second == "onnxruntime" ? OverflowGuard::unsigned_weights
                                                                             : OverflowGuard::off;
}

/// Puts the weights of layers on other grids.
class Guard {
public:
  Guard(Graph& graph, const std::vector<analysis::Accumulation>& layers) : graph_(graph), layers_(layers) {}

  Changes run(OverflowGuard mode) {
    std::set<std::string> quantizers;
    for (const auto& layer : layers_)
      if (quantizers.insert(layer.weights).second) change(graph_.node(layer.weights), mode);
    graph_.touch();
    return std::move(changes_);
  }

private:
  void change(Node& quantizer, OverflowGuard mode) {
    if (const auto method = quantizer.attributes.text("method", "fixed"); method != "fixed")
      throw request_error("the weights' quantiser '{}' still follows the training (method '{}')", quantizer.name,
                          method)
          .hint("finish the training first, or use overflow_guard: warn");
    mode == OverflowGuard::seven_bits ? to_seven_bits(quantizer) : to_unsigned(quantizer);
    ++changes_.nodes_changed;
  }

  at::Tensor tensor(const Node& node, size_t input) const { return graph_.parameter(node.inputs[input]).value; }

  /// q + 128 and zero point + 128: every real number stays what it was, bit for bit.
  void to_unsigned(Node& quantizer) {
    auto spec = ops::grid_spec(quantizer);
    const auto shift = -ops::GridSpec{.bits = spec.bits}.low();
    spec.is_signed = spec.symmetric = false;
    ops::set_grid(quantizer.attributes, spec);
    graph_.assign(quantizer.inputs[2], tensor(quantizer, 2) + shift);
  }

  /// The same range with half the integers.
  void to_seven_bits(Node& quantizer) {
    auto spec = ops::grid_spec(quantizer);
    refuse_approximation(quantizer);
    const auto range = ops::grid_range({tensor(quantizer, 1), tensor(quantizer, 2)}, spec);
    spec.bits = 7;
    const auto grid = ops::make_grid(range.min, range.max, spec);
    ops::set_grid(quantizer.attributes, spec);
    graph_.assign(quantizer.inputs[1], grid.scale);
    graph_.assign(quantizer.inputs[2], grid.zero_point);
    for (const auto* layer : std::as_const(graph_).consumers(quantizer.name)) rescale_bias(*layer);
  }

  /// A bias that is on the grid of the sums already stays on it, bit for bit: integer operators need that.
  void rescale_bias(const Node& layer) {
    const auto* bias = integer_quantizer(graph_, layer, ops::op_of(layer).bias_input);
    const auto scale = sum_scale(graph_, layer);
    if (bias == nullptr || !scale.defined() || ops::grid_spec(*bias).bits != 32) return;
    graph_.assign(bias->inputs[1], scale.reshape(tensor(*bias, 1).sizes()));
  }

  /// What was rounded to the old scale cannot follow.
  void refuse_approximation(const Node& quantizer) const {
    for (const auto* layer : graph_.consumers(quantizer.name))
      for (const auto* reader : graph_.consumers(layer->output()))
        if (is_accumulator(*reader))
          throw request_error("'{}' has an accumulator of {} bits, which seven_bits would break", layer->name,
                              ops::grid_spec(*reader).bits)
              .hint("give the layer 'bits_weights: 7' instead, or use unsigned_weights");
    for (const auto* attribute : {"accumulator_bits", "multiplier_bits"})
      if (quantizer.attributes.integer(attribute, 32) != 32)
        throw request_error("'{}' has {} {}, which seven_bits would break", quantizer.name, attribute,
                            quantizer.attributes.integer(attribute, 32))
            .hint("give its layer 'bits_weights: 7' instead, or use unsigned_weights");
  }

  Graph& graph_;
  const std::vector<analysis::Accumulation>& layers_;
  Changes changes_;
};

}  // namespace

std::vector<std::pair<std::string, OverflowGuard>> overflow_guards() {
  return {{"auto", OverflowGuard::automatic},
          {"off", OverflowGuard::off},
          {"warn", OverflowGuard::warn},
          {"seven_bits", OverflowGuard::seven_bits},
          {"unsigned_weights", OverflowGuard::unsigned_weights}};
}

OverflowGuard overflow_guard(std::string_view word) {
  std::vector<std::string> words;
  for (const auto& [known, guard] : overflow_guards()) {
    if (known == word) return guard;
    words.push_back(known);
  }
  throw request_error("there is no overflow guard '{}'", word)
      .hint(did_you_mean(word, words))
      .hint(join_words(words, "or"));
}

GuardReport guard_overflow(Graph& graph, OverflowGuard mode) {
  GuardReport report{.mode = resolved(mode, graph)};
  if (report.mode == OverflowGuard::off) return report;
  for (auto& layer : analysis::accumulations(graph)) {
    const auto* quantizer = layer.weights.empty() ? nullptr : graph.find_node(layer.weights);
    if (layer.pair_overflows() && quantizer != nullptr && quantizer->op == "FakeQuantize")
      report.layers.push_back(std::move(layer));
  }
  report.text = report_text(report.layers, report.mode);
  if (report.mode != OverflowGuard::warn) report.changes = Guard(graph, report.layers).run(report.mode);
  return report;
}

Changes guard_overflow_aloud(Graph& graph, OverflowGuard mode) {
  auto report = guard_overflow(graph, mode);
  const bool left = report.mode == OverflowGuard::warn;
  if (!report.text.empty()) log::write(left ? log::Level::warning : log::Level::info, report.text);
  return std::move(report.changes);
}

}  // namespace compress::quant
