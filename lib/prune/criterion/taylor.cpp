#include "analysis/channel_role.h"
#include "graph/select.h"
#include "prune/gradient_criterion.h"

#include <ATen/ops/tensor.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace compress::prune {

namespace {

/// How much the loss would change without a structure, to first order, mini-batch by mini-batch.
class Taylor final : public GradientCriterion {
public:
  void declare(Settings& settings) override {
    settings.choice("order", order_, {{"squared", Order::squared}, {"absolute", Order::absolute}},
                    "what is summed over mini-batches: the square of a structure's sum of weight * gradient (Molchanov "
                    "2019), or its magnitude (2016)");
    settings.optional("steps", steps_, "mini-batches to observe before the first masks", at_least(1));
    settings.optional("decay", decay_, "factor on what was observed before, at each mini-batch", in(0, 1));
  }

  void bind(const Graph& graph,
            const std::vector<std::string>& parameters,
            const analysis::Granularity& granularity,
            Problems& problems) override {
    GradientCriterion::bind(graph, parameters, granularity, problems);
    by_axis_ = granularity.axis() >= 0;
    axes_.clear();
    if (!by_axis_) return;
    for (const auto& name : parameters)
      axes_[name] = {granularity.axis(), analysis::weight_axis(graph, name, true),
                     analysis::weight_axis(graph, name, false)};
  }

  at::Tensor strengths(const Candidate& candidate) const override {
    const auto& value = candidate.graph.parameter(candidate.parameter).value;
    if (!by_axis_) return behind_all_others(candidate.granularity.gather(kept(candidate)).sum(1), candidate);
    const auto sums = sums_.find(key(candidate.parameter, candidate.granularity.axis()));
    if (sums == sums_.end()) return kept(candidate);  // tells that nothing was observed
    return behind_all_others(sums->second.to(value.device()), candidate);
  }

  void apply(const Changes& changes) override;
  train::Memory save() const override;
  void load(const train::Memory& memory) override;

private:
  enum class Order { squared, absolute };

  static std::string key(const std::string& name, int axis) { return fmt::format("{}|{}", axis, name); }
  at::Tensor change(const at::Tensor& product) const {
    return order_ == Order::squared ? product.square() : product.abs();
  }
  void add(at::Tensor& sum, const at::Tensor& product) const {
    sum = sum.defined() ? sum.to(product.device()).mul_(decay_).add_(change(product)) : change(product);
  }

  void learn(const std::string& name, const at::Tensor& weight, const at::Tensor& gradient) override {
    const auto product = weight.mul(gradient);
    if (!by_axis_) return add(kept(name), product);
    for (const int axis : axes_.at(name))
      if (axis < product.dim()) add(sums_[key(name, axis)], product.transpose(0, axis).flatten(1).sum(1));
  }
  int64_t needed() const override { return steps_; }

  Order order_ = Order::squared;
  int64_t steps_ = 16;
  double decay_ = 0.99;
  bool by_axis_ = false;                       ///< a structure is an index of an axis: its sum is known at once
  std::map<std::string, std::set<int>> axes_;  ///< of each weight, those that somebody may rank along
  std::map<std::string, at::Tensor> sums_;     ///< by axis and weight, one number per index
};

void Taylor::apply(const Changes& changes) {
  GradientCriterion::apply(changes);
  decltype(axes_) axes;
  decltype(sums_) sums;
  for (auto& [name, own] : axes_) {
    std::vector<std::string> now{name};
    follow(now, changes);
    for (const auto& called : now)
      for (const int axis : own) {
        axes[called].insert(axis);
        const auto sum = sums_.find(key(name, axis));
        if (sum == sums_.end()) continue;
        auto& kept = sums[key(called, axis)] = sum->second;
        for (const auto& slice : changes.sliced)
          if (slice.parameter == called && slice.axis == axis)
            kept = kept.index_select(0, at::tensor(slice.kept, at::kLong).to(kept.device()));
      }
  }
  axes_ = std::move(axes);
  sums_ = std::move(sums);
}

train::Memory Taylor::save() const {
  auto memory = GradientCriterion::save();
  for (const auto& [name, axes] : axes_) memory.values["axes"][name] = axes;
  for (const auto& [name, tensor] : sums_) memory.tensors["sum|" + name] = tensor;
  return memory;
}

void Taylor::load(const train::Memory& memory) {
  constexpr std::string_view kSum = "sum|";
  train::Memory own{.values = memory.values, .tensors = {}};
  axes_.clear();
  sums_.clear();
  if (memory.values.contains("axes")) memory.values.at("axes").get_to(axes_);
  for (const auto& [name, tensor] : memory.tensors)
    if (name.starts_with(kSum))
      sums_[name.substr(kSum.size())] = tensor.clone();
    else
      own.tensors[name] = tensor;
  GradientCriterion::load(own);
}

}  // namespace

extern const Entry<Criterion> taylor_criterion;
const Entry<Criterion> taylor_criterion{"taylor", "how much the loss changes without a structure, to first order",
                                        make_component<Criterion, Taylor>};

}  // namespace compress::prune
