#include "core/random.h"
#include "core/text.h"
#include "core/yaml.h"
#include "graph/text_form.h"
#include "prune/composition.h"
#include "prune/make_part.h"
#include "prune/pruner.h"
#include "support/check_error.h"

#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

// What holds for every pruner, and for every combination of criterion, granularity and amount. The examples below must
// cover every entry of the registries.

using namespace compress;
using namespace compress::prune;

namespace {

/// Values as a part can be written; the key is its class.
using Examples = std::multimap<std::string, std::string>;

const Examples kCriteria{
    {"apoz", "apoz"},
    {"batch_norm_scale", "batch_norm_scale"},
    {"bernoulli", "bernoulli"},
    {"geometric_median", "geometric_median"},
    {"gradient", "gradient"},
    {"l1", "l1"},
    {"l1", "{class: l1, mean: true}"},
    {"l2", "l2"},
    {"lamp", "lamp"},
    {"lp", "{class: lp, p: 3}"},
    {"lp", "{class: lp, p: 0.5, mean: true}"},
    {"magnitude", "magnitude"},
    {"max", "max"},
    {"mean_activation", "mean_activation"},
    {"movement", "movement"},
    {"random", "random"},
    {"snip", "snip"},
    {"taylor", "taylor"},
};

const Examples kGranularities{
    {"block", "{class: block, shape: [2, 2]}"},
    {"channel", "channel"},
    {"column", "column"},
    {"element", "element"},
    {"filter", "filter"},
    {"kernel", "kernel"},
    {"layer", "layer"},
    {"n_of_m", "'2:4'"},
    {"n_of_m", "{class: n_of_m, n: 1, m: 4}"},
    {"row", "row"},
};

const Examples kAmounts{
    {"agp", "{class: agp, initial: 0, final: 0.6}"},
    {"baidu_rnn", "{class: baidu_rnn, q: 0.5, ramp_epoch_offset: 1, ramp_slope_mult: 1.5}"},
    {"global", "{class: global, of: sparsity, remove: 0.4}"},
    {"global", "{class: global, of: macs, remove: 0.3, normalize: mean}"},
    {"global", "{class: global, of: parameters, remove: 0.3, schedule: agp, initial: 0.1, normalize: norm}"},
    {"global", "{class: global, of: bytes, remove: 0.3, schedule: once, normalize: none}"},
    {"level", "0.5"},
    {"level", "{class: level, level: {'*': 0.4, 'fc.*': 0.2}}"},
    {"random_level", "{class: random_level, low: 0.2, high: 0.6}"},
    {"sensitivity", "{class: sensitivity, sensitivity: 0.5}"},
    {"splicing", "{class: splicing, sensitivity: 0.2, low_thresh_mult: 0.8, hi_thresh_mult: 1.1}"},
    {"threshold", "{class: threshold, threshold: 0.4}"},
};

struct PrunerExample {
  std::string name, arguments;
};

std::vector<PrunerExample> pruner_examples() {
  const std::string weights = "weights: ['conv*.weight']", filters = "group_type: Filters, " + weights;
  std::vector<PrunerExample> examples{
      {"AcDcPruner", "{level: 0.5, compressed: 1, decompressed: 1, warmup: 0, scope: all}"},
      {"AcDcPruner", "{level: 0.5, scope: each}"},
      {"AutomatedGradualPruner", "{initial_sparsity: 0.1, final_sparsity: 0.6, " + weights + "}"},
      {"BaiduRNNPruner", "{q: 0.3, ramp_epoch_offset: 1, ramp_slope_mult: 2, " + weights + "}"},
      {"FMReconstructionChannelPruner",
       "{desired_sparsity: 0.5, group_type: Channels, weights: [conv2.weight], magnitude_fn: l1}"},
      {"FMReconstructionChannelPruner",
       "{desired_sparsity: 0.5, group_type: Channels, weights: [conv2.weight], magnitude_fn: l2}"},
      {"LpRankedStructureParameterPruner", "{p: 4, desired_sparsity: 0.5, " + filters + "}"},
      {"MagnitudeParameterPruner", "thresholds: {'*': 0, conv1.weight: 0.3}"},
      {"Pruner", "{granularity: filter, amount: 0.5, importance: sum, min_channels: 2, multiple_of: 2, rounding: up}"},
      {"Pruner", "{granularity: filter, amount: 0.5, dependency: coupled, importance: max, rounding: down}"},
      {"Pruner", "{granularity: row, amount: 0.5, dependency: none, rounding: nearest, noise: 0.5}"},
      {"Pruner", "{granularity: filter, amount: 0.5, dependency: leader, weights: ['conv*'], importance: mean}"},
      {"Pruner", "{granularity: channel, amount: 0.5, dependency: auto}"},
      {"RandomLevelStructureParameterPruner", "{sparsity_range: [0.2, 0.7], " + filters + "}"},
      {"RigLPruner", "{level: 0.5, distribution: erk, start: random}"},
      {"RigLPruner", "{level: 0.5, distribution: uniform, start: magnitude}"},
      {"SensitivityPruner", "sensitivities: {'*': 0.7}"},
      {"SparsityLevelParameterPruner", "levels: {'*': 0, 'conv*': 0.5}"},
      {"SplicingPruner",
       "{sensitivities: {'conv*': 0.2}, low_thresh_mult: 0.8, hi_thresh_mult: 1.1, sensitivity_multiplier: 0.1}"},
      {"StructureParameterPruner",
       "{reg_regims: {conv1.weight: [0.7, 2D], conv2.weight: [0.7, 3D]}, threshold_criteria: Mean_Abs}"},
      {"StructureParameterPruner",
       "{reg_regims: {conv1.weight: [2, Filters], conv2.weight: [2, Channels], fc.weight: [1.5, Rows]}, "
       "threshold_criteria: Max}"},
      {"StructureParameterPruner",
       "{reg_regims: {fc.weight: [1.2, Cols], conv1.weight: [0.1, 4D]}, threshold_criteria: Max}"}};
  for (const std::string name : {"L1RankedStructureParameterPruner", "L2RankedStructureParameterPruner"}) {
    examples.push_back({name, "{desired_sparsity: 0.5, " + filters + ", noise: 0.5, group_dependency: None}"});
    examples.push_back(
        {name, "{desired_sparsity: 0.3, group_type: Channels, weights: [conv2.weight], rounding_fn: ceil}"});
    examples.push_back({name, "{desired_sparsity: 0.3, group_type: Rows, weights: [fc.weight], rounding_fn: floor}"});
    examples.push_back({name,
                        "{desired_sparsity: 0.3, group_type: Blocks, weights: [conv2.weight], rounding_fn: round, "
                        "kwargs: {block_shape: [2, 4, 1, 1]}}"});
    examples.push_back({name + "_AGP",
                        "{initial_sparsity: 0.1, final_sparsity: 0.6, group_type: 3D, "
                        "weights: [conv1.weight, conv2.weight], group_dependency: Leader, group_size: 2}"});
  }
  for (const std::string name :
       {"RandomRankedFilterPruner", "BernoulliFilterPruner", "ActivationAPoZRankedFilterPruner",
        "ActivationMeanRankedFilterPruner", "GradientRankedFilterPruner"}) {
    examples.push_back({name, "{desired_sparsity: 0.5, " + filters + "}"});
    examples.push_back({name + "_AGP", "{initial_sparsity: 0.1, final_sparsity: 0.6, " + filters + "}"});
  }
  return examples;
}

/// Two convolutions with batch-norm that any structure fits, and a linear layer.
Graph network() {
  Graph graph = parse_graph(R"(graph net(input: float[N,4,6,6]) -> (output = fc)
parameter conv1.weight: float[8,4,3,3]
parameter bn1.weight: float[8]
parameter bn1.bias: float[8]
parameter bn1.running_mean: float[8] fixed
parameter bn1.running_var: float[8] fixed
parameter conv2.weight: float[8,8,3,3]
parameter bn2.weight: float[8]
parameter bn2.bias: float[8]
parameter bn2.running_mean: float[8] fixed
parameter bn2.running_var: float[8] fixed
parameter fc.weight: float[4,8]
parameter fc.bias: float[4]
conv1 = Conv(input, %conv1.weight) kernel_shape=[3,3] pads=[1,1,1,1]
bn1 = BatchNormalization(conv1, %bn1.weight, %bn1.bias, %bn1.running_mean, %bn1.running_var)
relu1 = Relu(bn1)
conv2 = Conv(relu1, %conv2.weight) kernel_shape=[3,3] pads=[1,1,1,1]
bn2 = BatchNormalization(conv2, %bn2.weight, %bn2.bias, %bn2.running_mean, %bn2.running_var)
relu2 = Relu(bn2)
pool = GlobalAveragePool(relu2)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)");
  Random random(7, "contract");
  for (const Parameter& parameter : graph.parameters()) {
    std::vector<float> values(static_cast<size_t>(parameter.value.numel()));
    for (auto& value : values) value = static_cast<float>(random.normal());
    graph.assign(parameter.name, at::tensor(values).view(parameter.value.sizes()));
  }
  return graph;
}

std::unique_ptr<Pruner> read_pruner(const std::string& name, const std::string& arguments) {
  auto pruner = pruners().make(name);
  Settings settings;
  pruner->declare(settings);
  settings.read(parse_yaml(arguments, "recipe.yaml"), name);
  return pruner;
}

std::string printed(Pruner& pruner) {
  Settings settings;
  pruner.declare(settings);
  return to_text(settings.print());
}

constexpr int64_t kEpochs = 4;
Moment moment_of(int64_t epoch) {
  return {.index = epoch, .count = kEpochs, .epoch = epoch, .step = 10 * epoch, .seed = 3};
}

/// What a training epoch does to the weights, the same for everyone.
void learn(Graph& graph, int64_t epoch) {
  for (const Parameter& parameter : graph.parameters()) apply_mask(graph, parameter);
  for (const Parameter& parameter : graph.parameters()) {
    if (!parameter.trainable) continue;
    Random random(5, "train " + parameter.name, {static_cast<uint64_t>(epoch)});
    std::vector<float> steps(static_cast<size_t>(parameter.value.numel()));
    for (auto& step : steps) step = static_cast<float>(random.uniform(-0.2, 0.2));
    graph.writable(parameter.name).add_(at::tensor(steps).view(parameter.value.sizes()));
  }
}

bool same_masks(const Graph& a, const Graph& b) {
  return std::ranges::all_of(a.parameters(), [&](const Parameter& parameter) {
    const auto& other = b.parameter(parameter.name).mask;
    return parameter.mask.defined() == other.defined() && (!other.defined() || parameter.mask.equal(other));
  });
}

/// False when the network has no such structures, in which case the problem must say so.
bool binds(Pruner& pruner, const Graph& graph) {
  Problems problems;
  pruner.bind(graph, problems);
  for (const auto& error : problems.errors()) {
    INFO(error.render());
    REQUIRE_FALSE(error.message().empty());
  }
  return problems.empty();
}

/// Criteria that judge by activations need data, which a policy gives them.
bool needs_data(const std::string& text) {
  return std::ranges::any_of(std::vector<std::string>{"apoz", "mean_activation", "ActivationAPoZ", "ActivationMean"},
                             [&](const auto& word) { return text.find(word) != std::string::npos; });
}

/// The same seed gives the same masks, and a pruner that was saved and restored goes on with the same bits. Those that
/// judge by training data are left to the tests of their policy.
void require_repeatable(const std::string& name, const std::string& arguments) {
  INFO(name << ' ' << arguments);
  Graph graph = network(), again = network();
  const auto one = read_pruner(name, arguments);
  auto other = read_pruner(name, arguments);
  one->check(moment_of(0));
  if (!binds(*one, graph) || !one->ready() || needs_data(name + arguments)) return;
  binds(*other, again);
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    if (epoch == 2) {
      const auto memory = one->save();
      other = read_pruner(name, arguments);
      binds(*other, network());
      other->load({.values = nlohmann::json::parse(memory.values.dump()), .tensors = memory.tensors});
    }
    one->set_masks(graph, moment_of(epoch));
    other->set_masks(again, moment_of(epoch));
    REQUIRE(same_masks(graph, again));
    for (const auto& parameter : one->parameters()) {
      const auto& mask = graph.parameter(parameter).mask;
      if (!mask.defined()) continue;
      REQUIRE(mask.sizes() == graph.parameter(parameter).value.sizes());
      REQUIRE(mask.mul(mask).equal(mask));
    }
    learn(graph, epoch);
    learn(again, epoch);
  }
}

