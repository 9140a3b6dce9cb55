#include "core/file.h"
#include "quant/lapq/clip_space.h"
#include "quant/post_training/calibration_loss.h"
#include "quant/post_training/quantizer_clips.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/temporary_folder.h"
#include "unit/quant/post_training/labelled_world.h"
#include "unit/search/support.h"

#include <nlohmann/json.hpp>

using namespace compress;
using namespace compress::test;

namespace {

struct LapqWorld : LabelledWorld {
  std::unique_ptr<quant::Quantizer> lapq(const std::string& yaml, const quant::Calibration& calibration) {
    return LabelledWorld::quantize("LapqQuantizer", yaml, calibration);
  }
  std::unique_ptr<quant::Quantizer> lapq(const std::string& yaml) { return lapq(yaml, calibration()); }
  double loss() const {
    const auto samples = quant::labelled_samples(calibration(), 48);
    return quant::CalibrationLoss(graph, samples).evaluate().loss;
  }
};

/// Its loss is no number.
class BrokenTask final : public train::Task {
public:
  explicit BrokenTask(const train::Task& task) : task_(task) {}
  void declare(Settings&) override {}
  void bind(const Graph&, const std::vector<data::FieldInfo>&) override {}
  at::Tensor loss(const std::map<std::string, at::Tensor>& outputs, const data::Batch& batch) const override {
    return task_.loss(outputs, batch);
  }
  std::unique_ptr<train::Meter> meter() const override { return std::make_unique<BrokenMeter>(); }
  std::string main_metric() const override { return task_.main_metric(); }
  bool higher_is_better() const override { return task_.higher_is_better(); }
  void check_batch(const data::Batch& batch) const override { task_.check_batch(batch); }

private:
  struct BrokenMeter final : train::Meter {
    void add(const std::map<std::string, at::Tensor>&, const data::Batch&) override {}
    train::Metrics result() const override { return {{"top1", 20}, {"loss", std::nan("")}}; }
  };
  const train::Task& task_;
};

/// Every number that the search decides.
std::vector<at::Tensor> clip_numbers(const Graph& graph) {
  std::vector<at::Tensor> numbers;
  for (const auto& clip : quant::quantizer_clips(graph)) {
    numbers.push_back(graph.parameter(clip.scale).value);
    numbers.push_back(graph.parameter(clip.zero_point).value);
  }
  return numbers;
}

bool equal_bits(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::ranges::equal(a, b, [](const at::Tensor& x, const at::Tensor& y) { return x.equal(y); });
}

nlohmann::json record_in(const TemporaryFolder& folder) {
  return nlohmann::json::parse(read_file(folder / "lapq.json"));
}

double least_loss(const nlohmann::json& record) {
  auto least =
      record.at("search").is_null() ? quant::kWorstLoss : record.at("search").at("best").at("loss").get<double>();
  for (const double loss : record.at("losses")) least = std::min(least, loss);
  return least;
}

}  // namespace

TEST_CASE("lapq_quantizer: the loss falls from the extremes to the fitted norm to the joint search") {
  LapqWorld world;
  const TemporaryFolder folder;
  const auto quantizer =
      world.lapq("{bits_weights: 3, bits_activations: 3, maxiter: 2}", world.calibration(folder.path()));
  const auto record = record_in(folder);
  const double start = record.at("losses").at("start"), fitted = record.at("search").at("losses")[0],
               best = record.at("search").at("best").at("loss");
  REQUIRE(record.at("losses").size() >= 11);
  REQUIRE(fitted <= start + 1e-6);
  REQUIRE(best < fitted);
  REQUIRE(world.loss() == Approx(best).epsilon(1e-6));
  REQUIRE(quantizer->unmet().empty());
  for (const double loss : record.at("search").at("losses")) REQUIRE(best <= loss);
}

