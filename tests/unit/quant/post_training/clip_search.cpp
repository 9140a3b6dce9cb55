#include "quant/post_training/clip_search.h"

#include "core/file.h"
#include "core/interrupt.h"
#include "data/memory.h"
#include "passes/pass.h"
#include "quant/insertion/insertion.h"
#include "quant/post_training/calibrate.h"
#include "quant/post_training/quantizer_clips.h"
#include "quant/rules/grid_words.h"
#include "support/check_error.h"
#include "support/quantization.h"
#include "support/temporary_folder.h"
#include "unit/quant/post_training/labelled_world.h"
#include "unit/search/support.h"

#include <ATen/TensorOperators.h>

#include <catch2/catch.hpp>

#include <set>

using namespace compress;
using namespace compress::test;
using namespace compress::quant;

namespace {

/// Images whose labels are what the network in floating point says.
data::DatasetPtr labelled_by(const Graph& graph, const at::Tensor& images) {
  const auto labels = evaluated(graph, images).argmax(1);
  const auto x = images.contiguous();
  const std::vector<float> pixels(x.const_data_ptr<float>(), x.const_data_ptr<float>() + x.numel());
  const std::vector<int64_t> classes(labels.const_data_ptr<int64_t>(),
                                     labels.const_data_ptr<int64_t>() + labels.numel());
  return data::in_memory(
      x.size(0), {{.info = {.name = "image", .shape = {3, 8, 8}}, .bytes = data::as_bytes(pixels)},
                  {.info = {.name = "label", .type = at::kLong, .classes = 5}, .bytes = data::as_bytes(classes)}});
}

/// kResidual on grids of so many bits, with all that the search looks at.
struct Prepared {
  Graph floating, graph;
  std::vector<SharedGrid> grids;
  Statistics statistics;
  std::unique_ptr<train::Task> task = train::make_task(Yaml::map(), "classification");
  Calibration calibration;

  explicit Prepared(int64_t bits,
                    const std::function<void(LayerRules&)>& change = {},
                    std::shared_ptr<const Observer> observer = nullptr,
                    const std::string& text = kResidual)
      : floating(filled_graph(text)) {
    passes::run_all(passes::make_steps({"fold_batchnorm"}), floating);
    const auto x = random_tensor({96, 3, 8, 8}, 3);
    calibration = {.batches = calibration_of({x}), .samples = labelled_by(floating, x), .task = task.get()};
    task->bind(floating, calibration.samples->fields());
    LayerRules rules({.activations = {.bits = bits, .grid = kAsymmetricUnsigned, .observer = observer},
                      .weights = {.bits = 8, .grid = kSymmetricRestricted, .per_channel = true}});
    if (change) change(rules);
    const InsertionOptions options{.rules = rules};
    graph = floating.clone();
    grids = find_grids(graph, options);
    auto wanted = statistics_wanted(grids);
    for (auto& [name, needs] : wanted) needs |= clip_search_needs(clip_modes("observer"));
    statistics = observe_statistics(graph, wanted, calibration.batches, 96);
    insert_quantizers(graph, grids, options, choose_ranges(statistics, grids));
  }

  ClipSearchResult search(const ClipSearchOptions& options) {
    return search_clips(graph, grids, statistics, calibration, options);
  }
};

ClipSearchOptions options(const std::string& argument = "observer", const std::filesystem::path& file = {}) {
  return {.argument = argument, .modes = clip_modes(argument), .samples = 96, .file = file};
}

}  // namespace

TEST_CASE("clip_search: each layer gets a mode, and the network is at least as good as before") {
  Prepared prepared(3);
  const auto result = prepared.search(options());
  std::vector<std::string> layers;
  for (const auto& choice : result.choices) layers.push_back(choice.layer);
  REQUIRE(layers == std::vector<std::string>{"input", "relu1", "conv2", "relu2", "pool"});
  INFO(result.before.metric << " -> " << result.after.metric);
  REQUIRE(result.after.metric > result.before.metric);
  REQUIRE(result.before.metric < 100);
}

