#pragma once

#include "train/optimizer.h"

namespace compress::train {

/// What all of LibTorch's optimisers share here: groups by name, state by name, learning rates. A subclass builds the
/// optimiser over tensors and hands its state over.
class NamedOptimizer : public Optimizer {
public:
  void bind(Graph& graph) final;
  void freeze(std::vector<std::string> patterns) final { frozen_ = std::move(patterns); }
  bool add_group(ParameterGroup group) final;
  void zero_grad() final;
  void set_lr_factor(double factor) final;
  void set_momentum(std::optional<double> momentum) final;
  double base_lr() const final { return lr_; }
  double lr() const final { return lr_ * factor_; }
  void apply(const Changes& changes) final;
  std::map<std::string, at::Tensor> state() const final;
  void load_state(const std::map<std::string, at::Tensor>& state) final;

protected:
  using Slots = std::map<std::string, at::Tensor>;  ///< "momentum_buffer" -> tensor
  struct Group {
    std::vector<at::Tensor> tensors;
    double lr, weight_decay, momentum;
  };

  explicit NamedOptimizer(double lr) : lr_(lr) {}
  static constexpr const char* kDecayInGradient = "this times the weight is added to its gradient";
  /// Declares lr, weight_decay and groups; `momentum` is the subclass's, null when groups cannot have their own.
  void declare_common(Settings& settings, double* momentum, const char* decay_doc);

  /// Builds LibTorch's optimiser, without state.
  virtual void create(const std::vector<Group>& groups) = 0;
  virtual void set_lr(size_t group, double lr) = 0;
  virtual double momentum_of(const Group& group) const { return group.momentum; }
  virtual void set_group_momentum(size_t group, double momentum) = 0;
  virtual Slots slots(const at::Tensor& parameter) const = 0;
  virtual void set_slots(const at::Tensor& parameter, const Slots& slots) = 0;

  double lr_, weight_decay_ = 0;

private:
  size_t group_of(const std::string& name) const;
  void check_groups(const Graph& graph) const;
  bool learns(const Parameter& parameter) const;
  void collect_state();
  void hand_over(const std::string& name, const at::Tensor& parameter);

  std::vector<ParameterGroup> groups_;  ///< of the recipe
  std::vector<ParameterGroup> added_;   ///< by others
  double* momentum_ = nullptr;
  double factor_ = 1;
  std::vector<std::pair<std::string, at::Tensor>> bound_;
  std::vector<double> group_lrs_, group_momenta_;
  std::optional<double> cycled_momentum_;
  std::vector<std::string> frozen_;
  std::map<std::string, Slots> state_;  ///< by parameter: of what is not bound now
  bool was_bound_ = false;
};

}  // namespace compress::train
