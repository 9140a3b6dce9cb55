// RigL: the number of weights stays, but which ones they are changes: the smallest make room for those whose gradients
// are largest (Evci, Gale, Menick, Castro, Elsen 2020, https://arxiv.org/abs/1911.11134).
#include "core/random.h"
#include "prune/cut.h"
#include "prune/pruner.h"
#include "prune/sparse_distribution.h"
#include "prune/weight_list.h"
#include "train/follow_changes.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>
#include <numbers>

namespace compress::prune {

namespace {

class RiglPruner final : public Pruner {
public:
  void declare(Settings& settings) override {
    weights_.declare(settings);
    settings.required("level", level_, "share of the weights that are zero at each moment", half_open(0, 1));
    settings.choice("distribution", distribution_,
                    {{"erk", SparseDistribution::erk}, {"uniform", SparseDistribution::uniform}},
                    "erk: small layers keep more (Erdos-Renyi-Kernel); uniform: the same level everywhere");
    settings.choice("start", start_, {{"random", Start::random}, {"magnitude", Start::magnitude}},
                    "which weights stay at first: any (training from scratch), or the largest");
    settings.optional("fraction", fraction_, "share of the weights that is exchanged at the first update", in(0, 1));
    settings.optional("stop", stop_, "share of the policy's epochs after which the weights stay the same ones",
                      in(0, 1));
  }
  void bind(const Graph& graph, Problems& problems) override { weights_.bind(graph, problems); }
  const std::vector<std::string>& parameters() const override { return weights_.names(); }

  // The gradient of a masked weight is that of the loss by the weight at zero: what growing goes by.
  void observe(const Graph& graph) override {
    const at::NoGradGuard no_grad;
    for (const auto& name : parameters()) {
      const auto& gradient = graph.parameter(name).value.grad();
      if (gradient.defined()) gradients_[name] = gradient.detach().abs().nan_to_num_(0, 0, 0);
    }
  }

  void set_masks(Graph& graph, const Moment& moment) override {
    if (!began_) return begin(graph, moment);
    const double progress = static_cast<double>(moment.index) / static_cast<double>(moment.count);
    if (progress >= stop_) return;
    const double share = fraction_ / 2 * (1 + std::cos(std::numbers::pi * progress / stop_));
    for (const auto& name : parameters())
      if (const auto gradient = gradients_.find(name); gradient != gradients_.end())
        exchange(graph, name, gradient->second, share);
  }

  void apply(const Changes& changes) override {
    weights_.apply(changes);
    train::follow_changes(gradients_, changes);
    train::follow_changes(usable_, changes);
  }
  train::Memory save() const override;
  void load(const train::Memory& memory) override;

private:
  enum class Start { random, magnitude };

  void begin(Graph& graph, const Moment& moment);
  void exchange(Graph& graph, const std::string& name, const at::Tensor& gradient, double share) const;
  at::Tensor first_strengths(const Parameter& parameter, const Moment& moment) const;

  /// In the order of the indices, whatever the memory format.
  static at::Tensor flat(const at::Tensor& tensor) { return tensor.contiguous().flatten(); }

  WeightList weights_;
  double level_ = 0, fraction_ = 0.3, stop_ = 0.75;
  SparseDistribution distribution_ = SparseDistribution::erk;
  Start start_ = Start::random;
  bool began_ = false;
  std::map<std::string, at::Tensor> gradients_;  ///< magnitudes, of the last mini-batch
  std::map<std::string, at::Tensor> usable_;     ///< masks from before: what is 0 there never grows
};

at::Tensor RiglPruner::first_strengths(const Parameter& parameter, const Moment& moment) const {
  if (start_ == Start::magnitude) return flat(parameter.value.detach().abs()).to(at::kFloat);
  Random random(moment.seed, "rigl " + parameter.name);
  auto numbers = at::empty({parameter.value.numel()}, at::kFloat);
  for (auto& number : std::span(numbers.mutable_data_ptr<float>(), static_cast<size_t>(numbers.numel())))
    number = static_cast<float>(random.uniform());
  return numbers.to(parameter.value.device());
}

void RiglPruner::begin(Graph& graph, const Moment& moment) {
  began_ = true;
  std::vector<Shape> shapes;
  for (const auto& name : parameters()) shapes.push_back(graph.parameter(name).value.sizes().vec());
  const auto kept = distribute(shapes, level_, distribution_);
  for (size_t i = 0; i < shapes.size(); ++i) {
    const auto& name = parameters()[i];
    const auto& parameter = graph.parameter(name);
    auto strengths = first_strengths(parameter, moment);
    auto count = kept[i];
    if (parameter.mask.defined()) {
      usable_[name] = parameter.mask;
      const auto usable = flat(parameter.mask).ne(0);
      strengths = strengths.masked_fill(usable.logical_not(), -1);
      count = std::min(count, usable.sum().item<int64_t>());
    }
    set_mask(graph, name, cut_weakest(strengths, strengths.numel() - count).view(parameter.value.sizes()));
  }
}

void RiglPruner::exchange(Graph& graph, const std::string& name, const at::Tensor& gradient, double share) const {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto& parameter = graph.parameter(name);
  if (!parameter.mask.defined()) return;
  const auto mask = flat(parameter.mask).ne(0);
  const auto count = static_cast<int64_t>(std::lround(share * mask.sum().item<double>()));
  const auto magnitudes = flat(parameter.value.detach().abs()).masked_fill(mask.logical_not(), kInfinity);
  const auto stay = cut_weakest(magnitudes, count).ne(0).logical_and_(mask);
  auto taken = stay;
  if (const auto usable = usable_.find(name); usable != usable_.end())
    taken = stay.logical_or(flat(usable->second).to(stay.device()).eq(0));
  const auto growth = flat(gradient).to(stay.device()).masked_fill(taken, -1);
  const auto grown = cut_weakest(growth, growth.numel() - count).ne(0);
  set_mask(graph, name, stay.logical_or(grown).to(parameter.value.scalar_type()).view(parameter.value.sizes()));
}

train::Memory RiglPruner::save() const {
  train::Memory memory{.values = {{"parameters", weights_.save()}, {"began", began_}}, .tensors = {}};
  for (const auto& [name, tensor] : gradients_) memory.tensors["gradient/" + name] = tensor;
  for (const auto& [name, tensor] : usable_) memory.tensors["usable/" + name] = tensor;
  return memory;
}

void RiglPruner::load(const train::Memory& memory) {
  constexpr std::string_view kGradient = "gradient/", kUsable = "usable/";
  weights_.load(memory.values.at("parameters"));
  memory.values.at("began").get_to(began_);
  gradients_.clear();
  usable_.clear();
  for (const auto& [name, tensor] : memory.tensors)
    if (name.starts_with(kGradient))
      gradients_[name.substr(kGradient.size())] = tensor.clone();
    else
      usable_[name.substr(kUsable.size())] = tensor.clone();
}

}  // namespace

extern const Entry<Pruner> rigl_pruner;
const Entry<Pruner> rigl_pruner{
    "RigLPruner", "sparse from the start: the smallest weights make room for those with the largest gradients (RigL)",
    make_component<Pruner, RiglPruner>};

}  // namespace compress::prune
