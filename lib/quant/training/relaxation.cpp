#include "quant/training/relaxation.h"

#include "core/log.h"

#include <ATen/core/grad_mode.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <ranges>

namespace compress::quant {

namespace {

constexpr const char* kMemory = "relaxation";
const std::string kParameter = "parameter/", kOptimizer = "optimizer/", kTensors = "relaxation/";
/// NEMO leaves clips that were learned at few bits alone.
constexpr int64_t kFewBits = 6;

}  // namespace

void Relaxation::declare_arguments(Settings& s) {
  s.optional("W_bits", first_.weights, "bits of weights to begin with", in(2, 16));
  s.optional("x_bits", first_.values, "bits of values to begin with", in(2, 16));
  declare_rule(s, rule_);
  s.optional("reset_alpha_weights", reset_alpha_weights_,
             "ranges of weights are taken anew from the weights when their bits change");
  s.optional("reset_alpha_below_6bits", reset_alpha_below_6bits_, "also with fewer than 6 bits");
}

void Relaxation::declare(Settings& settings) {
  Field field{
      .name = "relaxation",
      .type = "map",
      .doc = "lowers the bits as the training loss becomes stale (NEMO): {W_bits: 8, x_bits: 8, bit_scaler: -1, ...}"};
  field.read = [this](const Yaml& value) {
    given_ = !value.is_null();
    if (!given_) return;
    Settings arguments;
    declare_arguments(arguments);
    arguments.read(value, "relaxation");
  };
  field.print = [this] {
    Settings arguments;
    declare_arguments(arguments);
    return given_ ? arguments.print() : Yaml();
  };
  field.schema = [] {
    Relaxation none;
    Settings arguments;
    none.declare_arguments(arguments);
    return arguments.schema();
  };
  settings.custom(std::move(field));
}

void Relaxation::check(const Precision& own) const {
  if (!given_) return;
  const auto refuse_below = [](const char* name, int64_t first, int64_t least, const char* what) {
    if (first >= least || least == 32) return;
    throw request_error("'{}' is {}, but no grid of {} ever has fewer than {} bits, its own", name, first, what, least)
        .hint("relaxation begins above the bits that training ends with");
  };
  refuse_below("W_bits", first_.weights, own.weights, "weights");
  refuse_below("x_bits", first_.values, own.values, "values");
  const auto above = [&](const Precision& bits) { return bits.weights > own.weights || bits.values > own.values; };
  const bool useful = above(first_) || std::ranges::any_of(rule_.custom_scaler, above, &RelaxationRule::Point::bits) ||
                      std::ranges::any_of(rule_.regimes | std::views::values, above);
  if (!useful)
    throw request_error("'relaxation' begins with {} bits for weights and {} for values, and {}", first_.weights,
                        first_.values, ends_with(own))
        .hint("it begins above the bits that training ends with: bits_weights: 4 and W_bits: 8");
}

void Relaxation::check_epochs(int64_t last) const {
  for (const auto& [epoch, bits] : rule_.regimes) check_epoch("regimes", epoch, last);
}

void Relaxation::begin(const Graph& graph) {
  floor_.note(graph);
  machine_.emplace(rule_, first_);
  decided_ = {.changed = true};
}

void Relaxation::change_bits(train::State& state) {
  const auto bits = machine_->precision();
  const auto changed = floor_.set(state.graph, bits.weights, bits.values);
  log::info("[relaxation] epoch {}: at least {} bits for weights, {} for values ({} grids change)", state.epoch,
            bits.weights, bits.values, changed.size());
  if (!reset_alpha_weights_) return;
  for (const auto& grid : adjustable_grids(state.graph))
    if (grid.of_weight && std::ranges::find(changed, grid.scale) != changed.end() &&
        (grid.bits >= kFewBits || reset_alpha_below_6bits_))
      restart_weight_grid(state.graph, grid);
}

void Relaxation::obey(const RelaxationMachine::Decision& decision, train::State& state) {
  if (decision.reload_best) reload_best(state);
  if (decision.lr) {
    lr_ = decision.lr;
    lr_factor_ = 1;
  }
  lr_factor_ *= decision.lr_factor;
  if (decision.changed) change_bits(state);
}

void Relaxation::on_epoch_begin(train::State& state) {
  if (!given_) return;
  const at::NoGradGuard no_grad;
  if (!machine_) begin(state.graph);
  obey(std::exchange(decided_, {}), state);
  obey(machine_->begin_epoch(state.epoch), state);
  state.lr_scale = lr_factor_;
}

/// A resumed run may be in an epoch in which the policy is not active.
void Relaxation::on_training_begin(train::State& state) const {
  if (given_) state.lr_scale = lr_factor_;
}

void Relaxation::on_minibatch_begin(train::State& state) {
  if (!lr_ || state.lr_factor == 0) return;
  lr_factor_ *= *lr_ / (state.optimizer.base_lr() * state.lr_factor);
  lr_.reset();
  state.lr_scale = lr_factor_;
}

void Relaxation::on_epoch_end(train::State& state) {
  if (!given_) return;
  decided_ = machine_->end_epoch(train::metric(state.training, "loss"), floor_.holds(state.graph));
  if (decided_.keep_as_best) keep_best(state);
}

void Relaxation::keep_best(const train::State& state) {
  best_.clear();
  for (const Parameter& parameter : state.graph.parameters())
    best_[kParameter + parameter.name] = parameter.value.detach().clone();
  for (const auto& [name, tensor] : state.optimizer.state()) best_[kOptimizer + name] = tensor.detach().clone();
}

/// False after an edit: a parameter of the same name may be another then.
bool Relaxation::fits_best(const Graph& graph) const {
  const auto fits = [&](const Parameter& parameter) {
    const auto found = best_.find(kParameter + parameter.name);
    return found != best_.end() && found->second.sizes() == parameter.value.sizes();
  };
  const auto of_parameter = [](const auto& entry) { return entry.first.starts_with(kParameter); };
  return std::ranges::all_of(graph.parameters(), fits) &&
         std::ranges::count_if(best_, of_parameter) == std::ranges::distance(graph.parameters());
}

void Relaxation::reload_best(train::State& state) {
  if (!fits_best(state.graph)) {
    best_.clear();
    log::warning("[relaxation] epoch {}: training diverged, but the network has other parameters than in its best "
                 "epoch: its weights stay",
                 state.epoch);
    return;
  }
  log::info("[relaxation] epoch {}: training diverged, the best weights of this precision come back", state.epoch);
  std::map<std::string, at::Tensor> slots;
  for (const auto& [key, tensor] : best_) {
    if (key.starts_with(kOptimizer)) {
      slots[key.substr(kOptimizer.size())] = tensor.clone();
      continue;
    }
    auto& value = state.graph.writable(key.substr(kParameter.size()));
    const auto& mask = state.graph.parameter(key.substr(kParameter.size())).mask;
    const bool masked = mask.defined() && value.masked_select(mask.eq(0)).eq(0).all().item<bool>();
    value.copy_(tensor);
    if (masked) value.mul_(mask);  // it may be another than then
  }
  state.optimizer.load_state(slots);
}

std::string Relaxation::unmet(const Graph& graph) const {
  if (!given_ || !floor_.noted() || !floor_.holds(graph)) return "";
  const auto bits = machine_->precision();
  return fmt::format("relaxation came to {} bits for weights and {} for values, not to those asked for", bits.weights,
                     bits.values);
}

void Relaxation::save(train::Memory& memory) const {
  if (!machine_) return;
  memory.values[kMemory] = {{"machine", machine_->save()},
                            {"own", floor_.save()},
                            {"lr_factor", lr_factor_},
                            {"lr", optional_number(lr_)},
                            {"decided",
                             {{"reload_best", decided_.reload_best},
                              {"changed", decided_.changed},
                              {"lr_factor", decided_.lr_factor},
                              {"lr", optional_number(decided_.lr)}}}};
  for (const auto& [name, tensor] : best_) memory.tensors[kTensors + name] = tensor;
}

void Relaxation::load(const train::Memory& memory) {
  if (!given_ || !memory.values.contains(kMemory)) return;
  const auto& values = memory.values.at(kMemory);
  machine_.emplace(rule_, first_);
  machine_->load(values.at("machine"));
  floor_.load(values.at("own"));
  lr_factor_ = values.at("lr_factor").get<double>();
  lr_ = number_or_nothing(values.at("lr"));
  const auto& decided = values.at("decided");
  decided_ = {.reload_best = decided.at("reload_best").get<bool>(),
              .changed = decided.at("changed").get<bool>(),
              .lr_factor = decided.at("lr_factor").get<double>(),
              .lr = number_or_nothing(decided.at("lr"))};
  for (const auto& [name, tensor] : memory.tensors)
    if (name.starts_with(kTensors)) best_[name.substr(kTensors.size())] = tensor;
}

}  // namespace compress::quant
