#include "train/trainer.h"

#include "core/interrupt.h"
#include "core/progress.h"
#include "core/random.h"
#include "data/loader.h"
#include "exec/plan.h"
#include "train/clip_gradients.h"
#include "train/not_finite.h"
#include "train/outputs.h"

#include <ATen/Context.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace compress::train {

namespace {

// Reading a loss makes the processor wait for a GPU, so there several are read at once.
constexpr size_t kLossesReadTogether = 16;

}  // namespace

void State::apply(const Changes& made) {
  optimizer.apply(made);  // which lets go of the parameters,
  graph.touch();          // so the trainer has to bind it again, even when values alone changed
  if (averages) averages->apply(made);
  changes.push_back(made);
}

Trainer::Trainer(Graph& graph,
                 const data::Splits& data,
                 Task& task,
                 Optimizer& optimizer,
                 Hook& hook,
                 const TrainingConfig& config,
                 int64_t epochs,
                 int64_t batch_size,
                 int64_t prefetch)
    : config_(config), task_(task), hook_(hook), batch_size_(batch_size),
      prefetch_(prefetch), state_{.graph = graph, .optimizer = optimizer, .data = data, .task = task} {
  state_.seed = static_cast<uint64_t>(config.seed);
  state_.device = parse_device(config.device);
  check_precision(config.precision, state_.device);
  check_freeze(config.freeze, graph);
  optimizer.freeze(config.freeze.patterns);
  state_.epochs = epochs;
  state_.config = &config_;
  state_.batch_size = batch_size;
  state_.prefetch = prefetch;
  batches_ = (data.train->size() + batch_size - 1) / batch_size;
  state_.minibatches = (batches_ + config.accumulate - 1) / config.accumulate;
  if (config.ema) averages_.emplace(*config.ema);
  if (averages_) state_.averages = &*averages_;
  if (config.precision == Precision::float16) scaler_.emplace(state_.device);
  task_.bind(graph, data.train->fields());
  match_inputs(graph, data.train->fields(), config.inputs);
}

Trainer::~Trainer() = default;

void Trainer::run(int64_t first_epoch) {
  set_threads(config_.threads);
  state_.epoch = first_epoch;
  state_.step = first_epoch * state_.minibatches;
  follow_graph();
  hook_.on_training_begin(state_);
  for (; state_.epoch < state_.epochs; ++state_.epoch) train_epoch();
  hook_.on_training_end(state_);
}

void Trainer::train_epoch() {
  state_.minibatch = 0;
  state_.training = state_.validation = {};
  hook_.on_epoch_begin(state_);
  {
    const auto meter = task_.meter();
    data::Loader loader(state_.data.train, batch_size_, data::Order::shuffled, {state_.seed, state_.epoch}, prefetch_);
    Progress progress(fmt::format("train {}/{}", state_.epoch + 1, state_.epochs), batches_);
    batch_ = 0;
    for (data::Batch batch; loader.next(batch); ++batch_) {
      throw_if_interrupted("training");
      task_.check_batch(batch);
      const auto here = to_device(batch, state_.device);
      train_batch(here);
      meter->add(state_.outputs, here);
      if ((batch_ + 1) % config_.accumulate == 0 || batch_ + 1 == batches_) end_minibatch();
      state_.outputs.clear();
      progress.update(batch_ + 1, fmt::format("loss {:.4f}", last_loss_));
    }
    check_losses();
    mean_loss_terms();
    state_.training = result_of(*meter);
  }
  state_.batch = nullptr;
  state_.inputs.clear();
  state_.loss = at::Tensor();
  validate();
  hook_.on_epoch_end(state_);
  if (after_epoch) after_epoch(state_);
}

/// Forward and backward pass of a mini-batch, or of a part of it.
void Trainer::train_batch(const data::Batch& batch) {
  // Dropout draws from LibTorch's generator: seeded here, its state is a function of the step and need not be saved.
  at::manual_seed(
      random_key(state_.seed, "dropout", {static_cast<uint64_t>(state_.epoch), static_cast<uint64_t>(batch_)}));
  state_.batch = &batch;
  state_.inputs = graph_inputs(state_.graph, batch, config_.inputs, state_.device);
  state_.loss_terms.clear();
  const bool first_part = batch_ % config_.accumulate == 0;
  if (first_part) begin_minibatch();
  forward(batch);
  hook_.before_backward_pass(state_);
  sum_loss_terms();
  unchecked_losses_.emplace_back(batch_, state_.loss.detach());
  if (state_.device.is_cpu() || unchecked_losses_.size() >= kLossesReadTogether) check_losses();
  if (first_part) state_.optimizer.zero_grad();
  backward(batch);
}

void Trainer::sum_loss_terms() {
  for (const auto& [name, value] : state_.loss_terms) {
    auto& sum = loss_term_sums_[name];
    sum = sum.defined() ? sum.add(value.detach()) : value.detach();
  }
}

void Trainer::mean_loss_terms() {
  state_.mean_loss_terms.clear();
  for (const auto& [name, sum] : loss_term_sums_)
    state_.mean_loss_terms.emplace_back(name, sum.item<double>() / static_cast<double>(batches_));
  loss_term_sums_.clear();
}

void Trainer::begin_minibatch() {
  hook_.on_minibatch_begin(state_);
  follow_graph();
  follow_lr();
}