TEST_CASE("clip_search: the graph holds the ranges of the modes that were chosen") {
  Prepared prepared(3);
  const auto result = prepared.search(options());
  const auto clips = quantizer_clips(prepared.graph);
  std::set<std::string> words;
  for (size_t i = 0; i < prepared.grids.size(); ++i) {
    const auto clip = std::ranges::find(clips, prepared.grids[i].values[0], &QuantizerClip::input);
    REQUIRE(clip != clips.end());
    const auto expected =
        observers().make(result.choices[i].word)->range(prepared.statistics.at(clip->input), clip->spec);
    const auto found = clip_range(prepared.graph, *clip);
    REQUIRE(found.max.item<double>() - found.min.item<double>() == Approx(expected.high - expected.low).epsilon(1e-5));
    words.insert(result.choices[i].word);
  }
  REQUIRE(words.size() > 1);
  const train::KeptSamples samples(prepared.calibration.samples, *prepared.task, {});
  REQUIRE(CalibrationLoss(prepared.graph, samples).evaluate().metric == result.after.metric);
}

TEST_CASE("clip_search: what it found is written as overrides") {
  const TemporaryFolder folder;
  Prepared prepared(4);
  const auto result = prepared.search(options("clip_acts", folder / "clip_search.yaml"));
  REQUIRE(read_file(folder / "clip_search.yaml").starts_with("# Clip modes for 'overrides': top1 "));
  const auto written = read_yaml(folder / "clip_search.yaml");
  REQUIRE(written.keys.size() == result.choices.size());
  for (const auto& [layer, word] : result.choices) REQUIRE(written.find(layer)->find("clip_acts")->text == word);
  for (const auto& mode : clip_modes("clip_acts"))
    REQUIRE(std::set<std::string>{"NONE", "AVG", "GAUSS", "LAPLACE"}.contains(mode.word));
}

TEST_CASE("clip_search: of equal modes the first stays, and layers that are not to be clipped are left alone") {
  Prepared prepared(16);
  auto only = options();
  only.modes = {clip_modes("observer")[0], clip_modes("observer")[0]};
  for (const auto& choice : prepared.search(only).choices) REQUIRE(choice.word == "min_max");
  Prepared unclipped(3, [](LayerRules& rules) {
    rules.change({"relu.*"}, "no_clip_layers", [](LayerRule& rule) { rule.activations.clipped = false; });
  });
  for (const auto& choice : unclipped.search(options()).choices) REQUIRE_FALSE(choice.layer.starts_with("relu"));
}

TEST_CASE("clip_search: a range that an observer of its own chose stays where no mode is better") {
  const auto scales = [](const Prepared& prepared) {
    std::vector<at::Tensor> values;
    for (const auto& clip : quantizer_clips(prepared.graph))
      if (clip.role == QuantizerClip::Role::activation)
        values.push_back(prepared.graph.parameter(clip.scale).value.clone());
    return values;
  };
  Prepared prepared(3, {}, observers().make("mse"));
  const auto before = scales(prepared);
  std::shared_ptr<Observer> tiny = observers().make("n_std");
  Settings settings;
  tiny->declare(settings);
  settings.read(parse_yaml("{n: 0.01}", "test.yaml"), "n_std");
  auto worse = options();
  worse.modes = {{.word = "tiny", .observer = tiny}};
  const auto result = prepared.search(worse);
  REQUIRE(result.choices.empty());
  REQUIRE(result.after.metric == result.before.metric);
  REQUIRE(result.after.loss == result.before.loss);
  const auto after = scales(prepared);
  for (size_t i = 0; i < before.size(); ++i) REQUIRE(after[i].equal(before[i]));
  Prepared again(3, {}, observers().make("mse"));
  const auto found = again.search(options());
  REQUIRE(found.after.metric >= found.before.metric);
  if (found.after.metric == found.before.metric) REQUIRE(found.after.loss <= found.before.loss);
}