TEST_CASE("lapq_quantizer: every start is searched from, and nothing ends above it") {
  for (const std::string mode : {"LP", "NONE", "AVG", "LAPLACE", "GAUSS", "L1", "L2", "L3"}) {
    INFO(mode);
    LapqWorld world;
    const TemporaryFolder folder;
    world.lapq("{bits_weights: 3, init_mode: " + mode + ", maxiter: 1}", world.calibration(folder.path()));
    const auto record = record_in(folder);
    const double start = record.at("losses").at("start"), first = record.at("search").at("losses")[0];
    REQUIRE(first <= start + 1e-6);
    REQUIRE(world.loss() <= first + 1e-6);
    const size_t stages = mode == "LP" ? 11 : mode[0] == 'L' && mode.size() == 2 ? 2 : 1;
    REQUIRE(record.at("losses").size() >= stages);
  }
}

TEST_CASE("lapq_quantizer: every method searches, with the limit it knows") {
  for (const std::string method :
       {"powell, maxiter: 1", "powell, maxfev: 40", "bobyqa, maxfev: 40", "cobyla, maxfev: 40",
        "nelder-mead, maxfev: 40", "sbplx, maxfev: 40", "powell, maxiter: 1, basinhopping: true, basinhopping_niter: 2",
        "sbplx, maxfev: 60, basinhopping: true"}) {
    INFO(method);
    LapqWorld world;
    const TemporaryFolder folder;
    world.lapq("{bits_weights: 2, init_mode: NONE, method: " + method + "}", world.calibration(folder.path()));
    const auto search = record_in(folder).at("search");
    const double first = search.at("losses")[0], best = search.at("best").at("loss");
    REQUIRE(best < first);
    REQUIRE(search.at("losses").size() > 5);
  }
}

TEST_CASE("lapq_quantizer: with an init_method layers start by the error of their outputs") {
  for (const std::string method : {"none", "powell", "nelder-mead", "cobyla", "bobyqa", "sbplx"}) {
    INFO(method);
    LapqWorld world;
    const TemporaryFolder folder;
    world.lapq("{bits_weights: 3, init_mode: L2, maxiter: 1, init_method: " + method + "}",
               world.calibration(folder.path()));
    const auto record = record_in(folder);
    const auto by_norm = record.at("losses").at("p 2").get<double>();
    static double by_tensors = 0;
    if (method == "none") by_tensors = by_norm;
    REQUIRE((by_norm == by_tensors) == (method == "none"));
    REQUIRE(world.loss() <= by_norm + 1e-6);
  }
}

TEST_CASE("lapq_quantizer: grids of every kind") {
  const std::string bits = "bits_weights: 3, bits_activations: 3, ";
  for (const std::string& grids :
       {bits + "activations: symmetric, weights: symmetric_restricted",
        bits + "activations: symmetric_restricted, weights: symmetric",
        bits + "activations: asymmetric_signed, weights: asymmetric_signed",
        bits + "activations: asymmetric_unsigned, weights: asymmetric_unsigned, search_clipping: true",
        std::string("bits_weights: 3, per_channel_weights: true, bits_activations: null"),
        std::string("bits_weights: null, bits_activations: 3, quantize_outputs: true")}) {
    INFO(grids);
    LapqWorld world;
    world.lapq("{init_mode: L2, maxiter: 1, " + grids + "}");
    REQUIRE(world.loss() < 2);
    for (const auto& clip : quant::quantizer_clips(world.graph))
      if (grids.find("activations: symmetric") != std::string::npos && clip.input.starts_with("relu"))
        REQUIRE((clip.spec.symmetric && !clip.spec.is_signed));
  }
}

