// One training step or one evaluation of a network, timed: benchmarks/run.py runs this and the peers in turn.
//
//   step train MODEL BATCH REPEATS      MODEL: a zoo name or an ONNX file with one image as input; for train, logits as
//   output step eval MODEL BATCH REPEATS
//   step qat MODEL BATCH REPEATS     the same training step with QuantAwareTrainRangeLinearQuantizer at 8 bits
//
// Prints one line of JSON: seconds per step, and the largest resident memory in bytes. `qat` counts the thread's own
// user time, and takes turns with the floating-point step ("float_seconds"), so that others on the machine disturb the
// ratio little; run it with OMP_NUM_THREADS=1.

#include "core/error.h"
#include "exec/plan.h"
#include "ops/op.h"
#include "quant/quantizer.h"
#include "train/optimizer.h"
#include "zoo.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace compress;

constexpr int kWarmUp = 3;

using Seconds = std::chrono::duration<double>;

int64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

/// Of this thread.
double user_seconds() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec) * 1e-6;
}

void print_timings(int repeats, const std::function<void()>& step) {
  std::vector<double> seconds;
  for (int i = -kWarmUp; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    step();
    if (i >= 0) seconds.push_back(Seconds(std::chrono::steady_clock::now() - start).count());
  }
  fmt::print("{{\"seconds\": [{:.6f}], \"peak_bytes\": {}}}\n", fmt::join(seconds, ", "), peak_bytes());
}

at::Tensor random_images(const Graph& graph, int64_t batch) {
  auto shape = graph.inputs.at(0).shape;
  shape[0] = batch;
  return at::randn(shape);
}

/// A training step of a graph, which it owns.
class TrainingStep {
public:
  TrainingStep(Graph graph, at::Tensor images) : graph_(std::move(graph)), images_(std::move(images)) {
    const auto classes = ops::infer(graph_).at(graph_.outputs.at(0).value).shape.back();
    labels_ = at::randint(classes, {images_.size(0)}, at::kLong);
    exec::prepare_parameters(graph_, at::kCPU);
    optimizer_ = train::make_optimizer(parse_yaml("{class: SGD, lr: 0.1, momentum: 0.9}", "benchmark"));
    optimizer_->bind(graph_);
    plan_.emplace(graph_, exec::PlanOptions{.mode = ops::Mode::train});
  }

  void operator()() {
    optimizer_->zero_grad();
    at::cross_entropy_loss(plan_->run(exec::Tensors{images_})[0], labels_).backward();
    optimizer_->step();
  }

private:
  Graph graph_;
  at::Tensor images_, labels_;
  std::unique_ptr<train::Optimizer> optimizer_;
  std::optional<exec::Plan> plan_;
};

void time_training(Graph graph, const at::Tensor& images, int repeats) {
  TrainingStep step(std::move(graph), images);
  print_timings(repeats, [&] { step(); });
}

Graph quantised(const Graph& graph) {
  auto copy = graph.clone();
  copy.own_storage();
  const auto quantizer = quant::quantizers().make("QuantAwareTrainRangeLinearQuantizer");
  Settings settings;
  quantizer->declare(settings);
  settings.read(parse_yaml("{bits_activations: 8, bits_weights: 8}", "benchmark"), "benchmark");
  quantizer->prepare(copy, {});
  return copy;
}

void time_quantised_training(Graph graph, const at::Tensor& images, int repeats) {
  TrainingStep quantised_step(quantised(graph), images), float_step(std::move(graph), images);
  std::vector<double> seconds, float_seconds;
  const auto time = [](TrainingStep& step) {
    const auto start = user_seconds();
    step();
    return user_seconds() - start;
  };
  for (int i = -kWarmUp; i < repeats; ++i) {
    const auto with = time(quantised_step), without = time(float_step);
    if (i < 0) continue;
    seconds.push_back(with);
    float_seconds.push_back(without);
  }
  fmt::print("{{\"seconds\": [{:.6f}], \"float_seconds\": [{:.6f}], \"peak_bytes\": {}}}\n", fmt::join(seconds, ", "),
             fmt::join(float_seconds, ", "), peak_bytes());
}

void time_evaluation(const Graph& graph, const at::Tensor& images, int repeats) {
  const exec::Plan plan(graph);
  print_timings(repeats, [&] { plan.run(exec::Tensors{images}); });
}

}  // namespace

int main(int count, char** words) {
  if (count != 5) {
    std::fputs("usage: step train|qat|eval MODEL BATCH REPEATS\n", stderr);
    return 2;
  }
  try {
    auto graph = models::open_model(words[2], /*seed=*/1);
    const auto images = random_images(graph, std::stol(words[3]));
    const int repeats = std::stoi(words[4]);
    if (std::string(words[1]) == "train")
      time_training(std::move(graph), images, repeats);
    else if (std::string(words[1]) == "qat")
      time_quantised_training(std::move(graph), images, repeats);
    else
      time_evaluation(graph, images, repeats);
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.render());
    return 3;
  }
}
