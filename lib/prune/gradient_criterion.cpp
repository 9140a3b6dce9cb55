#include "prune/gradient_criterion.h"

#include "graph/select.h"
#include "train/follow_changes.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <nlohmann/json.hpp>

namespace compress::prune {

void GradientCriterion::bind(const Graph& graph,
                             const std::vector<std::string>& parameters,
                             const analysis::Granularity&,
                             Problems& problems) {
  names_ = parameters;
  for (const auto& name : names_)
    if (!graph.parameter(name).trainable)
      problems.add(request_error("'{}' takes no gradients, so that nothing tells how strong its weights are", name)
                       .hint("a criterion such as l1 needs none"));
}

void GradientCriterion::observe(const Graph& graph) {
  const at::NoGradGuard no_grad;
  bool any = false;
  for (const auto& name : names_) {
    const auto& value = graph.parameter(name).value;
    if (!value.grad().defined()) continue;
    learn(name, value.detach(), value.grad().detach().nan_to_num(0, 0, 0));
    any = true;
  }
  if (any) ++observed_;
}

at::Tensor GradientCriterion::kept(const Candidate& candidate) const {
  const auto found = kept_.find(candidate.parameter);
  if (found == kept_.end())
    throw run_error("no gradient of '{}' was seen, so that its weights cannot be ranked", candidate.parameter)
        .hint("a frozen weight (training.freeze) has none; leave it out of 'weights'");
  return found->second.to(candidate.graph.parameter(candidate.parameter).value.device());
}

void GradientCriterion::apply(const Changes& changes) {
  follow(names_, changes);
  train::follow_changes(kept_, changes);
}

train::Memory GradientCriterion::save() const {
  return {.values = {{"parameters", names_}, {"observed", observed_}}, .tensors = kept_};
}

void GradientCriterion::load(const train::Memory& memory) {
  memory.values.at("parameters").get_to(names_);
  memory.values.at("observed").get_to(observed_);
  kept_.clear();
  for (const auto& [name, tensor] : memory.tensors) kept_[name] = tensor.clone();
}

at::Tensor behind_all_others(const at::Tensor& strengths, const Candidate& candidate) {
  const auto& weight = candidate.graph.parameter(candidate.parameter).value;
  const auto gone = candidate.granularity.gather(weight.detach()).eq(0).all(1);
  if (strengths.numel() == 0) return strengths;
  // So little below the others that the mean of a list, by which a global amount may scale it, hardly notices.
  const auto lowest = strengths.min() - strengths.abs().mean() * 1e-3;
  return strengths.where(gone.logical_not(), lowest);
}

}  // namespace compress::prune