template <class T>
void require_all_entries(const Registry<T>& registry, const Examples& examples) {
  for (const auto* entry : registry.entries()) {
    INFO(registry.kind() << ' ' << entry->name << " needs an example");
    REQUIRE(examples.contains(std::string(entry->name)));
  }
}

}  // namespace

TEST_CASE("pruners: every entry of every registry has an example", "[prune]") {
  const auto examples = pruner_examples();
  for (const auto* entry : pruners().entries()) {
    INFO(entry->name);
    REQUIRE(std::ranges::any_of(examples, [&](const auto& example) { return example.name == entry->name; }));
  }
  require_all_entries(criteria(), kCriteria);
  require_all_entries(analysis::granularities(), kGranularities);
  require_all_entries(amounts(), kAmounts);
}

TEST_CASE("pruners: each combination of criterion, granularity and amount repeats itself and can be resumed",
          "[prune]") {
  for (const auto& [criterion, criterion_text] : kCriteria)
    for (const auto& [granularity, granularity_text] : kGranularities) {
      std::string arguments = "{criterion: " + criterion_text + ", granularity: " + granularity_text;
      if (granularity == "n_of_m") {
        require_repeatable("Pruner", arguments + "}");
        continue;
      }
      for (const auto& [amount, amount_text] : kAmounts) {
        const bool counts_cost = amount == "global" && !(amount_text.find("sparsity") != std::string::npos);
        if (counts_cost && (criterion != "magnitude" || granularity != "filter")) continue;
        require_repeatable("Pruner", arguments + ", amount: " + amount_text + "}");
      }
    }
}

