#include "train/named_optimizer.h"

#include "core/text.h"
#include "train/follow_changes.h"

#include <ATen/ops/empty_like.h>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace compress::train {

namespace {

void declare_group(Settings& settings, ParameterGroup& group, bool has_momentum) {
  settings.required("parameters", group.parameters, "names of parameters, or patterns with '*'");
  settings.optional("lr", group.lr, "learning rate of these", at_least(0));
  settings.optional("weight_decay", group.weight_decay, "weight decay of these", at_least(0));
  if (has_momentum) settings.optional("momentum", group.momentum, "momentum of these", half_open(0, 1));
}

Field groups_field(std::vector<ParameterGroup>& groups, bool has_momentum) {
  Field field{.name = "groups",
              .type = "list of map",
              .doc = "parameters that get other values; the first group that matches counts"};
  field.read = [&groups, has_momentum](const Yaml& value) {
    if (!value.is_sequence())
      throw request_error("groups takes a list of maps, not {}", value.kind_name()).at(value.place);
    groups.clear();
    for (const auto& item : value.items) {
      ParameterGroup group{.place = item.place};
      Settings settings;
      declare_group(settings, group, has_momentum);
      settings.read(item, "groups");
      groups.push_back(std::move(group));
    }
  };
  field.print = [&groups, has_momentum] {
    Yaml list = Yaml::sequence();
    for (auto& group : groups) {
      Settings settings;
      declare_group(settings, group, has_momentum);
      list.items.push_back(settings.print());
    }
    return list;
  };
  field.schema = [has_momentum] {
    ParameterGroup any;
    Settings settings;
    declare_group(settings, any, has_momentum);
    return nlohmann::json{{"type", "array"}, {"items", settings.schema()}};
  };
  return field;
}

/// LibTorch gives up gradients that hang on an exchanged tensor; the tensor itself becomes a leaf again.
at::Tensor& as_leaf(at::Tensor& value, bool trains) {
  if (!value.is_leaf()) value = value.detach();
  value.set_requires_grad(trains);
  return value;
}

}  // namespace

void NamedOptimizer::declare_common(Settings& settings, double* momentum, const char* decay_doc) {
  momentum_ = momentum;
  settings.optional("lr", lr_, "learning rate; learning-rate schedules multiply it", at_least(0));
  settings.optional("weight_decay", weight_decay_, decay_doc, at_least(0));
  settings.custom(groups_field(groups_, momentum != nullptr));
}

bool NamedOptimizer::learns(const Parameter& parameter) const {
  const auto matches = [&](const auto& pattern) { return glob_match(pattern, parameter.name); };
  return parameter.trainable && parameter.value.is_floating_point() && std::ranges::none_of(frozen_, matches);
}

size_t NamedOptimizer::group_of(const std::string& name) const {
  const auto matches = [&](const ParameterGroup& group) {
    return std::ranges::any_of(group.parameters, [&](const auto& pattern) { return glob_match(pattern, name); });
  };
  if (const auto found = std::ranges::find_if(groups_, matches); found != groups_.end())
    return static_cast<size_t>(found - groups_.begin()) + 1;
  const auto found = std::ranges::find_if(added_, matches);
  return found == added_.end() ? 0 : groups_.size() + static_cast<size_t>(found - added_.begin()) + 1;
}

bool NamedOptimizer::add_group(ParameterGroup group) {
  const auto found = std::ranges::find(added_, group.parameters, &ParameterGroup::parameters);
  if (found == added_.end()) {
    added_.push_back(std::move(group));
    return true;
  }
  const bool same =
      found->lr == group.lr && found->weight_decay == group.weight_decay && found->momentum == group.momentum;
  *found = std::move(group);
  return !same;
}

void NamedOptimizer::check_groups(const Graph& graph) const {
  // Learned scales and ranges ("conv1.quantizer.scale") come onto the network when a quantiser's policy begins.
  const auto may_come = [](const std::string& pattern) { return pattern.find(".quantizer.") != std::string::npos; };
  std::vector<std::string> names;
  for (const Parameter& parameter : graph.parameters())
    if (learns(parameter)) names.push_back(parameter.name);
  Problems problems;
  for (const auto& group : groups_)
    for (const auto& pattern : group.parameters)
      if (!may_come(pattern) &&
          std::ranges::none_of(names, [&](const auto& name) { return glob_match(pattern, name); }))
        problems.add(request_error("groups: '{}' matches no trainable parameter of '{}'", pattern, graph.name)
                         .at(group.place)
                         .hint(did_you_mean(pattern, names)));
  problems.raise();
}

