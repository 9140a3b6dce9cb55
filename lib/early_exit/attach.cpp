#include "early_exit/attach.h"

#include "core/random.h"
#include "core/text.h"
#include "early_exit/exits.h"
#include "early_exit/path_cost.h"
#include "ops/op.h"
#include "ops/shape.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

namespace compress::early_exit {

namespace {

/// PyTorch's default for linear layers: uniform in +-1 / sqrt(inputs), weight and bias.
at::Tensor initial_values(const Shape& shape, int64_t inputs, uint64_t seed, const std::string& name) {
  auto value = at::empty(shape, at::kFloat);
  auto* data = value.data_ptr<float>();
  Random random(seed, "init/" + name);
  const double bound = 1 / std::sqrt(static_cast<double>(inputs));
  for (int64_t i = 0; i < value.numel(); ++i) data[i] = static_cast<float>(random.uniform(-bound, bound));
  return value;
}

Place place_of(const ExitConfig& config, std::string_view key) {
  const auto* value = config.entry.find(key);
  return value ? value->place : config.entry.place;
}

/// Builds one branch node by node.
class Branch {
public:
  Branch(Graph& graph, const ExitConfig& config, ops::ValueInfo features, uint64_t seed)
      : graph_(graph), config_(config), stem_(exit_stem(config.name)), value_(config.value),
        shape_(features.shape.begin() + 1, features.shape.end()), type_(features.type), seed_(seed) {}

  /// The name of the logits.
  std::string build(int64_t classes) {
    if (shape_.size() > 1) {
      pool();
      add("flatten", "Flatten", {});
      shape_ = {ops::elements(shape_)};
    }
    if (config_.hidden) {
      linear("hidden", *config_.hidden);
      add("relu", "Relu", {});
    }
    linear("fc", classes);
    return value_;
  }

private:
  void pool() {
    Attributes attributes;
    const auto window = config_.kernel.value_or(0);
    if (config_.kernel) {
      attributes.set("kernel_shape", std::vector<int64_t>(shape_.size() - 1, window));
      attributes.set("strides", std::vector<int64_t>(shape_.size() - 1, window));
    }
    for (size_t axis = 1; axis < shape_.size(); ++axis) shape_[axis] = config_.kernel ? shape_[axis] / window : 1;
    add("pool", config_.kernel ? "AveragePool" : "GlobalAveragePool", std::move(attributes));
  }

  void linear(const std::string& name, int64_t outputs) {
    const auto weight = parameter(name + ".weight", {outputs, shape_[0]});
    const auto bias = parameter(name + ".bias", {outputs});
    Attributes attributes;
    attributes.set("transB", int64_t{1});
    add(name, "Gemm", std::move(attributes), {weight, bias});
    shape_ = {outputs};
  }

  std::string parameter(const std::string& name, const Shape& shape) {
    auto full = stem_ + '.' + name;
    auto value = initial_values(shape, shape_[0], seed_, full).to(type_);
    graph_.add_parameter({.name = full, .value = std::move(value)});
    return full;
  }

  void add(const std::string& name, std::string op, Attributes attributes, std::vector<std::string> parameters = {}) {
    parameters.insert(parameters.begin(), value_);
    value_ = graph_
                 .add({.name = stem_ + '.' + name,
                       .op = std::move(op),
                       .inputs = std::move(parameters),
                       .attributes = std::move(attributes)})
                 .name;
  }

  Graph& graph_;
  const ExitConfig& config_;
  std::string stem_, value_;
  Shape shape_;  ///< of value_, without the batch
  at::ScalarType type_;
  uint64_t seed_;
};

/// Attaches exits to one graph, whose shapes it looks up once.
class Attacher {
public:
  Attacher(Graph& graph, const std::string& output, uint64_t seed)
      : graph_(graph), exits_(exits_of(graph)), infos_(ops::infer(graph, 2)), others_(ops::infer(graph, 3)),
        seed_(seed) {
    if (graph.outputs.empty()) throw request_error("'{}' has no output", graph.name);
    const auto wanted = !output.empty() ? output : exits_.empty() ? graph.outputs.front().name : exits_.final_output;
    const auto found = std::ranges::find(graph.outputs, wanted, &GraphOutput::name);
    if (found == graph.outputs.end()) throw request_error("'{}' has no output '{}'", graph.name, wanted);
    final_value_ = found->value;
    const auto& shape = infos_.at(final_value_).shape;
    if (shape.size() != 2)
      throw request_error("early exits need a network that says one number for each class, but output '{}' is {} for "
                          "each sample",
                          wanted, shape_text(std::span(shape).subspan(shape.empty() ? 0 : 1)));
    classes_ = shape[1];
    exits_.final_output = wanted;
  }

  void attach(const ExitConfig& config) {
    const auto same = std::ranges::find(exits_.branches, config.name, &Exit::name);
    if (same != exits_.branches.end()) return follow(config, *same);
    auto [output, value] = config.output.empty() ? branch(config) : own_branch(config);
    exits_.branches.push_back({.name = config.name,
                               .output = std::move(output),
                               .value = std::move(value),
                               .kernel = config.kernel,
                               .hidden = config.hidden,
                               .loss_weight = config.loss_weight,
                               .threshold = config.threshold});
  }

