#include "core/log.h"
#include "ops/op.h"
#include "quant/post_training/post_training.h"
#include "quant/rules/linear_arguments.h"

/// Distiller's PostTrainLinearQuantizer. Differences: calibration samples are training samples;
/// inputs of additions and concatenations are not rounded to the output's scale before they are added, since no runtime
/// does so, and what a Concat joins shares one grid; functional operators are quantised like layers.
namespace compress::quant {
namespace {

class PostTrainLinearQuantizer final : public Quantizer {
public:
  void declare(Settings& s) override {
    arguments_.declare_defaults(s);
    s.optional("overrides", overrides_,
               "map from a pattern of node names, or op:NAME, to arguments of the layer; the first match wins");
    post_training_.declare(s, "model_activation_stats", "null, and no statistics: quantisation is dynamic");
    s.optional("inputs_quant_auto_fallback", fall_back_,
               "an input that no layer puts on a grid goes on that of the layer's output; false: that is an error");
    s.optional("clip_search", clip_search_, "tries clip_acts layer by layer for the best result on training samples");
    s.ignored("save_fp_weights", "weights stay in floating point until the network is exported");
  }

  void check() const override {
    arguments().check();
    post_training_.check(clip_search_);
    if (dynamic() && clip_search_)
      throw request_error("'clip_search' has no ranges to choose: quantisation is dynamic")
          .hint("give 'model_activation_stats' or 'calibration_samples'");
    if (dynamic() && !post_training_.save_statistics.empty())
      throw request_error("'save_statistics' has nothing to write: quantisation is dynamic")
          .hint("give 'calibration_samples'");
    const auto rules = this->rules();
    if (!post_training_.statistics.empty()) check_rules_for_file(rules.defaults(), "clip_acts");
  }

  void bind(const Graph& graph, Problems& problems) override {
    problems.capture([&] { check_names(rules(), graph, problems); });
    refuse_quantised(graph, problems);
    post_training_.bind(problems);
  }

  void rehearse(const Graph& graph) const override {
    auto rules = this->rules();
    auto copy = graph.clone();
    if (dynamic()) leave_out_joining_layers(copy, rules);
    make_identities(copy, rules);
    quant::rehearse(copy, options(rules), post_training_.statistics);
  }

  bool post_training() const override { return true; }
  int64_t calibration_samples() const override { return dynamic() ? 0 : post_training_.calibration_samples(); }
  double calibration_fraction() const override { return post_training_.calibration_fraction(); }
  std::string unmet() const override { return unmet_; }
  train::Memory save() const override { return memory_of(unmet_); }
  void load(const train::Memory& memory) override { unmet_ = unmet_in(memory); }

  Changes prepare(Graph& graph, const Calibration& calibration) override {
    auto rules = this->rules();
    if (dynamic()) leave_out_joining_layers(graph, rules);
    auto changes = make_identities(graph, rules);
    auto how = post_training_.settings(calibration);
    how.net_aware_ranges = true;
    how.clip_search = clip_search_ ? "clip_acts" : "";
    auto result = quantize_trained(graph, options(rules), how, calibration);
    unmet_ = std::move(result.unmet);
    changes.append(std::move(result.changes));
    return changes;
  }

private:
  bool dynamic() const {
    return post_training_.statistics.empty() && !post_training_.samples && !post_training_.fraction;
  }

  InsertionOptions options(const LayerRules& rules) const {
    return {.rules = rules,
            .inputs = InputGrids::readers,
            .outputs = OutputGrids::every_layer,
            .inputs_fall_back = fall_back_};
  }

  LinearArguments arguments() const {
    auto arguments = arguments_;
    arguments.values.dynamic = dynamic();
    return arguments;
  }
  LayerRules rules() const { return layer_rules(overrides_, arguments()); }

  /// Layers that need the ranges of several values at once stay in floating point without statistics.
  static void leave_out_joining_layers(const Graph& graph, LayerRules& rules) {
    for (const std::string op : {"Add", "Mul", "Concat", "MatMul"}) {
      bool found = false;
      for (const auto& node : graph.nodes()) found = found || node.op == op;
      if (!found) continue;
      log::warning("[quantize] without statistics {} stays in floating point", op);
      rules.change({"op:" + op}, "dynamic quantisation", [](LayerRule& rule) {
        keep_floating(rule);
        rule.fpq_module = 32;
      });
    }
  }

  static Changes make_identities(Graph& graph, const LayerRules& rules) {
    std::vector<const Node*> nodes;
    for (const auto& node : graph.nodes())
      if (rules.find(node).make_identity) nodes.push_back(&node);
    Changes changes;
    if (nodes.empty()) return changes;
    const auto infos = ops::infer(graph);
    for (const auto* node : nodes) {
      const auto input = node->inputs[0];
      if (node->outputs != 1 || !(infos.at(input) == infos.at(node->name)))
        throw request_error("'make_identity' of {}: its output has not the shape of its input", ops::describe(*node));
      graph.replace_uses(node->name, input);
      graph.erase(node->name);
      ++changes.nodes_changed;
    }
    changes.removed = graph.erase_unused_parameters();
    return changes;
  }

  LinearArguments arguments_;
  Yaml overrides_;
  PostTrainingArguments post_training_;
  bool fall_back_ = true, clip_search_ = false;
  std::string unmet_;
};

}  // namespace

extern const Entry<Quantizer> post_train_linear{
    .name = "PostTrainLinearQuantizer",
    .doc = "quantises a trained network, statically or dynamically, with Distiller's clip modes and overrides",
    .make = make_component<Quantizer, PostTrainLinearQuantizer>};

}  // namespace compress::quant
