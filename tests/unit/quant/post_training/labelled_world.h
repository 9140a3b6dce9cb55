#pragma once

#include "data/memory.h"
#include "support/quantization.h"
#include "train/samples.h"
#include "train/trainer.h"

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>

namespace compress::test {

/// A small residual network, and images labelled with what it says about them: quantising it costs loss.
struct LabelledWorld {
  Graph graph = filled_graph(kResidual);
  std::unique_ptr<train::Task> task = train::make_task({}, "classification");
  data::Splits splits;

  explicit LabelledWorld(int64_t samples = 48) {
    const auto images = random_tensor({samples, 3, 8, 8}, 17).to(at::kFloat).contiguous();
    const auto labels = evaluated(graph, images).argmax(1).contiguous();
    const auto bytes = [](const at::Tensor& tensor) {
      return std::string(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
    };
    splits.calibration =
        data::in_memory(samples, {{{"image", {3, 8, 8}}, bytes(images)}, {{"label", {}, at::kLong, 5}, bytes(labels)}});
    task->bind(graph, splits.calibration->fields());
  }

  /// `other`: a task in place of its own.
  quant::Calibration calibration(const std::filesystem::path& folder = {}, const train::Task* other = nullptr) const {
    return {.batches =
                [this](const auto& consume) {
                  train::for_training_samples(graph, splits, {.samples = 32, .batch_size = 16, .seed = 3}, {}, consume);
                },
            .samples = splits.calibration,
            .task = other ? other : task.get(),
            .seed = 3,
            .directory = folder};
  }

  /// Prepares the graph.
  std::unique_ptr<quant::Quantizer>
  quantize(const std::string& name, const std::string& yaml, const quant::Calibration& calibration) {
    auto quantizer = make_quantizer(name, yaml);
    Problems problems;
    quantizer->bind(graph, problems);
    problems.raise();
    quantizer->prepare(graph, calibration);
    return quantizer;
  }
};

}  // namespace compress::test
