// Calibration that feeds every observer beside the plain forward pass of the same images.
//
//   calibration MODEL.onnx SAMPLES BATCH REPEATS      MODEL: one image as input
//
// The two take turns. Prints one line of JSON: seconds of each, and the median of their ratios.

#include "exec/plan.h"
#include "io/onnx.h"
#include "ops/op.h"
#include "passes/pass.h"
#include "quant/post_training/calibrate.h"

#include <ATen/ops/randn.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace compress;

template <class Body>
double seconds(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> numbers) {
  std::ranges::sort(numbers);
  return numbers[numbers.size() / 2];
}

void measure(const std::string& file, int64_t samples, int64_t batch_size, int repeats) {
  auto graph = io::import_onnx(file);
  passes::run_all(passes::make_steps({"fold_batchnorm"}), graph);
  quant::StatisticsNeeds all;
  for (const auto* entry : quant::observers().entries()) all |= quant::observers().make(entry->name)->needs();
  const quant::LayerRules rules({.activations = {.bits = 8}, .weights = {.bits = 8}});
  quant::StatisticsWanted wanted;
  for (const auto& grid : quant::find_grids(graph, {.rules = rules}))
    for (const auto& value : grid.values) wanted[value] = all;

  auto shape = ops::infer(graph, batch_size).at(graph.inputs[0].name).shape;
  const std::vector<at::Tensor> batch{at::randn(shape)};
  const quant::CalibrationBatches batches = [&](const auto& consume) {
    for (int64_t i = 0; i < samples; i += batch_size) consume(batch);
  };
  std::vector<double> plain, observed, ratios;
  for (int i = -1; i < repeats; ++i) {
    const double forward = seconds([&] {
      const exec::Plan plan(graph);
      batches([&](const auto& inputs) { plan.run(inputs); });
    });
    const double calibration = seconds([&] { quant::observe_statistics(graph, wanted, batches, samples); });
    if (i < 0) continue;
    plain.push_back(forward);
    observed.push_back(calibration);
    ratios.push_back(calibration / forward);
  }
  std::printf("{\"forward\": %.4f, \"calibration\": %.4f, \"ratio\": %.3f}\n", median(plain), median(observed),
              median(ratios));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: calibration MODEL.onnx SAMPLES BATCH REPEATS\n");
    return 2;
  }
  try {
    measure(argv[1], std::stoll(argv[2]), std::stoll(argv[3]), std::stoi(argv[4]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
