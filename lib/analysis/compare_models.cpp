#include "analysis/compare_models.h"

#include "analysis/layer_values.h"
#include "core/text.h"
#include "exec/plan.h"
#include "ops/op.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <set>

namespace compress::analysis {

/// Two outputs that are compared; fields of Impl may not be of a file's own types where files are pasted together.
struct OutputPair {
  std::string reference, other;  ///< values
  size_t reference_place, other_place;
};

namespace {

constexpr int64_t kBytesKept = 64 << 20;
constexpr int64_t kLargestBatch = 64;

int64_t elements_of(const Shape& shape) {
  int64_t count = 1;
  for (const auto size : shape) count *= std::max<int64_t>(size, 1);
  return count;
}

/// kBatch goes with everything.
bool same_shape(const Shape& a, const Shape& b) {
  return std::ranges::equal(a, b, [](int64_t x, int64_t y) { return x == y || x == kBatch || y == kBatch; });
}

std::string input_text(const GraphInput& input) {
  std::vector<std::string> sizes;
  for (const auto size : input.shape) sizes.push_back(size == kBatch ? "N" : std::to_string(size));
  return fmt::format("{} {} ({})", input.name, join(sizes, "x"), c10::toString(input.type));
}

/// For each of `names` the place of the same name in `others`, when all are there; else its own place.
std::vector<size_t> places(const std::vector<std::string>& names, const std::vector<std::string>& others) {
  std::vector<size_t> by_name, by_place;
  for (size_t i = 0; i < names.size(); ++i) {
    by_place.push_back(i);
    if (const auto found = std::ranges::find(others, names[i]); found != others.end())
      by_name.push_back(static_cast<size_t>(found - others.begin()));
  }
  return by_name.size() == names.size() ? by_name : by_place;
}

template <class Entries>
std::vector<std::string> names_of(const Entries& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) names.push_back(entry.name);
  return names;
}

template <class Entries>
void require_same_count(const char* what, const Entries& reference, const Entries& other) {
  if (reference.size() != other.size())
    throw request_error("the models have {} and {} {}, so they cannot be compared", reference.size(), other.size(),
                        what)
        .hint(fmt::format("{} of the first: {}; of the second: {}", what, join(names_of(reference), ", "),
                          join(names_of(other), ", ")));
}

/// For each input of the reference the place of it in the other model.
std::vector<size_t> match_graph_inputs(const Graph& reference, const Graph& other) {
  require_same_count("inputs", reference.inputs, other.inputs);
  const auto matched = places(names_of(reference.inputs), names_of(other.inputs));
  for (size_t i = 0; i < matched.size(); ++i) {
    const auto &mine = reference.inputs[i], &its = other.inputs[matched[i]];
    if (mine.type != its.type || !same_shape(mine.shape, its.shape))
      throw request_error("the models' inputs differ: {} and {}", input_text(mine), input_text(its));
  }
  return matched;
}

std::vector<OutputPair> match_graph_outputs(const Graph& reference, const Graph& other) {
  require_same_count("outputs", reference.outputs, other.outputs);
  const auto mine = ops::infer(reference), its = ops::infer(other);
  const auto matched = places(names_of(reference.outputs), names_of(other.outputs));
  std::vector<OutputPair> pairs;
  for (size_t i = 0; i < matched.size(); ++i) {
    const auto &a = reference.outputs[i], &b = other.outputs[matched[i]];
    const auto &x = mine.at(a.value), &y = its.at(b.value);
    if (x.shape != y.shape)
      throw request_error("the models' outputs differ: '{}' is {} and '{}' is {} for one sample", a.name,
                          shape_text(x.shape), b.name, shape_text(y.shape));
    pairs.push_back({a.value, b.value, i, matched[i]});
  }
  return pairs;
}

/// The batch that an input insists on; 0: any.
int64_t fixed_batch(const Graph& graph) {
  for (const auto& input : graph.inputs)
    if (!input.shape.empty() && input.shape[0] != kBatch) return input.shape[0];
  return 0;
}

}  // namespace

const LayerDifference* ModelComparison::first_below(double sqnr) const {
  const auto found =
      std::ranges::find_if(layers, [&](const LayerDifference& layer) { return layer.difference.sqnr() < sqnr; });
  return found == layers.end() ? nullptr : &*found;
}

struct ModelComparer::Impl {
  Impl(const Graph& reference, const Graph& other)
      : inputs(match_graph_inputs(reference, other)), outputs(match_graph_outputs(reference, other)) {
    match_layers(layer_values(reference), layer_values(other));
    if (comparison.layers.empty())
      throw request_error("the models have no layer in common, by name and shape")
          .hint(fmt::format("layers of the first: {}; of the second: {}", some(comparison.only_reference),
                            some(comparison.only_other)))
          .hint("are they two forms of one network?");
    for (const auto& output : reference.outputs) comparison.outputs.push_back({.name = output.name});
    const auto infos = ops::infer(reference);
    for (size_t i = 0; i < outputs.size(); ++i) comparison.outputs[i].shape = infos.at(outputs[i].reference).shape;
    agreeing.resize(outputs.size());
    choose_batch(reference, other);
    compile(reference, other);
  }

