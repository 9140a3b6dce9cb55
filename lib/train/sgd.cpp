#include "train/named_optimizer.h"

#include <torch/optim/sgd.h>

namespace compress::train {

namespace {

/// LibTorch's SGD: g += weight_decay * w; buffer = momentum * buffer + (1 - dampening) * g; w -= lr * buffer
/// (nesterov: w -= lr * (g + momentum * buffer)). The first step sets the buffer to g.
class Sgd final : public NamedOptimizer {
public:
  Sgd() : NamedOptimizer(0.1) {}

  void declare(Settings& s) override {
    declare_common(s, &momentum_, kDecayInGradient);
    s.optional("momentum", momentum_, "share of the last step kept", half_open(0, 1));
    s.optional("dampening", dampening_, "share of the gradient kept out of the momentum", in(0, 1));
    s.optional("nesterov", nesterov_, "Nesterov's momentum");
  }

  void step() override { torch_->step(); }

protected:
  void create(const std::vector<Group>& groups) override {
    if (nesterov_ && (momentum_ == 0 || dampening_ != 0))
      throw request_error("SGD: nesterov needs momentum above 0 and dampening 0; they are {} and {}", momentum_,
                          dampening_);
    std::vector<torch::optim::OptimizerParamGroup> torch_groups;
    for (const auto& group : groups) torch_groups.emplace_back(group.tensors);
    torch_ = std::make_unique<torch::optim::SGD>(torch_groups, torch::optim::SGDOptions(lr_));
    // Set afterwards: the constructor takes a group's value that equals LibTorch's default for one that was not given.
    for (size_t i = 0; i < groups.size(); ++i)
      options(i)
          .weight_decay(groups[i].weight_decay)
          .momentum(groups[i].momentum)
          .dampening(dampening_)
          .nesterov(nesterov_);
  }

  void set_lr(size_t group, double lr) override { options(group).lr(lr); }
  void set_group_momentum(size_t group, double momentum) override { options(group).momentum(momentum); }

  Slots slots(const at::Tensor& parameter) const override {
    const auto found = torch_->state().find(parameter.unsafeGetTensorImpl());
    if (found == torch_->state().end()) return {};
    const auto& buffer = static_cast<const torch::optim::SGDParamState&>(*found->second).momentum_buffer();
    return buffer.defined() ? Slots{{"momentum_buffer", buffer}} : Slots{};
  }

  void set_slots(const at::Tensor& parameter, const Slots& slots) override {
    auto state = std::make_unique<torch::optim::SGDParamState>();
    if (const auto buffer = slots.find("momentum_buffer"); buffer != slots.end())
      state->momentum_buffer(buffer->second);
    torch_->state()[parameter.unsafeGetTensorImpl()] = std::move(state);
  }

private:
  torch::optim::SGDOptions& options(size_t group) {
    return static_cast<torch::optim::SGDOptions&>(torch_->param_groups()[group].options());
  }

  double momentum_ = 0, dampening_ = 0;
  bool nesterov_ = false;
  std::unique_ptr<torch::optim::SGD> torch_;
};

}  // namespace

extern const Entry<Optimizer> sgd{"SGD", "stochastic gradient descent with momentum, as PyTorch's",
                                  make_component<Optimizer, Sgd>};

}  // namespace compress::train
