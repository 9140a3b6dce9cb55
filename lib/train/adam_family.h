#pragma once

#include "train/named_optimizer.h"

#include <ATen/ops/scalar_tensor.h>

#include <memory>

namespace compress::train {

/// Adam and what differs from it in the weight decay only. The arguments are LibTorch's classes, since a header does
/// not take in theirs.
template <class Torch, class Options, class State, class ParamGroup>
class AdamFamily : public NamedOptimizer {
public:
  void declare(Settings& s) final {
    declare_common(s, nullptr, decay_doc_);
    s.optional("betas", betas_, "decay of the running mean of gradients, and of their squares", half_open(0, 1));
    s.optional("eps", eps_, "added to the denominator", at_least(0));
    s.optional("amsgrad", amsgrad_,
               "divide by the largest mean square so far (https://openreview.net/forum?id=ryQu7f-RZ)");
  }

  void step() final { torch_->step(); }

protected:
  AdamFamily(const char* name, double weight_decay, const char* decay_doc)
      : NamedOptimizer(1e-3), name_(name), decay_doc_(decay_doc) {
    weight_decay_ = weight_decay;
  }

  void create(const std::vector<Group>& groups) final {
    if (betas_.size() != 2) throw request_error("{}: betas takes two numbers, not {}", name_, betas_.size());
    std::vector<ParamGroup> torch_groups;
    for (const auto& group : groups) torch_groups.emplace_back(group.tensors);
    torch_ = std::make_unique<Torch>(torch_groups, Options(lr_));
    // Set afterwards: the constructor takes a group's value that equals LibTorch's default for one that was not given.
    for (size_t i = 0; i < groups.size(); ++i)
      options(i).weight_decay(groups[i].weight_decay).betas({betas_[0], betas_[1]}).eps(eps_).amsgrad(amsgrad_);
  }

  void set_lr(size_t group, double lr) final { options(group).lr(lr); }
  double momentum_of(const Group&) const final { return betas_[0]; }
  void set_group_momentum(size_t group, double momentum) final { options(group).betas({momentum, betas_[1]}); }

  Slots slots(const at::Tensor& parameter) const final {
    const auto found = torch_->state().find(parameter.unsafeGetTensorImpl());
    if (found == torch_->state().end()) return {};
    const auto& state = static_cast<const State&>(*found->second);
    Slots slots{{"step", at::scalar_tensor(state.step(), at::kLong)},
                {"exp_avg", state.exp_avg()},
                {"exp_avg_sq", state.exp_avg_sq()}};
    if (state.max_exp_avg_sq().defined()) slots.emplace("max_exp_avg_sq", state.max_exp_avg_sq());
    return slots;
  }

  void set_slots(const at::Tensor& parameter, const Slots& slots) final {
    const auto tensor = [&](const char* name) {
      const auto found = slots.find(name);
      return found == slots.end() ? at::Tensor() : found->second;
    };
    auto state = std::make_unique<State>();
    state->step(tensor("step").template item<int64_t>());
    state->exp_avg(tensor("exp_avg"));
    state->exp_avg_sq(tensor("exp_avg_sq"));
    state->max_exp_avg_sq(tensor("max_exp_avg_sq"));
    torch_->state()[parameter.unsafeGetTensorImpl()] = std::move(state);
  }

private:
  Options& options(size_t group) { return static_cast<Options&>(torch_->param_groups()[group].options()); }

  const char* name_;
  const char* decay_doc_;
  std::vector<double> betas_ = {0.9, 0.999};
  double eps_ = 1e-8;
  bool amsgrad_ = false;
  std::unique_ptr<Torch> torch_;
};

}  // namespace compress::train
