#include "search/greedy.h"

#include "core/log.h"
#include "core/progress.h"
#include "exec/plan.h"
#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace compress::search {

namespace {

std::map<std::string, std::string> inputs_of(const train::State& state) {
  return state.config ? state.config->inputs : std::map<std::string, std::string>{};
}

/// What a stored search must have begun with to be gone on with here.
std::string origin_of(const train::State& state) {
  const auto recipe = state.graph.metadata.find("recipe.hash");
  return fmt::format("recipe {}, epoch {}", recipe == state.graph.metadata.end() ? "" : recipe->second, state.epoch);
}

std::string shown(const Score& score) {
  return std::isnan(score.loss) ? fmt::format("{:.5g}", score.metric)
                                : fmt::format("{:.5g} (loss {:.4f})", score.metric, score.loss);
}

}  // namespace

Greedy::Greedy(const GreedySettings& settings,
               Importance importance,
               train::State& state,
               const std::filesystem::path& folder)
    : settings_(settings), state_(state), data_(search_data(state.data, settings.samples, state.seed)),
      evaluator_(data_.validation,
                 state.task,
                 {.batch_size = state.batch_size,
                  .prefetch = state.prefetch,
                  .device = state.device,
                  .inputs = inputs_of(state)}),
      environment_(state.graph, settings.units, settings.resource, std::move(importance)),
      files_(folder, state.task.main_metric(), origin_of(state)) {}

const Record& Greedy::run() {
  start();
  while (!record_.finished) {
    const bool reached = environment_.size().of(settings_.resource) <= goal();
    const auto why = reached ? "" : iterate();
    if (!reached && why.empty()) continue;
    record_.finished = true;
    if (!reached) record_.unmet = unmet(why);
    files_.save(record_);
  }
  return record_;
}

/// One step; returns why there can be none, "" when it was taken.
std::string Greedy::iterate() {
  const auto begin = std::chrono::steady_clock::now();
  const auto number = std::ssize(record_.iterations);
  if (settings_.max_iterations > 0 && number > settings_.max_iterations)
    return fmt::format("'max_iterations' is {}", settings_.max_iterations);
  auto tried = candidates();
  const auto count = std::ssize(tried);
  if (tried.empty()) return "no group of channels can lose any more";
  auto best = settings_.fine_tune ? best_tuned(std::move(tried)) : best_untuned(std::move(tried));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  if (auto beyond = beyond_limit(best.score); !beyond.empty()) return beyond;
  const auto name = environment_.units()[best.unit].name;
  const auto before = environment_.units()[best.unit].channels, after = before - best.removed;
  environment_.take(std::move(best.step));
  note({.number = number,
        .unit = name,
        .removed = best.removed,
        .channels = after,
        .candidates = count,
        .score = best.score,
        .size = environment_.size()});
  log::info("[search] {}: {} {} -> {} channels, {} {}, {:.1f} % of the {} ({} tried, {:.1f} a second)", number, name,
            before, after, state_.task.main_metric(), shown(best.score), 100 * environment_.left(),
            name_of(settings_.resource), count, static_cast<double>(count) / seconds.count());
  return {};
}

/// Takes up what was saved, else scores the network as it is.
void Greedy::start() {
  if (auto saved = files_.load()) {
    exec::prepare_parameters(saved->graph, state_.device);
    record_ = std::move(*saved);
    environment_.take({.graph = record_.graph.clone(), .changes = record_.changes, .size = size_of(record_.graph)});
    log::info("[search] going on behind iteration {}", record_.iterations.back().number);
    return;
  }
  const auto score = evaluator_.score(environment_.graph());
  note({.score = score, .size = environment_.size()});
  log::info("[search] {} {} on {} samples; {} groups of channels, down to {:.4g} % of the {}",
            state_.task.main_metric(), shown(score), data_.validation->size(), environment_.units().size(),
            100 * settings_.target, name_of(settings_.resource));
}

