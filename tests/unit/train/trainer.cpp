#include "train/trainer.h"

#include "small_graphs.h"
#include "support/check_error.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>

#include <limits>

namespace compress::train {
namespace {

using namespace compress::train::test;
using compress::test::require_error;

double test_metric(const Setup& setup, const std::string& name) {
  return metric(evaluate(setup.graph, setup.data.test, *setup.task, {.inputs = setup.config.inputs}).metrics, name);
}

TEST_CASE("trainer: a small convolutional network learns `synthetic`", "[train]") {
  Setup setup(conv_net(), "synthetic", "{lr: 0.05, momentum: 0.9}", 1024);
  setup.trainer(3).run();
  REQUIRE(test_metric(setup, "top1") > 95);
}

TEST_CASE("trainer: a regression network learns a function", "[train]") {
  Setup setup(regression_net(), "synthetic_regression", "{lr: 0.1, momentum: 0.9}", 1024);
  setup.task->bind(setup.graph, setup.data.train->fields());
  const double before = test_metric(setup, "mse");
  setup.trainer(20).run();
  REQUIRE(test_metric(setup, "mse") < 0.1 * before);
}

TEST_CASE("trainer: a network of two inputs trains on two fields", "[train]") {
  Setup setup(pair_net(), "synthetic_pair", "{lr: 0.02, momentum: 0.9}", 1024);
  setup.config.inputs = {{"a", "left"}, {"b", "right"}};
  setup.trainer(4).run();
  REQUIRE(test_metric(setup, "top1") > 95);
}

TEST_CASE("trainer: same seed, same bits; another seed, others", "[train]") {
  const auto train = [](int64_t seed) {
    Setup setup(conv_net(), "synthetic");
    setup.config.seed = seed;
    setup.trainer(1).run();
    return weights_of(setup.graph);
  };
  REQUIRE(train(3) == train(3));
  REQUIRE(train(3) != train(4));
}

TEST_CASE("trainer: a run that goes on from a saved epoch ends with the same bits, dropout too", "[train]") {
  for (const auto& [net, data] : {std::pair{&conv_net, "synthetic"}, {&dropout_net, "synthetic_regression"}}) {
    Setup whole(net(), data), first(net(), data);
    whole.trainer(2).run();
    first.trainer(1).run();
    Setup rest(first.graph.clone(), data);
    rest.optimizer->load_state(first.optimizer->state());
    rest.trainer(2).run(1);
    REQUIRE(weights_of(rest.graph) == weights_of(whole.graph));
    REQUIRE(weights_of(rest.graph) != weights_of(first.graph));
  }
}

/// Writes down what is called.
struct Recorder : Hook {
  std::vector<std::string> calls;
  void on_training_begin(State&) override { calls.push_back("training begin"); }
  void on_epoch_begin(State& state) override { calls.push_back(fmt::format("epoch {} begin", state.epoch)); }
  void on_minibatch_begin(State& state) override {
    calls.push_back(fmt::format("batch {}/{} begin", state.minibatch, state.minibatches));
  }
  void before_backward_pass(State& state) override {
    REQUIRE(state.loss.requires_grad());
    REQUIRE(state.outputs.at("logits").size(0) == state.batch->size);
    calls.push_back("backward");
  }
  void before_parameter_optimization(State& state) override {
    REQUIRE(state.graph.parameter("fc.weight").value.grad().defined());
    calls.push_back("optimize");
  }
  void on_minibatch_end(State& state) override { calls.push_back(fmt::format("step {} end", state.step)); }
  void on_epoch_end(State& state) override {
    REQUIRE(metric(state.training, "top1") > 0);
    REQUIRE(metric(state.validation, "loss") > 0);
    calls.push_back("epoch end");
  }
  void on_training_end(State&) override { calls.push_back("training end"); }
};

TEST_CASE("trainer: hooks are called in their order", "[train]") {
  Setup setup(conv_net(), "synthetic");
  Recorder recorder;
  auto trainer = setup.trainer(2, &recorder, 512);
  trainer.after_epoch = [&](const State&) { recorder.calls.push_back("after epoch"); };
  trainer.after_minibatch = [&](const State& state) { REQUIRE(std::isfinite(state.loss.item<double>())); };
  trainer.run();
  REQUIRE(recorder.calls == std::vector<std::string>{"training begin", "epoch 0 begin", "batch 0/1 begin", "backward",
                                                     "optimize", "step 0 end", "epoch end", "after epoch",
                                                     "epoch 1 begin", "batch 0/1 begin", "backward", "optimize",
                                                     "step 1 end", "epoch end", "after epoch", "training end"});
}

TEST_CASE("trainer: parts that accumulate learn as a mini-batch of their size does, the last and smaller too",
          "[train]") {
  const auto train = [](int64_t batch_size, int64_t accumulate) {
    Setup setup(regression_net(), "synthetic_regression", "{lr: 0.1, momentum: 0.9, weight_decay: 0.01}", 456);
    setup.config.accumulate = accumulate;
    auto trainer = setup.trainer(2, nullptr, batch_size);
    trainer.run();
    REQUIRE(trainer.state().step == 2 * 4);
    return weights_of(setup.graph);
  };
  const auto whole = train(128, 1), parts = train(32, 4), uneven = train(43, 3);
  for (size_t i = 0; i < whole.size(); ++i) REQUIRE(parts[i] == Approx(whole[i]).margin(1e-5));
  REQUIRE(uneven.size() == whole.size());
}

TEST_CASE("trainer: hooks see a mini-batch once, and a loss for each of its parts", "[train]") {
  Setup setup(conv_net(), "synthetic");
  setup.config.accumulate = 2;
  Recorder recorder;
  setup.trainer(1, &recorder, 150).run();  // 150 + 150, 150 + 62
  REQUIRE(recorder.calls == std::vector<std::string>{"training begin", "epoch 0 begin", "batch 0/2 begin", "backward",
                                                     "backward", "optimize", "step 0 end", "batch 1/2 begin",
                                                     "backward", "backward", "optimize", "step 1 end", "epoch end",
                                                     "training end"});
}

/// Adds to the loss.
struct ExtraLoss : Hook {
  double factor, terms = 0;
  explicit ExtraLoss(double factor) : factor(factor) {}
  void before_backward_pass(State& state) override {
    const at::Tensor term = state.graph.parameter("fc.weight").value.square().sum();
    state.loss = state.loss + factor * term;
    state.loss_terms.emplace_back("square", term);
    terms += term.item<double>();
  }
};

TEST_CASE("trainer: what a hook adds to the loss is trained", "[train]") {
  const auto norm = [](double factor) {
    Setup setup(conv_net(), "synthetic");
    ExtraLoss hook(factor);
    setup.trainer(1, &hook).run();
    const at::NoGradGuard no_grad;
    return setup.graph.parameter("fc.weight").value.square().sum().item<double>();
  };
  REQUIRE(norm(0.5) < 0.5 * norm(0));
}

/// Asks, in every other mini-batch, for a value inside of the network and adds its mean square to the loss.
struct Watch : Hook {
  std::string name = "relu1";
  double factor = 0, mean_square = 0;
  std::vector<std::string> observed(const State& state) const override {
    return state.minibatch % 2 == 0 ? std::vector<std::string>{name} : std::vector<std::string>{};
  }
  void before_backward_pass(State& state) override {
    REQUIRE(state.values.size() == (state.minibatch % 2 == 0 ? 1 : 0));
    if (state.values.empty()) return;
    const auto& value = state.values.at(name);
    REQUIRE(value.requires_grad());
    REQUIRE(value.scalar_type() == at::kFloat);
    REQUIRE(value.size(0) == state.batch->size);
    const at::Tensor term = value.square().mean();
    state.loss = state.loss + factor * term;
    mean_square = term.item<double>();
  }
  void on_minibatch_end(State& state) override { REQUIRE(state.values.empty()); }
};

TEST_CASE("trainer: a hook sees the values it asks for and can train them", "[train]") {
  const auto size = [](Precision precision, int64_t accumulate, double factor) {
    Setup setup(conv_net(), "synthetic");
    setup.config.accumulate = accumulate;
    setup.config.precision = precision;
    Watch hook;
    hook.factor = factor;
    setup.trainer(3, &hook).run();
    return hook.mean_square;
  };
  const double free = size(Precision::float32, 1, 0);
  REQUIRE(size(Precision::float32, 1, 1) < 0.8 * free);
  REQUIRE(size(Precision::float32, 2, 1) < 0.9 * free);
  REQUIRE(size(Precision::bfloat16, 1, 1) < 0.8 * free);
}

TEST_CASE("trainer: a value that the network does not have cannot be asked for", "[train]") {
  Setup setup(conv_net(), "synthetic");
  Watch hook;
  hook.name = "relu3";
  require_error([&] { setup.trainer(1, &hook).run(); }, "has no value 'relu3' to observe", "did you mean 'relu1'?");
}

TEST_CASE("trainer: the terms that hooks name are averaged over the epoch", "[train]") {
  ExtraLoss hook(0.5);
  Setup setup(conv_net(), "synthetic");
  auto trainer = setup.trainer(1, &hook);
  trainer.run();
  REQUIRE(metric(trainer.state().mean_loss_terms, "square") == Approx(hook.terms / 8));
}

TEST_CASE("trainer: the learning-rate factor of a hook takes effect at once", "[train]") {
  struct Stop : Hook {
    void on_epoch_begin(State& state) override { state.lr_factor = 0; }
  } stop;
  Setup setup(regression_net(), "synthetic_regression");
  const auto before = weights_of(setup.graph);
  setup.trainer(1, &stop).run();
  REQUIRE(weights_of(setup.graph) == before);
  REQUIRE(setup.optimizer->lr() == 0);
}

/// Removes a hidden unit of the regression network after the first epoch.
struct Cut : Hook {
  static at::Tensor without_last(const at::Tensor& value, int64_t axis) {
    return value.detach().narrow(axis, 0, value.size(axis) - 1).clone();
  }
  void on_epoch_end(State& state) override {
    if (state.epoch != 0) return;
    std::vector<int64_t> kept(15);
    for (size_t i = 0; i < kept.size(); ++i) kept[i] = static_cast<int64_t>(i);
    Changes changes;
    for (const auto& [name, axis] : {std::pair{"fc1.weight", 0}, {"fc1.bias", 0}, {"fc2.weight", 1}}) {
      state.graph.assign(name, without_last(state.graph.parameter(name).value, axis));
      changes.sliced.push_back({.parameter = name, .axis = axis, .kept = kept});
    }
    state.apply(changes);
  }
};

TEST_CASE("trainer: a graph that a hook has cut goes on training, with its optimiser's state", "[train]") {
  Setup setup(regression_net(), "synthetic_regression");
  Cut cut;
  setup.trainer(3, &cut).run();
  REQUIRE(setup.optimizer->state().at("momentum_buffer/fc1.weight").sizes().vec() == Shape{15, 8});
  REQUIRE(setup.graph.parameter("fc2.weight").value.sizes().vec() == Shape{1, 15});
}

TEST_CASE("trainer: a clone made while training keeps its weights", "[train]") {
  struct Keep : Hook {
    std::optional<Graph> copy;
    std::vector<float> weights;
    void on_epoch_begin(State& state) override {
      if (state.epoch != 1) return;
      copy = state.graph.clone();
      weights = weights_of(*copy);
    }
  } keep;
  Setup setup(regression_net(), "synthetic_regression");
  setup.trainer(2, &keep).run();
  REQUIRE(weights_of(*keep.copy) == keep.weights);
  REQUIRE(weights_of(setup.graph) != keep.weights);
}

TEST_CASE("trainer: a loss that is not finite names epoch, mini-batch and the first bad value", "[train]") {
  const auto run = [](const std::function<void(State&)>& spoil, double lr = 0.1) {
    struct Spoil : Hook {
      std::function<void(State&)> action;
      void on_minibatch_begin(State& state) override {
        if (state.step == 9) action(state);
      }
    } hook;
    hook.action = spoil;
    Setup setup(conv_net(), "synthetic", fmt::format("{{lr: {}}}", lr));
    setup.trainer(2, &hook).run();
  };
  const double infinity = std::numeric_limits<double>::infinity();
  const auto fill = [&](const char* name, double value) {
    return [=](State& state) {
      const at::NoGradGuard no_grad;
      state.graph.writable(name).fill_(value);
    };
  };
  require_error([&] { run(fill("conv2.weight", infinity)); }, "the loss is ",
                "in epoch 2 of 2, mini-batch 2 of 8: parameter 'conv2.weight'", "is the first that is not finite",
                "a lower learning rate (training.optimizer.lr)");
  require_error([&] { run(fill("conv2.weight", 3e38)); },
                "the output of node 'conv2' (Conv) is the first that is not finite");
  require_error([&] { run([&](State& state) { state.inputs[0].fill_(infinity); }); }, "the input 'image' is the first");
}

TEST_CASE("trainer: a term of the loss that is not finite is told from the network", "[train]") {
  ExtraLoss hook(std::numeric_limits<double>::infinity());
  Setup setup(conv_net(), "synthetic");
  require_error([&] { setup.trainer(1, &hook).run(); }, "the loss is inf in epoch 1 of 1, mini-batch 1 of 8",
                "all of the network's values are finite, so it is the loss itself");
}

TEST_CASE("trainer: without a validation split there are no validation metrics", "[train]") {
  struct Look : Hook {
    void on_epoch_end(State& state) override { REQUIRE(state.validation.empty()); }
  } look;
  Setup setup(regression_net(), "synthetic_regression");
  setup.data.validation = nullptr;
  setup.trainer(1, &look).run();
}

TEST_CASE("trainer: what does not fit is refused before training", "[train]") {
  require_error([] { Setup(regression_net(), "synthetic").trainer(1); },
                "output 'prediction' of 'regression_net' has 1 classes, but field 'label' of the data has 10");
  require_error([] { Setup(conv_net(), "synthetic_regression").trainer(1); },
                "task 'regression': output 'logits' of 'conv_net' is 10");
  require_error([] { Setup(pair_net(), "synthetic_pair").trainer(1); },
                "no field of the data fits the model's input 'a'");
  Setup setup(conv_net(), "synthetic");
  setup.config.device = "tpu";
  require_error([&] { setup.trainer(1); }, "unknown device 'tpu'");
}

TEST_CASE("evaluate: metrics do not depend on the batch size, and the graph stays as it is", "[train]") {
  Setup setup(conv_net(), "synthetic");
  setup.trainer(1).run();
  const auto before = weights_of(setup.graph);
  const auto version = setup.graph.version();
  const auto small = evaluate(setup.graph, setup.data.test, *setup.task, {.batch_size = 7});
  const auto large = evaluate(setup.graph, setup.data.test, *setup.task, {.batch_size = 128});
  REQUIRE(small.samples == 128);
  REQUIRE(metric(small.metrics, "top1") == metric(large.metrics, "top1"));
  REQUIRE(metric(small.metrics, "loss") == Approx(metric(large.metrics, "loss")));
  REQUIRE(weights_of(setup.graph) == before);
  REQUIRE(setup.graph.version() == version);
}

TEST_CASE("trainer: a hook's momentum takes effect at once", "[train]") {
  const auto train = [](const char* optimizer, std::optional<double> momentum) {
    struct Cycle : Hook {
      std::optional<double> momentum;
      void on_minibatch_begin(State& state) override { state.momentum = momentum; }
    } cycle;
    cycle.momentum = momentum;
    Setup setup(regression_net(), "synthetic_regression", optimizer);
    setup.trainer(1, &cycle).run();
    return weights_of(setup.graph);
  };
  REQUIRE(train("{momentum: 0.1}", 0.8) == train("{momentum: 0.8}", std::nullopt));
}

TEST_CASE("training section: what is printed reads the same, with the new settings", "[train]") {
  const auto again = [](const std::string& text) {
    TrainingConfig config;
    Settings settings;
    config.declare(settings);
    settings.read(parse_yaml(text, "r.yaml"), "training");
    config.check();
    return to_text(settings.print());
  };
  const auto text = again("{precision: bfloat16, accumulate: 4, clip_norm: 1.5, ema: {decay: 0.99, warmup: false}, "
                          "freeze: ['conv*'], freeze_statistics: false, num_best_scores: 3}");
  REQUIRE(again(text) == text);
  REQUIRE(text.find("decay: 0.99") != std::string::npos);
  REQUIRE(again("{}") == again(again("{}")));
  require_error([&] { again("{clip_norm: 1, clip_value: 1}"); }, "'clip_norm' and 'clip_value' exclude each other");
  require_error([&] { again("{ema: {decay: 1}}"); }, "r.yaml:1:15: error: 'decay' must be a number in [0, 1), not 1");
  require_error([&] { again("{ema: {decy: 1}}"); }, "did you mean 'decay'?");
  require_error([&] { again("{precision: half}"); }, "'precision'", "float32, bfloat16 or float16");
  require_error([&] { again("{accumulate: 0}"); }, "'accumulate' must be an integer in [1, 1000000], not 0");
}

TEST_CASE("training section: all fields are read", "[train]") {
  TrainingConfig config;
  Settings settings;
  config.declare(settings);
  settings.read(
      parse_yaml("{epochs: 3, seed: 7, device: cuda, threads: 2, optimizer: {class: Adam}, task: {class: regression}}",
                 "r.yaml"),
      "training");
  REQUIRE(config.epochs == 3);
  REQUIRE(config.seed == 7);
  REQUIRE(config.optimizer.find("class")->text == "Adam");
  require_error([&] { settings.read(parse_yaml("{epoch: 3}", "r.yaml"), "training"); }, "did you mean 'epochs'?");
}

}  // namespace
}  // namespace compress::train