TEST_CASE("lapq_quantizer: with search_clipping both ends of a grid move by themselves") {
  LapqWorld plain;
  plain.quantize("PostTrainMinMaxQuantizer", "{bits_activations: 3, bits_weights: 4, per_channel_weights: false}",
                 plain.calibration());
  const auto before = clip_numbers(plain.graph);
  const auto clips = quant::quantizer_clips(plain.graph);
  const auto two_sided = std::ranges::count_if(clips, [&](const quant::QuantizerClip& clip) {
    return !clip.spec.symmetric && quant::clip_range(plain.graph, clip).min.item<double>() < 0;
  });
  REQUIRE(two_sided >= 2);
  REQUIRE(quant::ClipSpace(plain.graph, clips, false).size() == clips.size());
  REQUIRE(quant::ClipSpace(plain.graph, clips, true).size() == clips.size() + static_cast<size_t>(two_sided));
  const auto searched = [](const std::string& apart) {
    LapqWorld world;
    world.lapq("{bits_activations: 3, init_mode: NONE, maxiter: 2, search_clipping: " + apart + "}");
    return clip_numbers(world.graph);
  };
  const auto together = searched("false");
  for (size_t i = 1; i < before.size(); i += 2) REQUIRE(together[i].equal(before[i]));  // zero points
  REQUIRE_FALSE(equal_bits(searched("true"), together));
}

TEST_CASE("lapq_quantizer: an interrupted run leaves the best network so far, and goes on with the same bits") {
  const std::string yaml = "{bits_weights: 3, bits_activations: 3, maxiter: 1, save_every: 7}";
  LapqWorld whole;
  const TemporaryFolder whole_folder;
  whole.lapq(yaml, whole.calibration(whole_folder.path()));
  const auto expected = clip_numbers(whole.graph);
  for (const int batches : {0, 4, 12, 13, 14, 30, 61}) {
    INFO(batches);
    const TemporaryFolder folder;
    LapqWorld first;
    const compress::search::test::StoppingTask stopping(*first.task, batches);
    if (batches == 0) {
      require_error([&] { first.lapq(yaml, first.calibration(folder.path(), &stopping)); }, "interrupted");
    } else {
      const auto quantizer = first.lapq(yaml, first.calibration(folder.path(), &stopping));
      REQUIRE_THAT(quantizer->unmet(),
                   Catch::StartsWith(fmt::format("LAPQ was interrupted after {} evaluations: the run's files hold the "
                                                 "best so far (loss ",
                                                 batches)));
      REQUIRE_THAT(quantizer->unmet(),
                   Catch::EndsWith(fmt::format("; 'compress run --resume {}' goes on", folder.path().string())));
      REQUIRE(first.loss() == Approx(least_loss(record_in(folder))).epsilon(1e-4));
    }
    LapqWorld second;
    second.lapq(yaml, second.calibration(folder.path()));
    REQUIRE(equal_bits(clip_numbers(second.graph), expected));
    REQUIRE(record_in(folder) == record_in(whole_folder));
  }
}

TEST_CASE("lapq_quantizer: interrupted before it is where it was, a run leaves its record alone") {
  const std::string yaml = "{bits_weights: 3, bits_activations: 3, maxiter: 1}";
  const TemporaryFolder folder;
  const auto interrupt = [&](int batches) {
    LapqWorld world;
    const compress::search::test::StoppingTask stopping(*world.task, batches);
    return world.lapq(yaml, world.calibration(folder.path(), &stopping))->unmet();
  };
  REQUIRE_FALSE(interrupt(8).empty());
  const auto record = record_in(folder);
  REQUIRE(least_loss(record) < record.at("losses").at("start").get<double>());
  require_error([&] { interrupt(0); }, "interrupted");  // the clips of the best p are not at hand
  REQUIRE(record_in(folder) == record);
}

TEST_CASE("lapq_quantizer: out of time, a resumed run takes the best that the earlier one found") {
  LapqWorld first, second;
  const TemporaryFolder folder;
  const compress::search::test::StoppingTask stopping(*first.task, 8);
  first.lapq("{bits_weights: 3, bits_activations: 3}", first.calibration(folder.path(), &stopping));
  const auto quantizer =
      second.lapq("{bits_weights: 3, bits_activations: 3, time_budget: 1e-9}", second.calibration(folder.path()));
  REQUIRE_THAT(quantizer->unmet(), Catch::StartsWith("LAPQ stopped after 1e-09 s, its limit of time: the run's files"));
  REQUIRE(second.loss() == Approx(least_loss(record_in(folder))).epsilon(1e-4));
}

