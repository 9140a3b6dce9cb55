#include "train/named_optimizer.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros_like.h>
#include <torch/optim/rmsprop.h>

namespace compress::train {

namespace {

/// LibTorch's RMSprop (Tieleman and Hinton, lecture 6e of "Neural Networks for Machine Learning"):
/// v = alpha v + (1 - alpha) g^2; w -= lr * g / (sqrt(v) + eps), by way of a momentum buffer when there is momentum.
class RmsProp final : public NamedOptimizer {
public:
  RmsProp() : NamedOptimizer(1e-2) {}

  void declare(Settings& s) override {
    declare_common(s, &momentum_, kDecayInGradient);
    s.optional("alpha", alpha_, "decay of the running mean of squared gradients", half_open(0, 1));
    s.optional("eps", eps_, "added to the denominator", at_least(0));
    s.optional("momentum", momentum_, "share of the last step kept", half_open(0, 1));
    s.optional("centered", centered_, "divide by the deviation of the gradient instead of its mean square");
  }

  void step() override { torch_->step(); }

protected:
  void create(const std::vector<Group>& groups) override {
    std::vector<torch::optim::OptimizerParamGroup> torch_groups;
    for (const auto& group : groups) torch_groups.emplace_back(group.tensors);
    torch_ = std::make_unique<torch::optim::RMSprop>(torch_groups, torch::optim::RMSpropOptions(lr_));
    // Set afterwards: the constructor takes a group's value that equals LibTorch's default for one that was not given.
    for (size_t i = 0; i < groups.size(); ++i)
      options(i)
          .weight_decay(groups[i].weight_decay)
          .momentum(groups[i].momentum)
          .alpha(alpha_)
          .eps(eps_)
          .centered(centered_);
  }

  void set_lr(size_t group, double lr) override { options(group).lr(lr); }

  void set_group_momentum(size_t group, double momentum) override {
    options(group).momentum(momentum);
    if (momentum == 0) return;
    // LibTorch makes the buffer in the first step only, when there is momentum by then.
    for (const auto& parameter : torch_->param_groups()[group].params())
      if (auto* state = state_of(parameter); state && !state->momentum_buffer().defined())
        state->momentum_buffer(at::zeros_like(parameter, parameter.options().requires_grad(false)));
  }

  Slots slots(const at::Tensor& parameter) const override {
    const auto* state = state_of(parameter);
    if (!state) return {};
    Slots slots{{"step", at::scalar_tensor(state->step(), at::kLong)}, {"square_avg", state->square_avg()}};
    if (state->momentum_buffer().defined()) slots.emplace("momentum_buffer", state->momentum_buffer());
    if (state->grad_avg().defined()) slots.emplace("grad_avg", state->grad_avg());
    return slots;
  }

  void set_slots(const at::Tensor& parameter, const Slots& slots) override {
    const auto tensor = [&](const char* name) {
      const auto found = slots.find(name);
      return found == slots.end() ? at::Tensor() : found->second;
    };
    auto state = std::make_unique<torch::optim::RMSpropParamState>();
    state->step(tensor("step").item<int64_t>());
    state->square_avg(tensor("square_avg"));
    state->momentum_buffer(tensor("momentum_buffer"));
    state->grad_avg(tensor("grad_avg"));
    torch_->state()[parameter.unsafeGetTensorImpl()] = std::move(state);
  }

private:
  torch::optim::RMSpropOptions& options(size_t group) {
    return static_cast<torch::optim::RMSpropOptions&>(torch_->param_groups()[group].options());
  }
  torch::optim::RMSpropParamState* state_of(const at::Tensor& parameter) const {
    const auto found = torch_->state().find(parameter.unsafeGetTensorImpl());
    return found == torch_->state().end() ? nullptr
                                          : static_cast<torch::optim::RMSpropParamState*>(found->second.get());
  }

  double momentum_ = 0, alpha_ = 0.99, eps_ = 1e-8;
  bool centered_ = false;
  std::unique_ptr<torch::optim::RMSprop> torch_;
};

}  // namespace

extern const Entry<Optimizer> rmsprop{"RMSprop", "gradients divided by their recent size, as PyTorch's",
                                      make_component<Optimizer, RmsProp>};

}  // namespace compress::train
