#include "quant/training/training_quantizer.h"

#include "ops/grid_method.h"
#include "quant/post_training/calibrate.h"

#include <algorithm>

namespace compress::quant {

void TrainingBits::declare(Settings& settings) {
  declare_bits(settings, "bits_activations", activations, "bits of values between operators");
  declare_bits(settings, "bits_weights", weights, "bits of weights", least_weights);
  declare_bits(settings, "bits_bias", bias, "bits of biases");
}

void TrainingBits::check() const {
  check_bits("bits_activations", activations);
  check_bits("bits_weights", weights, least_weights);
  check_bits("bits_bias", bias);
}

TensorRule TrainingBits::bias_rule() const {
  return {.bits = bias, .grid = kBiasGrid, .method = "minmax"};
}

void TrainingQuantizer::declare(Settings& settings) {
  settings.optional("overrides", overrides_,
                    "map from a pattern of node names, or op:NAME, to {" + layer_arguments() +
                        "}; the first match wins");
  settings.optional("quantize_inputs", quantize_inputs_, "also puts the graph's inputs on a grid");
  settings.optional("num_bits_inputs", bits_inputs_, "bits of the graph's inputs; null: bits_activations", in(2, 32));
  settings.optional("quantize_outputs", quantize_outputs_, "also puts the graph's outputs on a grid");
  if (calibrates_)
    settings.optional("calibration_samples", samples_, "training samples that show where learned ranges begin",
                      at_least(1));
  schedule_.declare(settings);
  relaxation_.declare(settings);
}

void TrainingQuantizer::check() const {
  check_bits("num_bits_inputs", bits_inputs_);
  if (bits_inputs_ && !quantize_inputs_)
    throw request_error("'num_bits_inputs' is {}, but inputs are not quantised", *bits_inputs_)
        .hint("set 'quantize_inputs: true', or leave it out");
  if (relaxation_.given() && schedule_.given())
    throw request_error("'relaxation' and a bits schedule exclude each other")
        .hint("either the loss says when bits are lowered, or the epochs do");
  const auto own = own_bits(rules());
  schedule_.check(own);
  relaxation_.check(own);
}

void TrainingQuantizer::check_epochs(int64_t last) const {
  schedule_.check_epochs(last);
  relaxation_.check_epochs(last);
}

Precision TrainingQuantizer::own_bits(const LayerRules& rules) const {
  Precision own{32, 32};
  const auto note = [](int64_t& least, const std::optional<int64_t>& bits) {
    least = std::min(least, bits.value_or(32));
  };
  for (const auto* rule : rules.all()) {
    note(own.weights, rule->weights.bits);
    note(own.values, rule->activations.bits);
    if (rule->rectified) note(own.values, rule->rectified->bits);
  }
  if (quantize_inputs_ && own.values < 32) note(own.values, bits_inputs_);
  return own;
}

void TrainingQuantizer::bind(const Graph& graph, Problems& problems) {
  problems.capture([&] {
    const auto rules = this->rules();
    auto joined = graph.clone();
    if (folding_) join_conv_batch_normalization(joined, rules, *folding_);
    rules.check_names(graph, problems, absorbed_norms(graph, joined));
  });
  refuse_quantised(graph, problems);
}

InsertionOptions TrainingQuantizer::options(const LayerRules& rules) const {
  auto bits_inputs = bits_inputs_;
  if (const auto& rectified = rules.defaults().rectified; rectified && !bits_inputs) bits_inputs = rectified->bits;
  return {.rules = rules,
          .inputs = quantize_inputs_ ? InputGrids::own : InputGrids::none,
          .outputs = quantize_outputs_ ? OutputGrids::all : OutputGrids::none,
          .bits_inputs = bits_inputs};
}

/// The policy may begin many epochs later: what its grids contradict each other in is found on a copy, whose ranges of
/// values do not matter.
void TrainingQuantizer::rehearse(const Graph& graph) const {
  const auto rules = this->rules();
  const auto options = this->options(rules);
  auto network = graph.clone();
  if (folding_) join_conv_batch_normalization(network, rules, *folding_);
  const auto grids = find_grids(network, options);
  ValueRanges any;
  for (const auto& grid : grids) any[grid.values[0]] = {-1, 1};
  insert_quantizers(network, grids, options, any);
  const auto on_a_grid = [](const Node& node) {
    return node.op == "FakeQuantize" || node.op == "ConvBatchNormalization";
  };
  if (std::ranges::any_of(network.nodes(), on_a_grid)) return;
  throw request_error("nothing of '{}' is quantised: every layer stays in floating point", graph.name)
      .hint("give 'bits_weights' or 'bits_activations', here or in 'overrides'");
}

Changes TrainingQuantizer::prepare(Graph& graph, const Calibration& calibration) {
  const auto rules = this->rules();
  const auto options = this->options(rules);
  Changes changes;
  if (folding_) changes = join_conv_batch_normalization(graph, rules, *folding_);
  const auto grids = find_grids(graph, options);
  changes.append(insert_quantizers(graph, grids, options, first_ranges(graph, grids, calibration)));
  return changes;
}

ValueRanges TrainingQuantizer::first_ranges(const Graph& graph,
                                            std::vector<SharedGrid> grids,
                                            const Calibration& calibration) const {
  std::erase_if(grids, [](const SharedGrid& grid) { return !ops::grid_method(grid.rule.method).needs_range; });
  const auto wanted = statistics_wanted(grids);
  if (wanted.empty()) return choose_ranges({}, grids);
  return choose_ranges(observe_statistics(graph, wanted, calibration.batches, samples_), grids);
}

void TrainingQuantizer::on_training_begin(train::State& state) {
  relaxation_.on_training_begin(state);
}

void TrainingQuantizer::on_epoch_begin(train::State& state) {
  schedule_.on_epoch_begin(state);
  relaxation_.on_epoch_begin(state);
}

void TrainingQuantizer::on_minibatch_begin(train::State& state) {
  relaxation_.on_minibatch_begin(state);
}

void TrainingQuantizer::on_epoch_end(train::State& state) {
  relaxation_.on_epoch_end(state);
}

/// A resumed run may be past the policy's epochs; settling the grids comes later.
void TrainingQuantizer::on_training_end(train::State& state) {
  unmet_ = relaxation_.given() ? relaxation_.unmet(state.graph) : schedule_.unmet(state.graph);
}

train::Memory TrainingQuantizer::save() const {
  train::Memory memory;
  schedule_.save(memory);
  relaxation_.save(memory);
  return memory;
}

void TrainingQuantizer::load(const train::Memory& memory) {
  schedule_.load(memory);
  relaxation_.load(memory);
}

}  // namespace compress::quant