TEST_CASE("lapq_quantizer: an interrupted bias correction is left out") {
  for (const auto& [batches, text] : {std::pair{4, "LAPQ was interrupted after 4 evaluations: the run's files hold"},
                                      std::pair{6, "LAPQ was interrupted: its bias correction is left out"}}) {
    LapqWorld world;
    const compress::search::test::StoppingTask stopping(*world.task, batches);
    const auto quantizer = world.lapq("{bits_weights: 2, init_mode: NONE, maxfev: 3, bias_correction: true}",
                                      world.calibration({}, &stopping));
    REQUIRE_THAT(quantizer->unmet(), Catch::StartsWith(text));
    LapqWorld plain;
    plain.lapq("{bits_weights: 2, init_mode: NONE, maxfev: 3}");
    REQUIRE(world.loss() == plain.loss());
  }
}

TEST_CASE("lapq_quantizer: out of evaluations or time the best so far is taken, and the run fails") {
  for (const auto& [limit, text] :
       {std::pair{"maxfev: 9",
                  "LAPQ stopped at its limit of 9 evaluations: the run's files hold the best so far (loss "},
        std::pair{"time_budget: 1e-9",
                  "LAPQ stopped after 1e-09 s, its limit of time: the run's files hold the best so far (loss "}}) {
    INFO(limit);
    LapqWorld world;
    const TemporaryFolder folder;
    const auto quantizer =
        world.lapq("{bits_weights: 3, init_mode: L3, " + std::string(limit) + "}", world.calibration(folder.path()));
    REQUIRE(quantizer->unmet().find(text) == 0);
    REQUIRE(world.loss() == Approx(least_loss(record_in(folder))).epsilon(1e-4));
    const auto resumed = make_quantizer("LapqQuantizer", "{}");
    resumed->load(quantizer->save());
    REQUIRE(resumed->unmet() == quantizer->unmet());
  }
}

TEST_CASE("lapq_quantizer: out of time without a finite loss, clips stay as they were inserted") {
  for (const std::string mode : {"LP", "L2", "NONE"}) {
    INFO(mode);
    LapqWorld world, plain;
    const BrokenTask broken(*world.task);
    const auto quantizer = world.lapq("{init_mode: " + mode + ", time_budget: 1e-9}", world.calibration({}, &broken));
    REQUIRE(quantizer->unmet() ==
            "LAPQ stopped after 1e-09 s, its limit of time: the run's files hold the best so far (loss not finite "
            "(top1 20.00), from not finite)");
    plain.lapq("{init_mode: NONE, time_budget: 1e-9}");
    const auto left = clip_numbers(world.graph), inserted = clip_numbers(plain.graph);
    for (size_t i = 0; i < left.size(); ++i) require_close(left[i], inserted[i], 1e-6);
  }
}

TEST_CASE("lapq_quantizer: a resume goes on with the search unless epochs follow it") {
  LapqWorld world;
  const TemporaryFolder folder;
  const auto quantizer = world.lapq("{init_mode: L3, time_budget: 1e-9}", world.calibration(folder.path()));
  REQUIRE_THAT(quantizer->unmet(), Catch::EndsWith("' goes on"));
  const auto optimizer = train::make_optimizer({});
  train::State state{world.graph, *optimizer, world.splits, *world.task};
  quantizer->on_epoch_begin(state);
  REQUIRE_THAT(quantizer->unmet(), Catch::Contains("its limit of time") && !Catch::Contains("--resume"));
  REQUIRE(quantizer->save().values.at("unmet") == quantizer->unmet());
}