void Greedy::note(Iteration iteration) {
  record_.iterations.push_back(std::move(iteration));
  record_.graph = environment_.graph().clone();
  record_.changes = environment_.changes();
  files_.save(record_);
}

int64_t Greedy::goal() const {
  return static_cast<int64_t>(settings_.target * static_cast<double>(environment_.start_size().of(settings_.resource)));
}

/// How much of what is to go has gone.
double Greedy::way() const {
  return (1 - environment_.left()) / (1 - settings_.target);
}

int64_t Greedy::channels_to_remove(size_t unit) const {
  const auto& one = environment_.units()[unit];
  const auto share = static_cast<int64_t>(settings_.step * static_cast<double>(one.channels) + 1e-9);
  return one.allowed(std::max<int64_t>(share, 1));
}

std::vector<Greedy::Candidate> Greedy::candidates() const {
  std::vector<Candidate> found;
  if (settings_.mode == GreedySettings::Mode::netadapt) {
    add_equal_savings(found);
  } else {
    for (size_t unit = 0; unit < environment_.units().size(); ++unit)
      found.push_back({.unit = unit, .removed = channels_to_remove(unit)});
  }
  for (auto& candidate : found) candidate.step = environment_.step(candidate.unit, candidate.removed);
  return found;
}

/// Each layer alone saves a step of the start's resource; less when no layer can.
void Greedy::add_equal_savings(std::vector<Candidate>& candidates) const {
  const auto now = environment_.size().of(settings_.resource);
  double saving = settings_.step * static_cast<double>(environment_.start_size().of(settings_.resource));
  for (; candidates.empty() && saving >= 1; saving /= 2)
    for (size_t unit = 0; unit < environment_.units().size(); ++unit) {
      const auto removed = environment_.channels_for(unit, std::max(goal(), now - static_cast<int64_t>(saving)));
      if (removed > 0) candidates.push_back({.unit = unit, .removed = removed});
    }
}

/// The first of the best.
Greedy::Candidate Greedy::best_untuned(std::vector<Candidate> candidates) const {
  std::vector<const Graph*> graphs;
  for (const auto& candidate : candidates) graphs.push_back(&candidate.step.graph);
  Progress progress(fmt::format("search {}", record_.iterations.size()), 100);
  const auto scores = evaluator_.scores(environment_.graph(), graphs,
                                        [&](double share) { progress.update(std::llround(100 * share)); });
  size_t best = 0;
  for (size_t i = 1; i < scores.size(); ++i)
    if (scores[i].better_than(scores[best])) best = i;
  candidates[best].score = scores[best];
  return std::move(candidates[best]);
}

/// Trains one after the other and keeps the best so far, so that two networks with weights of their own exist at most.
Greedy::Candidate Greedy::best_tuned(std::vector<Candidate> candidates) const {
  Candidate* best = nullptr;
  for (auto& candidate : candidates) {
    fine_tune(candidate.step.graph, *settings_.fine_tune, state_, data_.train, std::ssize(record_.iterations), way());
    candidate.score = evaluator_.score(candidate.step.graph);
    if (best && !candidate.score.better_than(best->score)) {
      candidate.step.graph = Graph("none");
      continue;
    }
    if (best) best->step.graph = Graph("none");
    best = &candidate;
  }
  return std::move(*best);
}

/// What is to be said when a network is worse than the limit.
std::string Greedy::beyond_limit(const Score& score) const {
  if (!settings_.metric_limit) return {};
  const Score limit{.metric = *settings_.metric_limit, .loss = score.loss, .higher_is_better = score.higher_is_better};
  if (!limit.better_than(score)) return {};
  return fmt::format("the best next step has a {} of {:.5g}, beyond 'metric_limit' {}", state_.task.main_metric(),
                     score.metric, *settings_.metric_limit);
}

std::string Greedy::unmet(const std::string& why) const {
  return fmt::format("the search ended at {:.1f} % of the {}, above its target of {:.4g} %: {}",
                     100 * environment_.left(), name_of(settings_.resource), 100 * settings_.target, why);
}

}  // namespace compress::search