void NamedOptimizer::bind(Graph& graph) {
  if (!was_bound_) check_groups(graph);
  collect_state();
  graph.own_storage();
  std::vector<Group> groups{{.lr = lr_, .weight_decay = weight_decay_, .momentum = momentum_ ? *momentum_ : 0}};
  auto all = groups_;
  all.insert(all.end(), added_.begin(), added_.end());
  for (const auto& group : all)
    groups.push_back({.lr = group.lr.value_or(lr_),
                      .weight_decay = group.weight_decay.value_or(weight_decay_),
                      .momentum = group.momentum.value_or(momentum_ ? *momentum_ : 0)});
  for (Parameter& parameter : graph.parameters()) {
    if (!parameter.value.is_floating_point()) continue;
    const bool trains = learns(parameter);
    const at::Tensor& value = as_leaf(parameter.value, trains);
    if (!trains) continue;
    groups[group_of(parameter.name)].tensors.push_back(value);
    bound_.emplace_back(parameter.name, value);
  }
  create(groups);
  group_lrs_.clear();
  group_momenta_.clear();
  for (const auto& group : groups) {
    group_lrs_.push_back(group.lr);
    group_momenta_.push_back(momentum_of(group));
  }
  for (const auto& [name, value] : bound_) hand_over(name, value);
  set_lr_factor(factor_);
  if (cycled_momentum_) set_momentum(cycled_momentum_);
  was_bound_ = true;
}

void NamedOptimizer::hand_over(const std::string& name, const at::Tensor& parameter) {
  const auto found = state_.find(name);
  if (found == state_.end()) return;
  for (auto& [slot, tensor] : found->second) {
    if (tensor.dim() == 0) continue;
    if (tensor.sizes() != parameter.sizes())
      throw run_error("the optimiser's '{}' of '{}' is {}, but the parameter is {} now", slot, name,
                      shape_text(tensor.sizes()), shape_text(parameter.sizes()))
          .hint("an edit of the graph was not told to the optimiser (State::apply)");
    // The same memory order as the parameter's, however it came here: so a resumed run takes the same kernels.
    if (tensor.strides() != parameter.strides() || tensor.device() != parameter.device())
      tensor = at::empty_like(parameter, parameter.options().requires_grad(false)).copy_(tensor);
  }
  set_slots(parameter, found->second);
  state_.erase(found);
}

void NamedOptimizer::collect_state() {
  for (const auto& [name, parameter] : bound_)
    if (auto held = slots(parameter); !held.empty()) state_[name] = std::move(held);
  bound_.clear();
}

void NamedOptimizer::zero_grad() {
  for (auto& [name, parameter] : bound_) parameter.mutable_grad().reset();
}

void NamedOptimizer::set_lr_factor(double factor) {
  factor_ = factor;
  for (size_t group = 0; group < group_lrs_.size(); ++group) set_lr(group, group_lrs_[group] * factor);
}

void NamedOptimizer::set_momentum(std::optional<double> momentum) {
  cycled_momentum_ = momentum;
  for (size_t group = 0; group < group_momenta_.size(); ++group)
    set_group_momentum(group, momentum.value_or(group_momenta_[group]));
}

void NamedOptimizer::apply(const Changes& changes) {
  collect_state();
  // By state, so that each is a map of tensors by parameter.
  std::map<std::string, std::map<std::string, at::Tensor>> by_slot;
  for (auto& [name, held] : state_)
    for (auto& [slot, tensor] : held) by_slot[slot][name] = std::move(tensor);
  state_.clear();
  for (auto& [slot, tensors] : by_slot) {
    follow_changes(tensors, changes);
    for (auto& [name, tensor] : tensors) state_[name][slot] = std::move(tensor);
  }
}

std::map<std::string, at::Tensor> NamedOptimizer::state() const {
  std::map<std::string, at::Tensor> all;
  const auto add = [&](const std::string& name, const Slots& held) {
    for (const auto& [slot, tensor] : held) all.emplace(slot + "/" + name, tensor);
  };
  for (const auto& [name, held] : state_) add(name, held);
  for (const auto& [name, parameter] : bound_) add(name, slots(parameter));
  return all;
}

void NamedOptimizer::load_state(const std::map<std::string, at::Tensor>& state) {
  state_.clear();
  for (const auto& [key, tensor] : state) {
    const size_t slash = key.find('/');
    if (slash == std::string::npos) throw request_error("optimiser state has '{}', expected STATE/PARAMETER", key);
    state_[key.substr(slash + 1)][key.substr(0, slash)] = tensor.clone();
  }
  for (const auto& [name, parameter] : bound_) hand_over(name, parameter);
}

}  // namespace compress::train