TEST_CASE("lapq_quantizer: eval_size is a number of training samples or a share of them") {
  LapqWorld world;
  const auto samples = [](const std::string& yaml) { return make_quantizer("LapqQuantizer", yaml); };
  REQUIRE(samples("{}")->calibration_samples() == 512);
  REQUIRE(samples("{eval_size: 20}")->calibration_samples() == 20);
  REQUIRE(samples("{eval_size: 0.5}")->calibration_fraction() == 0.5);
  REQUIRE(samples("{eval_size: 20}")->calibration_fraction() == 0);
  const auto start = [](const std::string& size) {
    LapqWorld small;
    const TemporaryFolder folder;
    small.lapq("{init_mode: NONE, bits_weights: 3, maxfev: 1, eval_size: " + size + "}",
               small.calibration(folder.path()));
    return record_in(folder).at("losses").at("start").get<double>();
  };
  REQUIRE(start("0.5") == start("24"));
  REQUIRE(start("1") == start("100"));
  REQUIRE(start("0.5") != start("1"));
}

TEST_CASE("lapq_quantizer: biases are corrected where that helps") {
  const auto end = [](const std::string& yaml) {
    LapqWorld world;
    world.lapq("{bits_weights: 2, init_mode: NONE, maxfev: 3, bias_correction: " + yaml + "}");
    return world.loss();
  };
  REQUIRE(end("true") <= end("false"));
}

TEST_CASE("lapq_quantizer: layers keep what overrides say") {
  LapqWorld world;
  world.lapq("{init_mode: NONE, maxfev: 2, overrides: {conv1: {bits_weights: 8, per_channel_weights: true}, "
             "fc: {bits_weights: null}}}");
  const auto clips = quant::quantizer_clips(world.graph);
  const auto first = std::ranges::find(clips, "conv1.weight", &quant::QuantizerClip::input);
  REQUIRE(first->spec.bits == 8);
  REQUIRE(first->axes.axis == 0);
  REQUIRE(std::ranges::find(clips, "fc.weight", &quant::QuantizerClip::input) == clips.end());
  LapqWorld floating;
  REQUIRE(floating.lapq("{bits_weights: null, bits_activations: null}")->unmet().empty());
  REQUIRE(quant::quantizer_clips(floating.graph).empty());
}

TEST_CASE("lapq_quantizer: arguments that do not go together are refused") {
  require_error([] { make_quantizer("LapqQuantizer", "{method: sbplx, maxiter: 2}"); },
                "'maxiter' counts the iterations of Powell's method; 'sbplx' has none", "'maxfev' or 'time_budget'");
  require_error([] { make_quantizer("LapqQuantizer", "{method: sbplx, basinhopping: true}"); },
                "'basinhopping' with 'sbplx' needs a limit: 'maxfev' or 'time_budget'");
  require_error([] { make_quantizer("LapqQuantizer", "{init_mode: GAUSS, init_method: powell}"); },
                "'init_method' is 'powell', but the 'init_mode' is a formula without a search");
  require_error([] { make_quantizer("LapqQuantizer", "{eval_size: 2.5}"); },
                "'eval_size' is 2.5: above 1 it is a number of samples");
  require_error([] { make_quantizer("LapqQuantizer", "{eval_size: 0}"); }, "eval_size");
  require_error([] { make_quantizer("LapqQuantizer", "{init_mode: L4}"); }, "init_mode");
  require_error([] { make_quantizer("LapqQuantizer", "{bits_weights: 1}"); }, "'bits_weights'");
  LapqWorld world;
  auto calibration = world.calibration();
  calibration.task = nullptr;
  require_error([&] { world.lapq("{}", calibration); }, "training samples with labels");
}

TEST_CASE("lapq_quantizer: a damaged record is refused, one of another run is not gone on with") {
  LapqWorld world;
  const TemporaryFolder folder;
  write_file(folder / "lapq.json", "{\"origin\": \"recipe , seed 3\", \"losses\": 3}");
  require_error([&] { world.lapq("{maxfev: 1}", world.calibration(folder.path())); }, "lapq.json' is damaged",
                "remove it to begin the search anew");
  write_file(folder / "lapq.json", "{\"origin\": \"recipe x\"}");
  LapqWorld other;
  other.lapq("{init_mode: NONE, maxfev: 1}", other.calibration(folder.path()));
  REQUIRE(record_in(folder).at("search").at("losses").size() == 1);
}