  static std::string some(const std::vector<std::string>& names) {
    constexpr size_t kShown = 5;
    auto text = join(std::span(names).first(std::min(names.size(), kShown)), ", ");
    return names.size() > kShown ? text + ", ..." : text;
  }

  void match_layers(const std::vector<LayerValue>& mine, const std::vector<LayerValue>& its) {
    std::set<std::string> common;
    for (const auto& layer : mine) {
      const auto found = std::ranges::find(its, layer.layer, &LayerValue::layer);
      if (found == its.end()) {
        comparison.only_reference.push_back(layer.layer);
        continue;
      }
      common.insert(layer.layer);
      if (layer.shape != found->shape) {
        comparison.other_shape.push_back(layer.layer);
        continue;
      }
      // Integers of one model and numbers of the other are not alike: then both before their quantisers.
      const bool before = layer.as_integers || found->as_integers;
      const auto &value = before ? layer.layer : layer.value, &its_value = before ? found->layer : found->value;
      place[its_value].push_back(comparison.layers.size());
      comparison.layers.push_back(
          {.name = layer.layer, .op = layer.op, .reference = value, .other = its_value, .shape = layer.shape});
    }
    for (const auto& layer : its)
      if (!common.contains(layer.layer)) comparison.only_other.push_back(layer.layer);
  }

  void choose_batch(const Graph& reference, const Graph& other) {
    batch = std::max(fixed_batch(reference), fixed_batch(other));
    if (batch > 0) return;
    int64_t bytes = 1;
    for (const auto& layer : comparison.layers) bytes += 4 * elements_of(layer.shape);
    batch = std::clamp<int64_t>(kBytesKept / bytes, 1, kLargestBatch);
  }

  void compile(const Graph& reference, const Graph& other) {
    exec::PlanOptions mine{.optimize = false}, its{.optimize = false};
    std::set<std::string> names;
    for (const auto& layer : comparison.layers) names.insert(layer.reference);
    mine.observe.assign(names.begin(), names.end());
    mine.observer = [this](std::string_view name, const at::Tensor& value) { kept[std::string(name)] = value; };
    for (const auto& [name, layers] : place) its.observe.push_back(name);
    its.observer = [this](std::string_view name, const at::Tensor& value) { compare(std::string(name), value); };
    reference_plan.emplace(reference, std::move(mine));
    other_plan.emplace(other, std::move(its));
  }

  void compare(const std::string& name, const at::Tensor& value) {
    for (const auto index : place.at(name)) {
      auto& layer = comparison.layers[index];
      within("comparing layer '" + layer.name + "'", [&] { layer.difference.add(kept.at(layer.reference), value); });
    }
  }

  void compare_outputs(const exec::Tensors& mine, const exec::Tensors& its) {
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto &x = mine[outputs[i].reference_place], &y = its[outputs[i].other_place];
      comparison.outputs[i].difference.add(x, y);
      if (x.dim() == 2 && x.size(1) > 1 && at::isFloatingType(x.scalar_type()))
        agreeing[i] = agreeing[i].value_or(0) + x.argmax(1).eq(y.argmax(1)).sum().item<int64_t>();
    }
  }

  void add(std::span<const at::Tensor> given) {
    std::vector<at::Tensor> its(given.size());
    for (size_t i = 0; i < inputs.size(); ++i) its[inputs[i]] = given[i];
    const auto mine = reference_plan->run(given);
    compare_outputs(mine, other_plan->run(its));
    kept.clear();
    comparison.samples += given.empty() || given[0].dim() == 0 ? 1 : given[0].size(0);
  }

  std::vector<size_t> inputs;
  std::vector<OutputPair> outputs;
  ModelComparison comparison;
  std::vector<std::optional<int64_t>> agreeing;      ///< samples, of each output
  std::map<std::string, std::vector<size_t>> place;  ///< value of the other model -> layers
  std::map<std::string, at::Tensor> kept;            ///< the reference's values of one batch
  int64_t batch = 1;
  std::optional<exec::Plan> reference_plan, other_plan;
};

ModelComparer::ModelComparer(const Graph& reference, const Graph& other)
    : impl_(std::make_unique<Impl>(reference, other)) {}
ModelComparer::~ModelComparer() = default;

int64_t ModelComparer::batch_size() const {
  return impl_->batch;
}

void ModelComparer::add(std::span<const at::Tensor> inputs) {
  impl_->add(inputs);
}

ModelComparison ModelComparer::result() const {
  if (impl_->comparison.samples == 0) throw run_error("no sample was compared").hint("the data has no samples");
  auto result = impl_->comparison;
  for (size_t i = 0; i < result.outputs.size(); ++i)
    if (impl_->agreeing[i])
      result.outputs[i].top1_agreement =
          100.0 * static_cast<double>(*impl_->agreeing[i]) / static_cast<double>(result.samples);
  return result;
}

}  // namespace compress::analysis