TEST_CASE("clip_search: of a shared grid, a value that is not to be clipped keeps all of its range") {
  const auto text = R"(graph joined(input: float[N,3,8,8]) -> (output = fc)
parameter a.weight: float[4,3,3,3]
parameter b.weight: float[4,3,3,3]
parameter fc.weight: float[5,8]
a = Conv(input, %a.weight) kernel_shape=[3,3]
a_relu = Relu(a)
b = Conv(input, %b.weight) kernel_shape=[3,3]
b_relu = Relu(b)
both = Concat(a_relu, b_relu) axis=1
pool = GlobalAveragePool(both)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight) transB=1
)";
  for (const auto& [kept, clipped] : {std::pair("a_relu", "b_relu"), std::pair("b_relu", "a_relu")}) {
    Prepared prepared(
        3, [&](LayerRules& rules) { rules.change({kept}, "no_clip_layers", keep_range); }, nullptr, text);
    const auto result = prepared.search(options());
    std::set<std::string> layers;
    for (const auto& choice : result.choices) layers.insert(choice.layer);
    REQUIRE(layers == std::set<std::string>{"input", clipped, "pool"});
    for (const auto& clip : quantizer_clips(prepared.graph))
      if (clip.input == "a_relu")
        REQUIRE(clip_range(prepared.graph, clip).max.item<double>() >=
                0.999 * prepared.statistics.at(kept).extremes().high);
  }
}

TEST_CASE("clip_search: Ctrl-C ends the search alone, and the best so far stays") {
  const TemporaryFolder folder;
  for (const int evaluations : {0, 1, 4, 7, 14}) {
    INFO(evaluations);
    Prepared prepared(3);
    const compress::search::test::StoppingTask stopping(*prepared.task, evaluations);
    prepared.calibration.task = &stopping;
    if (evaluations == 0) {  // nothing was found yet
      require_error([&] { prepared.search(options()); }, "interrupted");
      continue;
    }
    const auto result = prepared.search(options("observer", folder / "clip_search.yaml"));
    REQUIRE(result.interrupted ==
            fmt::format("the clip search was interrupted: {} of 5 layers were searched", (evaluations - 1) / 4));
    REQUIRE_FALSE(interrupted());
    const train::KeptSamples samples(prepared.calibration.samples, *prepared.task, {});
    const auto reached = CalibrationLoss(prepared.graph, samples).evaluate();
    REQUIRE(reached.metric == result.after.metric);
    REQUIRE(reached.metric >= result.before.metric);
    REQUIRE(read_yaml(folder / "clip_search.yaml").keys.size() == result.choices.size());
  }
}

TEST_CASE("clip_search: an interrupted search fails the run, also after a resume") {
  for (const auto& [name, yaml] :
       {std::pair("PostTrainQuantizer", "{clip_search: true, bias_correction: true, bits_activations: 3}"),
        std::pair("PostTrainLinearQuantizer", "{clip_search: true, calibration_samples: 32, bits_activations: 3}")}) {
    INFO(name);
    LabelledWorld world;
    const compress::search::test::StoppingTask stopping(*world.task, 6);
    const auto quantizer = world.quantize(name, yaml, world.calibration({}, &stopping));
    REQUIRE(quantizer->unmet().starts_with("the clip search was interrupted: 1 of "));
    REQUIRE(quantizer->unmet().ends_with(", and biases were not corrected") ==
            (name == std::string("PostTrainQuantizer")));
    const auto resumed = make_quantizer(name, yaml);
    resumed->load(quantizer->save());
    REQUIRE(resumed->unmet() == quantizer->unmet());
    resumed->load({});
    REQUIRE(resumed->unmet().empty());
  }
}

TEST_CASE("clip_search: without labelled samples it says so") {
  Prepared prepared(4);
  prepared.calibration.samples = nullptr;
  require_error([&] { prepared.search(options()); }, "needs training samples with labels, and there are none");
}