void Trainer::forward(const data::Batch& batch) {
  state_.values.clear();
  state_.label_weight.reset();
  {
    const Autocast autocast(config_.precision, state_.device);
    state_.outputs = named_outputs(state_.graph, plan_->run(state_.inputs));
  }
  if (config_.precision != Precision::float32)
    for (auto* tensors : {&state_.outputs, &state_.values})
      for (auto& [name, tensor] : *tensors)
        if (tensor.is_floating_point()) tensor = tensor.to(at::kFloat);
  state_.loss = task_.loss(state_.outputs, batch);
}

/// Each part counts by its share of the mini-batch's samples, so that gradients add up to those of the mean over all.
void Trainer::backward(const data::Batch& batch) {
  at::Tensor loss = state_.loss;
  if (config_.accumulate > 1) {
    const int64_t whole = config_.accumulate * batch_size_, begin = state_.minibatch * whole;
    const int64_t samples = std::min(whole, state_.data.train->size() - begin);
    loss = loss.mul(static_cast<double>(batch.size) / static_cast<double>(samples));
  }
  (scaler_ ? scaler_->scaled(loss) : loss).backward();
  state_.loss.detach_();
  state_.values.clear();
}

void Trainer::end_minibatch() {
  if (optimize() && averages_) averages_->update(state_.graph);
  hook_.on_minibatch_end(state_);
  if (after_minibatch) after_minibatch(state_);
  ++state_.minibatch;
  ++state_.step;
}

/// False when the step was left out, because float16 could not hold its gradients.
bool Trainer::optimize() {
  const bool good = !scaler_ || scaler_->unscale(gradients(state_.graph));
  hook_.before_parameter_optimization(state_);
  if (config_.clip_norm) clip_by_norm(gradients(state_.graph), *config_.clip_norm);
  if (config_.clip_value) clip_by_value(gradients(state_.graph), *config_.clip_value);
  if (good) state_.optimizer.step();
  if (scaler_) scaler_->update();
  return good;
}

void Trainer::follow_graph() {
  state_.graph.own_storage();
  auto observed = hook_.observed(state_);
  if (plan_ && plan_->version() == state_.graph.version() && observed == observed_) return;
  observed_ = std::move(observed);
  exec::prepare_parameters(state_.graph, state_.device);
  state_.optimizer.bind(state_.graph);
  exec::PlanOptions options{.mode = exec::Mode::train, .observe = observed_};
  if (!observed_.empty())
    options.observer = [this](std::string_view name, const at::Tensor& value) {
      state_.values[std::string(name)] = value;
    };
  if (config_.freeze_statistics) options.frozen = frozen_batch_norms(config_.freeze, state_.graph);
  plan_ = std::make_unique<exec::Plan>(state_.graph, std::move(options));
}

void Trainer::follow_lr() {
  const double factor = state_.lr_multiplier();
  if (factor != lr_factor_) state_.optimizer.set_lr_factor(lr_factor_ = factor);
  if (state_.momentum != momentum_) state_.optimizer.set_momentum(momentum_ = state_.momentum);
}

Graph Trainer::result() const {
  auto graph = state_.graph.clone();
  if (averages_apply()) averages_->put_into(graph);
  return graph;
}

void Trainer::take_averages() {
  if (averages_apply()) averages_->put_into(state_.graph);
}

Memory Trainer::save() const {
  Memory memory;
  memory.values = nlohmann::json::object();
  if (averages_) {
    memory.values["ema_updates"] = averages_->updates();
    for (const auto& [name, tensor] : averages_->tensors()) memory.tensors["ema/" + name] = tensor;
  }
  if (scaler_)
    for (const auto& [name, tensor] : scaler_->save().tensors) memory.tensors["loss_scaler/" + name] = tensor;
  return memory;
}

void Trainer::load(const Memory& memory) {
  const auto part = [&](std::string_view prefix) {
    std::map<std::string, at::Tensor> found;
    for (const auto& [name, tensor] : memory.tensors)
      if (name.starts_with(prefix)) found[name.substr(prefix.size())] = tensor.clone();
    return found;
  };
  if (averages_) averages_->load(part("ema/"), memory.values.value("ema_updates", int64_t{0}));
  if (scaler_) scaler_->load({.values = {}, .tensors = part("loss_scaler/")});
}

void Trainer::check_losses() {
  for (const auto& [batch, loss] : unchecked_losses_) {
    last_loss_ = loss.item<double>();
    if (std::isfinite(last_loss_)) continue;
    if (std::isnan(last_loss_)) last_loss_ = std::numeric_limits<double>::quiet_NaN();  // without the sign of some
    const auto first = first_not_finite(state_.graph, state_.inputs);
    throw run_error("the loss is {} in epoch {} of {}, mini-batch {} of {}: {} {}", last_loss_, state_.epoch + 1,
                    state_.epochs, batch + 1, batches_,
                    first.empty() ? "all of the network's values are finite, so it is" : first,
                    first.empty() ? "the loss itself" : "is the first that is not finite")
        .hint("a lower learning rate (training.optimizer.lr) is the usual remedy");
  }
  unchecked_losses_.clear();
}

void Trainer::validate() {
  if (!state_.data.validation) return;
  const EvaluateOptions options{
      .batch_size = batch_size_, .device = state_.device, .title = "validate", .inputs = config_.inputs};
  const auto measure = [&](const Graph& graph) {
    state_.validation = evaluate(graph, state_.data.validation, task_, options).metrics;
  };
  averages_apply() ? measure(result()) : measure(state_.graph);
}

}  // namespace compress::train
