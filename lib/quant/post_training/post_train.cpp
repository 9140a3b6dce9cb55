#include "core/log.h"
#include "quant/export/overflow_guard.h"
#include "quant/post_training/post_training.h"
#include "quant/rules/layer_arguments.h"

/// Quantises a trained network without training it: every grid, observer and search that there is, with the defaults of
/// the runtime that the network is for.
namespace compress::quant {
namespace {

class PostTrainQuantizer final : public Quantizer {
public:
  void declare(Settings& s) override {
    s.optional("runtime", runtime_name_,
               "preset of grids and operators (compress list runtimes); null: all operators that have a rule");
    arguments_.declare_defaults(s);
    s.optional("overrides", overrides_,
               "map from a pattern of node names, or op:NAME, to arguments of the layer; the first match wins");
    s.optional("no_quant_layers", no_quant_, "patterns of layers that stay in floating point");
    s.optional("no_clip_layers", no_clip_, "patterns of layers whose values keep all of their range");
    s.optional("quantize_inputs", quantize_inputs_, "also puts the graph's inputs on a grid");
    s.optional("quantize_outputs", quantize_outputs_, "also puts the graph's outputs on a grid");
    s.optional("bits_inputs", bits_inputs_, "bits of the graph's inputs; null: bits_activations", in(2, 32));
    s.optional("dynamic", arguments_.values.dynamic, "each batch's own extremes are its range; nothing is calibrated");
    post_training_.declare(s, "statistics", "null: 512");
    s.optional("net_aware_ranges", net_aware_, "cuts ranges to what the next activation function can tell apart");
    s.optional("clip_search", clip_search_, "tries clip modes layer by layer for the best result on training samples");
    s.optional("bias_correction", bias_correction_, "takes the mean error of each channel off the bias");
    s.choice("overflow_guard", guard_, overflow_guards(), kOverflowGuardDoc);
  }

  void check() const override {
    auto arguments = arguments_;
    const auto runtime = this->runtime();
    arguments.values.runtime = runtime.get();
    arguments.check();
    check_bits("bits_inputs", bits_inputs_);
    if (bits_inputs_ && !quantize_inputs_)
      throw request_error("'bits_inputs' is {}, but 'quantize_inputs' is false", *bits_inputs_)
          .hint("leave one of the two out");
    post_training_.check(clip_search_ || bias_correction_);
    if (arguments_.values.dynamic) check_dynamic();
    const auto rules = this->rules(runtime.get());
    if (!post_training_.statistics.empty())
      check_rules_for_file(rules.defaults(), arguments_.values.observer.class_name());
  }

  void bind(const Graph& graph, Problems& problems) override {
    const auto runtime = this->runtime();
    problems.capture([&] { check_names(rules(runtime.get()), graph, problems); });
    refuse_quantised(graph, problems);
    post_training_.bind(problems);
  }

  void rehearse(const Graph& graph) const override {
    const auto runtime = this->runtime();
    const auto rules = this->rules(runtime.get());
    quant::rehearse(graph, options(rules, runtime.get()), post_training_.statistics);
  }

  bool post_training() const override { return true; }
  int64_t calibration_samples() const override {
    return arguments_.values.dynamic && !bias_correction_ ? 0 : post_training_.calibration_samples();
  }
  double calibration_fraction() const override { return post_training_.calibration_fraction(); }
  std::string unmet() const override { return unmet_; }
  train::Memory save() const override { return memory_of(unmet_); }
  void load(const train::Memory& memory) override { unmet_ = unmet_in(memory); }

  Changes prepare(Graph& graph, const Calibration& calibration) override {
    const auto runtime = this->runtime();
    const auto rules = this->rules(runtime.get());
    auto how = post_training_.settings(calibration);
    how.net_aware_ranges = net_aware_;
    how.clip_search = clip_search_ ? "observer" : "";
    how.bias_correction = bias_correction_;
    how.guard = guard_;
    auto result = quantize_trained(graph, options(rules, runtime.get()), how, calibration);
    if (runtime) warn_of_floating_operators(graph, *runtime, *runtime_name_);
    if (runtime_name_) graph.metadata[kRuntimeKey] = *runtime_name_;
    unmet_ = std::move(result.unmet);
    return std::move(result.changes);
  }

private:
  /// What has no effect on ranges that each batch has for itself.
  void check_dynamic() const {
    const std::pair<bool, const char*> idle[] = {
        {clip_search_, "clip_search"},
        {net_aware_, "net_aware_ranges"},
        {!no_clip_.empty(), "no_clip_layers"},
        {!post_training_.statistics.empty(), "statistics"},
        {!post_training_.save_statistics.empty(), "save_statistics"},
        {post_training_.samples && !bias_correction_, "calibration_samples"},
        {post_training_.fraction && !bias_correction_, "calibration_fraction"}};
    for (const auto& [given, argument] : idle)
      if (given)
        throw request_error("'dynamic' has no ranges to calibrate: '{}' does not go with it", argument)
            .hint("leave one of the two out");
  }

  std::unique_ptr<Runtime> runtime() const { return runtime_name_ ? runtimes().make(*runtime_name_) : nullptr; }

  LayerRules rules(const Runtime* runtime) const {
    auto arguments = arguments_;
    arguments.values.runtime = runtime;
    auto rules = layer_rules(overrides_, arguments);
    rules.change(no_quant_, "no_quant_layers", keep_floating);
    rules.change(no_clip_, "no_clip_layers", keep_range);
    return rules;
  }

  InsertionOptions options(const LayerRules& rules, const Runtime* runtime) const {
    return {.rules = rules,
            .inputs = quantize_inputs_ ? InputGrids::own : InputGrids::none,
            .outputs = quantize_outputs_ ? OutputGrids::all : OutputGrids::none,
            .bits_inputs = bits_inputs_,
            .inputs_fall_back = true,
            .runtime = runtime};
  }

  LayerArguments arguments_;
  std::optional<std::string> runtime_name_ = "onnxruntime";
  Yaml overrides_;
  std::vector<std::string> no_quant_, no_clip_;
  bool quantize_inputs_ = true, quantize_outputs_ = false;
  std::optional<int64_t> bits_inputs_;
  PostTrainingArguments post_training_;
  bool net_aware_ = false, clip_search_ = false, bias_correction_ = false;
  OverflowGuard guard_ = OverflowGuard::automatic;
  std::string unmet_;
};

}  // namespace

extern const Entry<Quantizer> post_train{
    .name = "PostTrainQuantizer",
    .doc = "quantises a trained network for a runtime: any grid, observer, clip search, bias correction",
    .make = make_component<Quantizer, PostTrainQuantizer>};

}  // namespace compress::quant
