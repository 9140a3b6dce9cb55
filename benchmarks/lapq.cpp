// LAPQ's axis searches with and without keeping what the changed clip does not touch.
//
//   lapq MODEL.onnx DATA SAMPLES [AXES]      DATA: as in --data, "cifar10:FOLDER"
//
// The first iteration of Powell's method at 4 bits, on all clips or on AXES of them evenly chosen, runs twice; both
// take the same points and must find the same losses. Counts processor time of the thread: run it with
// OMP_NUM_THREADS=1. Prints one line of JSON: evaluations a second of both, and their ratio.

#include "core/error.h"
#include "core/settings.h"
#include "io/onnx.h"
#include "quant/lapq/clip_space.h"
#include "quant/lapq/powell.h"
#include "quant/post_training/calibration_loss.h"
#include "train/samples.h"
#include "train/trainer.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace compress;

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Search {
  double seconds = 0;
  std::vector<double> losses;
};

/// Starts where the clips are.
Search
search(Graph graph, const std::vector<quant::QuantizerClip>& clips, const train::KeptSamples& samples, bool keep) {
  quant::ClipSpace space(graph, clips, false);
  quant::CalibrationLoss loss(graph, samples);
  Search found;
  loss.evaluate();  // reads the samples
  quant::Evaluations evaluations(
      [&](const quant::Point& point, std::optional<size_t> axis) {
        const auto begin = processor_seconds();
        if (const auto written = space.set(point); !written.empty()) loss.changed(written);
        const auto result = axis && keep ? loss.evaluate_from(space.node(*axis)) : loss.evaluate();
        if (axis) found.seconds += processor_seconds() - begin;
        if (axis) found.losses.push_back(result.loss);
        return result.loss;
      },
      100000);
  quant::powell(evaluations, space.region(), space.start(), {.max_iterations = 1});
  return found;
}

void quantize(Graph& graph, const quant::Calibration& calibration) {
  auto quantizer = quant::quantizers().make("PostTrainMinMaxQuantizer");
  Settings settings;
  quantizer->declare(settings);
  settings.read(parse_yaml("{bits_activations: 4, bits_weights: 4}", ""), "PostTrainMinMaxQuantizer");
  quantizer->prepare(graph, calibration);
}

void measure(const std::string& model, const std::string& source, int64_t count, size_t axes) {
  auto graph = io::import_onnx(model);
  data::DataConfig config;
  config.set_source(source);
  const auto splits = data::open_splits(config, 1);
  const auto task = train::make_task({}, "classification");
  task->bind(graph, splits.train->fields());
  const quant::Calibration calibration{.batches =
                                           [&](const auto& consume) {
                                             train::for_training_samples(
                                                 graph, splits, {.samples = count, .batch_size = 100}, {}, consume);
                                           },
                                       .samples = splits.calibration,
                                       .task = task.get()};
  quantize(graph, calibration);
  auto clips = quant::quantizer_clips(graph);
  std::vector<quant::QuantizerClip> chosen;
  for (size_t i = 0; i < std::min(axes, clips.size()); ++i)
    chosen.push_back(clips[i * clips.size() / std::min(axes, clips.size())]);
  const auto samples = quant::labelled_samples(calibration, count);
  const auto kept = search(graph.clone(), chosen, samples, true), plain = search(graph.clone(), chosen, samples, false);
  if (kept.losses != plain.losses) throw run_error("the two searches found different losses");
  const auto evaluations = static_cast<double>(kept.losses.size());
  std::printf("{\"clips\": %zu, \"samples\": %lld, \"evaluations\": %zu, \"kept_per_second\": %.3f, "
              "\"plain_per_second\": %.3f, \"ratio\": %.3f}\n",
              chosen.size(), static_cast<long long>(samples.size()), kept.losses.size(), evaluations / kept.seconds,
              evaluations / plain.seconds, plain.seconds / kept.seconds);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) {
    std::fputs("usage: lapq MODEL.onnx DATA SAMPLES [AXES]\n", stderr);
    return 2;
  }
  try {
    measure(arguments[1], arguments[2], std::stoll(arguments[3]),
            count > 4 ? std::stoull(arguments[4]) : std::numeric_limits<size_t>::max());
  } catch (const Error& error) {
    std::fputs((error.render() + "\n").c_str(), stderr);
    return 2;
  }
}