  void finish() {
    std::vector<double> weights;
    for (const auto& branch : exits_.branches) weights.push_back(branch.loss_weight);
    final_loss_weight(weights);
    order_by_cost(graph_, exits_);
    note_exits(graph_, exits_);
  }

private:
  struct Ends {
    std::string output, value;
  };

  Ends branch(const ExitConfig& config) {
    const auto& features = features_of(config);
    check_kernel(config, features.shape);
    const auto output = exit_stem(config.name);
    if (std::ranges::find(graph_.outputs, output, &GraphOutput::name) != graph_.outputs.end())
      throw request_error("'{}' has an output '{}' already", graph_.name, output).at(config.entry.place);
    try {
      graph_.outputs.push_back({output, Branch(graph_, config, features, seed_).build(classes_)});
    } catch (Error& error) {  // a name is taken
      throw error.at(config.entry.place);
    }
    return {output, config.value};
  }

  Ends own_branch(const ExitConfig& config) const {
    std::vector<std::string> names;
    for (const auto& output : graph_.outputs)
      if (output.name != exits_.final_output) names.push_back(output.name);
    if (std::ranges::find(names, config.output) == names.end())
      throw request_error("exit '{}': '{}' has no branch with output '{}'", config.name, graph_.name, config.output)
          .at(place_of(config, "output"))
          .hint(did_you_mean(config.output, names))
          .hint(names.empty() ? "its only output is its last; say 'value' to give it a branch"
                              : "its further outputs are " + join_words(names));
    const auto output = std::ranges::find(graph_.outputs, config.output, &GraphOutput::name);
    const auto& shape = infos_.at(output->value).shape;
    if (shape != infos_.at(final_value_).shape)
      throw request_error("exit '{}': output '{}' is {} for each sample, not one number for each of {} classes",
                          config.name, config.output, shape_text(std::span(shape).subspan(shape.empty() ? 0 : 1)),
                          classes_)
          .at(place_of(config, "output"));
    return {config.output, output->value};
  }

  static void follow(const ExitConfig& config, Exit& exit) {
    const bool moved = config.output.empty() ? config.value != exit.value : config.output != exit.output;
    if (moved || config.kernel != exit.kernel || config.hidden != exit.hidden)
      throw request_error("the model has an exit '{}' of another form, on value '{}'{}{}", exit.name, exit.value,
                          exit.kernel ? fmt::format(", kernel {}", *exit.kernel) : "",
                          exit.hidden ? fmt::format(", hidden {}", *exit.hidden) : "")
          .at(config.entry.place)
          .hint("say value, kernel and hidden as the model has them, or choose another name");
    exit.loss_weight = config.loss_weight;
    exit.threshold = config.threshold;
  }

  const ops::ValueInfo& features_of(const ExitConfig& config) const {
    const auto place = place_of(config, "value");
    if (!graph_.producer(config.value) || !infos_.find(config.value)) throw unknown_value(config).at(place);
    if (config.value == final_value_)
      throw request_error("exit '{}' begins with '{}', which is the network's own output", config.name, config.value)
          .at(place);
    const auto& info = infos_.at(config.value);
    const auto& shape = info.shape;
    const bool per_sample = !shape.empty() && shape[0] == 2 && others_.at(config.value).shape[0] == 3;
    if (!per_sample || shape.size() < 2 || !at::isFloatingType(info.type))
      throw request_error("exit '{}' cannot begin with value '{}': it is no features for each sample, but {}{}",
                          config.name, config.value, at::isFloatingType(info.type) ? "" : "integers of shape ",
                          shape_text(shape))
          .at(place)
          .hint("choose a value of the shape batch x channels, or batch x channels x height x width");
    return info;
  }

  Error unknown_value(const ExitConfig& config) const {
    std::vector<std::string> known;
    for (const Node& node : graph_.nodes())
      for (int k = 0; k < node.outputs; ++k) known.push_back(node.output(k));
    auto error = request_error("exit '{}' begins with value '{}', which no node of '{}' makes", config.name,
                               config.value, graph_.name);
    error.hint(did_you_mean(config.value, known));
    error.hint("'compress summary MODEL --what graph' lists the nodes; a value is named after its node");
    return error;
  }

  static void check_kernel(const ExitConfig& config, const Shape& shape) {
    if (!config.kernel) return;
    if (shape.size() < 3)
      throw request_error("exit '{}' has a 'kernel', but value '{}' is no map: it is {} for each sample", config.name,
                          config.value, shape_text(std::span(shape).subspan(1)))
          .at(place_of(config, "kernel"))
          .hint("leave 'kernel' out");
    if (*std::min_element(shape.begin() + 2, shape.end()) < *config.kernel)
      throw request_error("exit '{}' averages over windows of 'kernel' {}, but value '{}' is a map of {}", config.name,
                          *config.kernel, config.value, shape_text(std::span(shape).subspan(2)))
          .at(place_of(config, "kernel"));
  }

  Graph& graph_;
  Exits exits_;
  ops::Infos infos_, others_;  ///< of batches of 2 and 3: what differs is the batch
  uint64_t seed_;
  std::string final_value_;
  int64_t classes_ = 0;
};

}  // namespace

void attach(Graph& graph, const std::vector<ExitConfig>& configs, const std::string& output, uint64_t seed) {
  if (configs.empty()) return;
  Attacher attacher(graph, output, seed);
  Problems problems;
  for (const auto& config : configs) problems.capture([&] { attacher.attach(config); });
  problems.raise();
  attacher.finish();
}

}  // namespace compress::early_exit