TEST_CASE("pruners: every class repeats itself and can be resumed", "[prune]") {
  for (const auto& [name, arguments] : pruner_examples()) require_repeatable(name, arguments);
}

TEST_CASE("pruners: arguments survive being printed and read, and every choice has an example", "[prune]") {
  std::map<std::string, std::set<std::string>> seen;
  /// What all of Distiller's ranked pruners have in common is exercised with the L1 pruners.
  const std::set<std::string> kShared{"group_dependency", "group_type", "rounding_fn"};
  for (const auto& [name, arguments] : pruner_examples()) {
    INFO(name << ' ' << arguments);
    const auto pruner = read_pruner(name, arguments);
    const auto text = printed(*pruner);
    REQUIRE(printed(*read_pruner(name, text)) == text);
    Settings settings;
    pruner->declare(settings);
    for (const auto& field : settings.fields()) seen[name + "." + field.name].insert(field.print().text);
  }
  for (const auto* entry : pruners().entries()) {
    const auto pruner = entry->make();
    Settings settings;
    pruner->declare(settings);
    for (const auto& field : settings.fields()) {
      if (!field.type.starts_with("one of ") || kShared.contains(field.name)) continue;
      for (const auto& word : split(field.type.substr(7), '|')) {
        const std::string choice(trim(word));
        INFO(entry->name << "." << field.name << ": " << choice);
        if (choice != "3D") REQUIRE(seen[std::string(entry->name) + "." + field.name].contains(choice));
      }
    }
  }
}

TEST_CASE("pruners: a level removes exactly floor(level * structures)", "[prune]") {
  for (const auto& [granularity, text] : kGranularities) {
    if (granularity == "n_of_m") continue;
    for (const double level : {0.0, 0.13, 0.5, 0.77}) {
      INFO(text << " at " << level);
      Graph graph = network();
      const auto pruner =
          read_pruner("Pruner", fmt::format("{{granularity: {}, amount: {}, dependency: none}}", text, level));
      if (!binds(*pruner, graph)) continue;
      pruner->set_masks(graph, {});
      const auto cut = make_part(analysis::granularities(), granularity,
                                 granularity == "block" ? parse_yaml("shape: [2, 2]", "block") : Yaml::map());
      for (const auto& name : pruner->parameters()) {
        const auto kept = cut->gather(graph.parameter(name).mask).amax(1);
        const auto gone = static_cast<int64_t>(level * static_cast<double>(kept.numel()));
        REQUIRE(kept.eq(0).sum().item<int64_t>() == (kept.numel() == 1 ? 0 : gone));
      }
    }
  }
}
