#include "schedule/scheduler.h"

#include "prune/pruner.h"

#include <algorithm>
#include <iterator>

namespace compress::schedule {

namespace {

bool sets_learning_rate(const Policy& policy) {
  return policy.kind == "lr_scheduler";
}

}  // namespace

void Scheduler::add(std::unique_ptr<Policy> policy) {
  const auto key = fmt::format("{} {}", policy->kind, policy->instance);
  const auto same = std::ranges::count_if(
      policies_, [&](const auto& other) { return other->kind == policy->kind && other->instance == policy->instance; });
  keys_.push_back(same == 0 ? key : fmt::format("{} #{}", key, same + 1));
  policies_.push_back(std::move(policy));
}

void Scheduler::bind_task(const train::Task& task, const data::Splits& data) {
  Problems problems;
  for (const auto& policy : policies_) policy->bind_task(task, data, problems);
  problems.raise();
}

int64_t Scheduler::first_settled_epoch() const {
  int64_t settled = 0;
  for (const auto& policy : policies_)
    if (policy->compresses()) settled = std::max(settled, policy->window.last_epoch());
  return settled;
}

int64_t Scheduler::first_compressing_epoch(int64_t epochs) const {
  for (const auto& policy : policies_)
    if (policy->compresses() && !policy->window.at_end()) epochs = std::min(epochs, policy->window.first_epoch());
  return epochs;
}

void Scheduler::call(Policy& policy, Callback callback, train::State& state) {
  (policy.*callback)(state);
  const auto made = std::exchange(state.changes, {});
  for (const auto& changes : made)
    for (const auto& other : policies_)
      if (other.get() != &policy) other->apply(changes);
}

void Scheduler::call_active(Callback callback, train::State& state) {
  for (const auto& policy : policies_)
    if (!sets_learning_rate(*policy) && policy->window.active(state.epoch)) call(*policy, callback, state);
  if (auto* policy = lr_policy(state.epoch)) call(*policy, callback, state);
}

Policy* Scheduler::lr_policy(int64_t epoch) const {
  Policy* chosen = nullptr;
  for (const auto& policy : policies_) {
    const auto latest = policy->window.latest(epoch);
    if (sets_learning_rate(*policy) && latest >= 0 && (!chosen || latest >= chosen->window.latest(epoch)))
      chosen = policy.get();
  }
  return chosen;
}

void Scheduler::apply_masks(train::State& state) const {
  for (const Parameter& parameter : state.graph.parameters()) {
    const auto spared = [&](const auto& policy) { return policy->masks_forward_only(parameter.name); };
    if (parameter.mask.defined() && std::ranges::none_of(policies_, spared)) prune::apply_mask(state.graph, parameter);
  }
}

void Scheduler::on_training_begin(train::State& state) {
  for (const auto& policy : policies_) call(*policy, &Hook::on_training_begin, state);
}

void Scheduler::on_epoch_begin(train::State& state) {
  for (const auto& policy : policies_) policy->before_epoch(state);
  call_active(&Hook::on_epoch_begin, state);
}

void Scheduler::on_minibatch_begin(train::State& state) {
  call_active(&Hook::on_minibatch_begin, state);
}

std::vector<std::string> Scheduler::observed(const train::State& state) const {
  std::vector<std::string> all;
  for (const auto& policy : policies_)
    if (policy->window.active(state.epoch)) std::ranges::copy(policy->observed(state), std::back_inserter(all));
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  return all;
}

void Scheduler::before_backward_pass(train::State& state) {
  call_active(&Hook::before_backward_pass, state);
}

void Scheduler::before_parameter_optimization(train::State& state) {
  call_active(&Hook::before_parameter_optimization, state);
}

void Scheduler::on_minibatch_end(train::State& state) {
  apply_masks(state);
  call_active(&Hook::on_minibatch_end, state);
}

void Scheduler::on_epoch_end(train::State& state) {
  call_active(&Hook::on_epoch_end, state);
}

void Scheduler::on_training_end(train::State& state) {
  for (const auto& policy : policies_) call(*policy, &Hook::on_training_end, state);
}

train::Memory Scheduler::save() const {
  train::Memory memory;
  memory.values = nlohmann::json::object();
  for (size_t i = 0; i < policies_.size(); ++i) {
    auto own = policies_[i]->save();
    if (!own.values.is_null()) memory.values[keys_[i]] = std::move(own.values);
    for (auto& [name, tensor] : own.tensors) memory.tensors[keys_[i] + '/' + name] = std::move(tensor);
  }
  return memory;
}

void Scheduler::load(const train::Memory& memory) {
  for (size_t i = 0; i < policies_.size(); ++i) {
    train::Memory own;
    if (memory.values.contains(keys_[i])) own.values = memory.values.at(keys_[i]);
    const auto prefix = keys_[i] + '/';
    for (const auto& [name, tensor] : memory.tensors)
      if (name.starts_with(prefix)) own.tensors[name.substr(prefix.size())] = tensor;
    if (!own.values.is_null() || !own.tensors.empty()) policies_[i]->load(own);
  }
}

}  // namespace compress::schedule
