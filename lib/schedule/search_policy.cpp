#include "schedule/policies.h"
#include "search/search.h"

namespace compress::schedule {

namespace {

/// Runs a search once: before training, or at the beginning of an epoch. What it keeps across an interruption lies in
/// the run directory, in search/INSTANCE.
class SearchPolicy final : public Policy {
public:
  explicit SearchPolicy(std::unique_ptr<search::Search> search) : search_(std::move(search)) {}

  bool compresses() const override { return true; }
  std::string unmet() const override { return unmet_; }

  void bind(const Graph& graph, const Binding&, Problems& problems) override { search_->bind(graph, problems); }
  void bind_task(const train::Task&, const data::Splits& data, Problems& problems) override {
    problems.capture([&] {
      try {
        search_->bind_data(data);
      } catch (Error& error) {
        throw error.at(place);
      }
    });
  }

  /// A run that goes on with a later epoch has the result in its checkpoint.
  void on_training_begin(train::State& state) override {
    if (window.before_training && state.epoch == 0) run(state);
  }
  void on_epoch_begin(train::State& state) override { run(state); }

  train::Memory save() const override { return {.values = {{"unmet", unmet_}}, .tensors = {}}; }
  void load(const train::Memory& memory) override { unmet_ = memory.values.at("unmet").get<std::string>(); }

private:
  void run(train::State& state) {
    const auto folder = state.directory.empty() ? state.directory : state.directory / "search" / instance;
    const auto unmet =
        within(fmt::format("running search '{}'", instance), [&] { return search_->run(state, folder); });
    unmet_ = unmet.empty() ? "" : fmt::format("search '{}': {}", instance, unmet);
  }

  std::unique_ptr<search::Search> search_;
  std::string unmet_;
};

}  // namespace

std::unique_ptr<Policy> make_search_policy(const PolicyEntry& entry) {
  auto search = read_component(search::searches(), entry.component, entry.instance);
  check_in(entry.component, [&] { search->check(); });
  if (entry.window.count() > 1)
    throw request_error("search '{}' runs once, but its policy has {} epochs", entry.instance, entry.window.count())
        .at(entry.place)
        .hint("leave the epochs out (before training), or name one: epochs: [10]");
  return std::make_unique<SearchPolicy>(std::move(search));
}

}  // namespace compress::schedule
