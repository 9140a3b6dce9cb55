#include "train/trainer.h"

#include "core/interrupt.h"
#include "core/progress.h"
#include "core/random.h"
#include "data/loader.h"
#include "exec/plan.h"
#include "train/not_finite.h"
#include "train/outputs.h"

#include <ATen/Context.h>

#include <cmath>

namespace compress::train {

namespace {

// Reading a loss makes the processor wait for a GPU, so there several are read at once.
constexpr size_t kLossesReadTogether = 16;

}  // namespace

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
  state_.epochs = epochs;
  state_.minibatches = (data.train->size() + batch_size - 1) / batch_size;
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
    Progress progress(fmt::format("train {}/{}", state_.epoch + 1, state_.epochs), state_.minibatches);
    for (data::Batch batch; loader.next(batch); ++state_.minibatch, ++state_.step) {
      throw_if_interrupted("training");
      task_.check_batch(batch);
      const auto here = to_device(batch, state_.device);
      train_minibatch(here);
      meter->add(state_.outputs, here);
      if (after_minibatch) after_minibatch(state_);
      state_.outputs.clear();
      progress.update(state_.minibatch + 1, fmt::format("loss {:.4f}", last_loss_));
    }
    check_losses();
    state_.training = meter->result();
  }
  state_.batch = nullptr;
  state_.inputs.clear();
  state_.loss = at::Tensor();
  validate();
  hook_.on_epoch_end(state_);
  if (after_epoch) after_epoch(state_);
}

void Trainer::train_minibatch(const data::Batch& batch) {
  // Dropout draws from LibTorch's generator: seeded here, its state is a function of the step and need not be saved.
  at::manual_seed(random_key(state_.seed, "dropout",
                             {static_cast<uint64_t>(state_.epoch), static_cast<uint64_t>(state_.minibatch)}));
  state_.batch = &batch;
  state_.inputs = graph_inputs(state_.graph, batch, config_.inputs, state_.device);
  state_.loss_terms.clear();
  hook_.on_minibatch_begin(state_);
  follow_graph();
  follow_lr();
  forward(batch);
  hook_.before_backward_pass(state_);
  unchecked_losses_.emplace_back(state_.minibatch, state_.loss.detach());
  if (state_.device.is_cpu() || unchecked_losses_.size() >= kLossesReadTogether) check_losses();
  state_.optimizer.zero_grad();
  state_.loss.backward();
  state_.loss.detach_();
  hook_.before_parameter_optimization(state_);
  state_.optimizer.step();
  hook_.on_minibatch_end(state_);
}

void Trainer::forward(const data::Batch& batch) {
  state_.outputs = named_outputs(state_.graph, plan_->run(state_.inputs));
  state_.loss = task_.loss(state_.outputs, batch);
}

void Trainer::follow_graph() {
  state_.graph.own_storage();
  if (plan_ && plan_->version() == state_.graph.version()) return;
  exec::prepare_parameters(state_.graph, state_.device);
  state_.optimizer.bind(state_.graph);
  plan_ = std::make_unique<exec::Plan>(state_.graph, exec::PlanOptions{.mode = exec::Mode::train});
}

void Trainer::follow_lr() {
  if (state_.lr_factor == lr_factor_) return;
  lr_factor_ = state_.lr_factor;
  state_.optimizer.set_lr_factor(lr_factor_);
}

void Trainer::check_losses() {
  for (const auto& [minibatch, loss] : unchecked_losses_) {
    last_loss_ = loss.item<double>();
    if (std::isfinite(last_loss_)) continue;
    const auto first = first_not_finite(state_.graph, state_.inputs);
    throw run_error("the loss is {} in epoch {} of {}, mini-batch {} of {}: {} {}", last_loss_, state_.epoch + 1,
                    state_.epochs, minibatch + 1, state_.minibatches,
                    first.empty() ? "all of the network's values are finite, so it is" : first,
                    first.empty() ? "the loss itself" : "is the first that is not finite")
        .hint("a lower learning rate (training.optimizer.lr) is the usual remedy");
  }
  unchecked_losses_.clear();
}

void Trainer::validate() {
  if (!state_.data.validation) return;
  state_.validation =
      evaluate(state_.graph, state_.data.validation, task_,
               {.batch_size = batch_size_, .device = state_.device, .title = "validate", .inputs = config_.inputs})
          .metrics;
}

}  // namespace compress::train
