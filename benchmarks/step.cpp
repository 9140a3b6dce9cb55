// One training step or one evaluation of a network, timed: benchmarks/run.py runs this and the peers in turn.
//
//   step train MODEL BATCH REPEATS      MODEL: a zoo name or an ONNX file with one image as input; for train, logits as
//   output step eval MODEL BATCH REPEATS
//
// Prints one line of JSON: seconds per step, and the largest resident memory in bytes.

#include "core/error.h"
#include "exec/plan.h"
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
#include <string>
#include <vector>

namespace {

using namespace compress;

constexpr int kWarmUp = 3;

void print_timings(int repeats, const std::function<void()>& step) {
  std::string seconds;
  for (int i = -kWarmUp; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    step();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (i >= 0) seconds += fmt::format("{}{:.6f}", seconds.empty() ? "" : ", ", elapsed.count());
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{{\"seconds\": [{}], \"peak_bytes\": {}}}\n", seconds, usage.ru_maxrss * 1024);
}

at::Tensor random_images(const Graph& graph, int64_t batch) {
  auto shape = graph.inputs.at(0).shape;
  shape[0] = batch;
  return at::randn(shape);
}

void time_training(Graph& graph, const at::Tensor& images, int repeats) {
  const auto classes = ops::infer(graph).at(graph.outputs.at(0).value).shape.back();
  const auto labels = at::randint(classes, {images.size(0)}, at::kLong);
  exec::prepare_parameters(graph, at::kCPU);
  const auto optimizer = train::make_optimizer(parse_yaml("{class: SGD, lr: 0.1, momentum: 0.9}", "benchmark"));
  optimizer->bind(graph);
  const exec::Plan plan(graph, {.mode = ops::Mode::train});
  print_timings(repeats, [&] {
    optimizer->zero_grad();
    at::cross_entropy_loss(plan.run(exec::Tensors{images})[0], labels).backward();
    optimizer->step();
  });
}

void time_evaluation(const Graph& graph, const at::Tensor& images, int repeats) {
  const exec::Plan plan(graph);
  print_timings(repeats, [&] { plan.run(exec::Tensors{images}); });
}

}  // namespace

int main(int count, char** words) {
  if (count != 5) {
    std::fputs("usage: step train|eval MODEL BATCH REPEATS\n", stderr);
    return 2;
  }
  try {
    auto graph = models::open_model(words[2], /*seed=*/1);
    const auto images = random_images(graph, std::stol(words[3]));
    const int repeats = std::stoi(words[4]);
    if (std::string(words[1]) == "train")
      time_training(graph, images, repeats);
    else
      time_evaluation(graph, images, repeats);
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.render());
    return 3;
  }
}
