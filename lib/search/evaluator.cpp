#include "search/evaluator.h"

#include "core/random.h"
#include "exec/plan.h"
#include "train/outputs.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace compress::search {

namespace {

constexpr double kHeldOut = 0.1;
constexpr int64_t kPlanBytes = int64_t{256} << 20;    // of networks that run side by side ...
constexpr int64_t kFewestPlans = 4, kMostPlans = 32;  // ... but at least and at most so many

std::vector<int64_t> first_sorted(std::vector<int64_t> order, int64_t begin, int64_t end) {
  std::vector<int64_t> part(order.begin() + begin, order.begin() + end);
  std::ranges::sort(part);
  return part;
}

/// The position of the first node that computes something else than in `base`.
size_t first_difference(const Graph& base, const Graph& variation) {
  size_t position = 0;
  const auto differs = [&](const Node& node) {
    if (!(node.attributes == base.node(node.name).attributes)) return true;
    return std::ranges::any_of(node.inputs, [&](const auto& input) {
      const auto* parameter = variation.find_parameter(input);
      return parameter && !parameter->value.is_same(base.parameter(input).value);
    });
  };
  for (const Node& node : variation.nodes()) {
    if (differs(node)) return position;
    ++position;
  }
  return position;
}

/// A variation that runs from its first difference on.
struct Variation {
  size_t index;  ///< among those asked for
  size_t cut;    ///< position of a node
  std::string node;
};

std::vector<Variation> by_difference(const Graph& base, const std::vector<const Graph*>& graphs) {
  std::vector<std::string> names;
  for (const Node& node : base.nodes()) names.push_back(node.name);
  std::vector<Variation> variations;
  for (size_t i = 0; i < graphs.size(); ++i) {
    const auto cut = std::min(first_difference(base, *graphs[i]), names.size() - 1);
    variations.push_back({i, cut, names[cut]});
  }
  std::ranges::stable_sort(variations, {}, &Variation::cut);
  return variations;
}

int64_t plans_at_once(const Graph& graph) {
  int64_t bytes = 1;
  for (const Parameter& parameter : graph.parameters()) bytes += static_cast<int64_t>(parameter.value.nbytes());
  return std::clamp(kPlanBytes / bytes, kFewestPlans, kMostPlans);
}

}  // namespace

bool Score::better_than(const Score& other) const {
  const auto compare = [](double a, double b, bool higher) {
    if (std::isnan(a) || std::isnan(b)) return static_cast<int>(std::isnan(b)) - static_cast<int>(std::isnan(a));
    return a == b ? 0 : (a > b) == higher ? 1 : -1;
  };
  const int by_metric = compare(metric, other.metric, higher_is_better);
  return by_metric != 0 ? by_metric > 0 : compare(loss, other.loss, false) > 0;
}

SearchData search_data(const data::Splits& splits, int64_t samples, uint64_t seed) {
  SearchData data{.validation = splits.validation, .train = splits.train};
  if (!data.validation) {
    const int64_t size = splits.train->size();
    const auto count = static_cast<int64_t>(std::llround(kHeldOut * static_cast<double>(size)));
    if (count < 1)
      throw request_error(
          "there is no validation data to search by, and too few training samples ({}) to hold some out", size)
          .hint("set data.validation_split, or raise data.limits.train");
    const auto order = permutation(size, Random(seed, "search validation"));
    data.validation = data::subset(splits.calibration, first_sorted(order, 0, count));
    data.train = data::subset(splits.train, first_sorted(order, count, size));
  }
  if (samples > 0 && samples < data.validation->size()) {
    const auto order = permutation(data.validation->size(), Random(seed, "search samples"));
    data.validation = data::subset(data.validation, first_sorted(order, 0, samples));
  }
  return data;
}

Score Evaluator::score_of(const train::Meter& meter) const {
  const auto metrics = train::result_of(meter);
  return {.metric = train::metric(metrics, samples_.task().main_metric()),
          .loss = train::metric(metrics, "loss"),
          .higher_is_better = samples_.task().higher_is_better()};
}

Score Evaluator::score(const Graph& graph) const {
  const at::NoGradGuard no_grad;
  const exec::Plan plan(graph);
  const auto meter = samples_.task().meter();
  samples_.each(graph, [&](const train::KeptSamples::Prepared& prepared) {
    meter->add(train::named_outputs(graph, plan.run(prepared.inputs)), prepared.batch);
  });
  return score_of(*meter);
}

std::vector<Score> Evaluator::scores(const Graph& base,
                                     const std::vector<const Graph*>& variations,
                                     const std::function<void(double)>& done) const {
  const at::NoGradGuard no_grad;
  const auto ordered = by_difference(base, variations);
  const auto at_once = static_cast<size_t>(plans_at_once(base));
  const exec::Plan common(base);
  std::vector<Score> scores(variations.size());
  const auto batches = static_cast<double>(samples_.batches());
  double runs = 0;
  for (size_t begin = 0; begin < ordered.size(); begin += at_once) {
    const size_t end = std::min(begin + at_once, ordered.size());
    std::vector<exec::Plan> plans;
    std::vector<std::unique_ptr<train::Meter>> meters;
    for (size_t i = begin; i < end; ++i) {
      plans.emplace_back(*variations[ordered[i].index]);
      meters.push_back(samples_.task().meter());
    }
    samples_.each(base, [&](const train::KeptSamples::Prepared& prepared) {
      auto live = common.run_until(ordered[begin].node, prepared.inputs);
      for (size_t i = begin; i < end; ++i) {
        if (i > begin && ordered[i].cut > ordered[i - 1].cut)
          live = common.run_between(ordered[i - 1].node, live, ordered[i].node);
        const auto outputs = plans[i - begin].run_from(ordered[i].node, live);
        meters[i - begin]->add(train::named_outputs(base, outputs), prepared.batch);
        if (done) done(++runs / (batches * static_cast<double>(ordered.size())));
      }
    });
    for (size_t i = begin; i < end; ++i) scores[ordered[i].index] = score_of(*meters[i - begin]);
  }
  return scores;
}

}  // namespace compress::search
