#include "train/named_optimizer.h"

#include <ATen/ops/scalar_tensor.h>
#include <torch/optim/adam.h>

namespace compress::train {

namespace {

/// LibTorch's Adam (Kingma and Ba, https://arxiv.org/abs/1412.6980), with weight decay added to the gradient.
class Adam final : public NamedOptimizer {
public:
  Adam() : NamedOptimizer(1e-3) {}

  void declare(Settings& s) override {
    declare_common(s, nullptr);
    s.optional("betas", betas_, "decay of the running mean of gradients, and of their squares", half_open(0, 1));
    s.optional("eps", eps_, "added to the denominator", at_least(0));
    s.optional("amsgrad", amsgrad_,
               "divide by the largest mean square so far (https://openreview.net/forum?id=ryQu7f-RZ)");
  }

  void step() override { torch_->step(); }

protected:
  void create(const std::vector<Group>& groups) override {
    if (betas_.size() != 2) throw request_error("Adam: betas takes two numbers, not {}", betas_.size());
    std::vector<torch::optim::OptimizerParamGroup> torch_groups;
    for (const auto& group : groups) torch_groups.emplace_back(group.tensors);
    torch_ = std::make_unique<torch::optim::Adam>(torch_groups, torch::optim::AdamOptions(lr_));
    // Set afterwards: the constructor takes a group's value that equals LibTorch's default for one that was not given.
    for (size_t i = 0; i < groups.size(); ++i)
      options(i).weight_decay(groups[i].weight_decay).betas({betas_[0], betas_[1]}).eps(eps_).amsgrad(amsgrad_);
  }

  void set_lr(size_t group, double lr) override { options(group).lr(lr); }

  Slots slots(const at::Tensor& parameter) const override {
    const auto found = torch_->state().find(parameter.unsafeGetTensorImpl());
    if (found == torch_->state().end()) return {};
    const auto& state = static_cast<const torch::optim::AdamParamState&>(*found->second);
    Slots slots{{"step", at::scalar_tensor(state.step(), at::kLong)},
                {"exp_avg", state.exp_avg()},
                {"exp_avg_sq", state.exp_avg_sq()}};
    if (state.max_exp_avg_sq().defined()) slots.emplace("max_exp_avg_sq", state.max_exp_avg_sq());
    return slots;
  }

  void set_slots(const at::Tensor& parameter, const Slots& slots) override {
    const auto tensor = [&](const char* name) {
      const auto found = slots.find(name);
      return found == slots.end() ? at::Tensor() : found->second;
    };
    auto state = std::make_unique<torch::optim::AdamParamState>();
    state->step(tensor("step").item<int64_t>());
    state->exp_avg(tensor("exp_avg"));
    state->exp_avg_sq(tensor("exp_avg_sq"));
    state->max_exp_avg_sq(tensor("max_exp_avg_sq"));
    torch_->state()[parameter.unsafeGetTensorImpl()] = std::move(state);
  }

private:
  torch::optim::AdamOptions& options(size_t group) {
    return static_cast<torch::optim::AdamOptions&>(torch_->param_groups()[group].options());
  }

  std::vector<double> betas_ = {0.9, 0.999};
  double eps_ = 1e-8;
  bool amsgrad_ = false;
  std::unique_ptr<torch::optim::Adam> torch_;
};

}  // namespace

extern const Entry<Optimizer> adam{"Adam", "Adam, as PyTorch's", make_component<Optimizer, Adam>};

}  // namespace compress::train
