// Greedy filter pruning (NetAdapt, arXiv 1804.03230; CAR, arXiv 1811.07275; Distiller's --greedy).
#include "core/log.h"
#include "core/part_setting.h"
#include "search/greedy.h"
#include "search/search.h"
#include "train/nested_settings.h"

namespace compress::search {

namespace {

using Mode = GreedySettings::Mode;

class GreedyFilterPruning final : public Search {
public:
  void declare(Settings& settings) override {
    settings.required("target", settings_.target, "share of the resource that is to be left",
                      {.low = 0, .high = 1, .open_low = true, .open_high = true});
    settings.choice("of", settings_.resource,
                    {{"macs", Resource::macs}, {"parameters", Resource::parameters}, {"bytes", Resource::bytes}},
                    "the resource: multiply-accumulates, parameters, or bytes of the parameters");
    settings.choice(
        "mode", settings_.mode,
        {{"step_share", GreedySettings::Mode::step_share}, {"netadapt", GreedySettings::Mode::netadapt}},
        "step_share: each try removes a share of one group's channels; netadapt: as many as save a share of "
        "the start's resource, the same for all tries");
    settings.optional("step", settings_.step, "the share", {.low = 0, .high = 1, .open_low = true, .open_high = true});
    settings_.units.declare(settings);
    settings.custom(criterion_.field("which channels of a group go first: the criterion of its weights' outputs"));
    settings.optional("samples", settings_.samples, "validation samples to score on; 0: all", at_least(0));
    settings.optional("max_iterations", settings_.max_iterations, "iterations to stop after; 0: no limit", at_least(0));
    settings.optional("metric_limit", settings_.metric_limit,
                      "stop before the task's main metric on the validation samples gets worse than this");
    settings.custom(train::nested_settings("fine_tune", settings_.fine_tune,
                                           "a little training of every network tried: {batches or epochs, "
                                           "learning_rate, momentum, weight_decay, policy}"));
  }

  void bind(const Graph& graph, Problems& problems) override {
    Problems found;
    check_units(graph, settings_.units, found);
    for (const auto& error : found.errors()) problems.add(error);
    if (!found.empty()) return;
    auto importance = importance_for(graph, 0, found);
    for (const auto& error : found.errors()) problems.add(error);
    if (!found.empty()) return;
    const Environment environment(graph, settings_.units, settings_.resource, std::move(importance));
    const double least = static_cast<double>(environment.smallest()) /
                         static_cast<double>(environment.start_size().of(settings_.resource));
    if (least > settings_.target)
      problems.add(
          request_error("the 'target' {} of the {} cannot be reached: {:.4f} stay when every group is as small "
                        "as it may become",
                        settings_.target, name_of(settings_.resource), least)
              .hint("raise 'target', or let more go: 'include', 'exclude', 'min_channels', 'multiple_of'"));
  }

  void bind_data(const data::Splits& splits) const override {
    search_data(splits, settings_.samples, 0);
    if (!splits.validation)
      log::info("[search] there is no validation split: a tenth of the training samples is held out to search by");
  }

  std::string run(train::State& state, const std::filesystem::path& folder) override {
    Problems problems;
    auto importance = importance_for(state.graph, state.seed, problems);
    problems.raise();
    Greedy greedy(settings_, std::move(importance), state, folder);
    const auto& record = greedy.run();
    state.graph = record.graph.clone();
    state.apply(record.changes);
    return record.unmet;
  }

private:
  Importance importance_for(const Graph& graph, uint64_t seed, Problems& problems) const {
    std::vector<std::string> weights;
    for (const auto& unit : find_units(graph, analysis::CoupledChannels(graph), settings_.units))
      for (const auto& maker : unit.makers) weights.push_back(maker.parameter);
    std::shared_ptr<prune::Criterion> criterion = criterion_.make();
    criterion->bind(graph, weights, *analysis::granularities().make("filter"), problems);
    if (!criterion->ready())
      problems.add(
          request_error("the criterion '{}' judges by activations or gradients, but a search ranks channels by "
                        "their weights alone",
                        criterion_.class_name())
              .hint("magnitude, l1, l2, geometric_median, batch_norm_scale, ..."));
    return by_criterion(std::move(criterion), seed);
  }

  GreedySettings settings_;
  PartSetting<prune::Criterion> criterion_{"criterion", prune::criteria(), Yaml::scalar("magnitude")};
};

}  // namespace

extern const Entry<Search> greedy_filter_pruning;
const Entry<Search> greedy_filter_pruning{
    "GreedyFilterPruning",
    "removes channels step by step, each time where the validation metric suffers least, down to a budget",
    make_component<Search, GreedyFilterPruning>};

}  // namespace compress::search
