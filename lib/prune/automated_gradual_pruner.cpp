#include "graph/select.h"
#include "prune/level.h"

#include <nlohmann/json.hpp>

namespace compress::prune {

namespace {

class AutomatedGradualPruner final : public Pruner {
public:
  void declare(Settings& settings) override {
    level_.declare(settings);
    settings.required("weights", words_, "parameters to prune, by name or pattern, each to its own level");
  }
  void check(const Moment& moment) const override { level_.check(moment); }
  void bind(const Graph& graph, Problems& problems) override {
    require_words(words_, problems);
    names_ = select_parameters(graph, words_, problems);
  }
  const std::vector<std::string>& parameters() const override { return names_; }

  void set_masks(Graph& graph, const Moment& moment) override {
    for (const auto& name : names_) set_mask(graph, name, level_mask(graph.parameter(name).value, level_.at(moment)));
  }

  void apply(const Changes& changes) override { follow(names_, changes); }
  nlohmann::json save() const override { return {{"parameters", names_}}; }
  void load(const nlohmann::json& state) override { state.at("parameters").get_to(names_); }

private:
  GradualLevel level_;
  std::vector<std::string> words_, names_;
};

}  // namespace

extern const Entry<Pruner> automated_gradual_pruner;
const Entry<Pruner> automated_gradual_pruner{
    "AutomatedGradualPruner",
    "removes single weights, more and more of them along a cubic curve (AGP, Zhu & Gupta 2017)",
    make_component<Pruner, AutomatedGradualPruner>};

}  // namespace compress::prune
