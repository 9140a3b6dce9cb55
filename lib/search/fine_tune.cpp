#include "search/fine_tune.h"

#include "core/random.h"
#include "prune/pruner.h"
#include "train/trainer.h"

#include <algorithm>
#include <cmath>

namespace compress::search {

namespace {

/// The run's task, which is bound already.
class BoundTask final : public train::Task {
public:
  explicit BoundTask(const train::Task& task) : task_(task) {}
  void declare(Settings&) override {}
  void bind(const Graph&, const std::vector<data::FieldInfo>&) override {}
  at::Tensor loss(const std::map<std::string, at::Tensor>& outputs, const data::Batch& batch) const override {
    return task_.loss(outputs, batch);
  }
  std::unique_ptr<train::Meter> meter() const override { return task_.meter(); }
  std::string main_metric() const override { return task_.main_metric(); }
  bool higher_is_better() const override { return task_.higher_is_better(); }
  void check_batch(const data::Batch& batch) const override { task_.check_batch(batch); }

private:
  const train::Task& task_;
};

class KeepMasks final : public train::Hook {
public:
  void on_minibatch_end(train::State& state) override {
    for (const Parameter& parameter : state.graph.parameters()) prune::apply_mask(state.graph, parameter);
  }
};

std::unique_ptr<train::Optimizer> optimizer_for(const FineTune& settings) {
  auto section = Yaml::map();
  section.set("class", Yaml::scalar("SGD"));
  section.set("lr", Yaml::scalar(fmt::format("{}", settings.learning_rate)));
  section.set("momentum", Yaml::scalar(fmt::format("{}", settings.momentum)));
  section.set("weight_decay", Yaml::scalar(fmt::format("{}", settings.weight_decay)));
  return train::make_optimizer(section);
}

/// Mini-batches to train, at least one.
int64_t batches_to_train(const FineTune& settings, int64_t in_epoch, double way) {
  const double all = static_cast<double>(settings.batches ? *settings.batches : *settings.epochs * in_epoch);
  const double share = settings.policy == FineTune::Policy::constant ? 1 : std::clamp(way, 0.0, 1.0);
  return std::max<int64_t>(1, std::llround(all * share));
}

}  // namespace

void FineTune::declare(Settings& settings) {
  settings.optional("epochs", epochs, "passes over the training data", at_least(1));
  settings.optional("batches", batches, "mini-batches, in place of epochs", at_least(1));
  settings.optional("learning_rate", learning_rate, "of SGD", above(0));
  settings.optional("momentum", momentum, "of SGD", half_open(0, 1));
  settings.optional("weight_decay", weight_decay, "of SGD", at_least(0));
  settings.choice("policy", policy, {{"constant", Policy::constant}, {"linear-grow", Policy::linear_grow}},
                  "linear-grow: from one mini-batch at the start to all of them at the target");
}

void FineTune::check() const {
  if (epochs.has_value() == batches.has_value()) throw request_error("'fine_tune' needs either 'epochs' or 'batches'");
}

void fine_tune(Graph& graph,
               const FineTune& settings,
               const train::State& state,
               const data::DatasetPtr& data,
               int64_t iteration,
               double way) {
  const int64_t in_epoch = (data->size() + state.batch_size - 1) / state.batch_size;
  const int64_t batches = batches_to_train(settings, in_epoch, way);
  const int64_t epochs = (batches + in_epoch - 1) / in_epoch;
  const int64_t samples = std::min(data->size(), (batches + epochs - 1) / epochs * state.batch_size);
  const auto number = static_cast<uint64_t>(iteration);
  auto chosen = permutation(data->size(), Random(state.seed, "search fine-tune", {number}));
  chosen.resize(static_cast<size_t>(samples));
  data::Splits splits{.train = data::subset(data, std::move(chosen))};

  train::TrainingConfig config;
  if (state.config) config = *state.config;
  config.seed = static_cast<int64_t>(random_key(state.seed, "search fine-tune order", {number}) >> 1);
  config.accumulate = 1;
  config.ema.reset();
  BoundTask task(state.task);
  KeepMasks hook;
  const auto optimizer = optimizer_for(settings);
  train::Trainer(graph, splits, task, *optimizer, hook, config, epochs, state.batch_size, state.prefetch).run();
}

}  // namespace compress::search
