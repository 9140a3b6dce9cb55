#include "graph/select.h"
#include "prune/pruner.h"

#include <nlohmann/json.hpp>

namespace compress::prune {

namespace {

class MagnitudeParameterPruner final : public Pruner {
public:
  void declare(Settings& settings) override {
    settings.required("thresholds", words_,
                      "weights up to this magnitude go, by parameter name or pattern; '*' for all others", at_least(0));
  }
  void check(const Moment&) const override {
    if (!words_.contains("*"))
      throw request_error("'thresholds' lacks '*', the threshold of every parameter that is not named")
          .hint("write '*': 0 to leave them as they are");
  }
  void bind(const Graph& graph, Problems& problems) override { thresholds_ = select_values(graph, words_, problems); }
  const std::vector<std::string>& parameters() const override { return thresholds_.names; }

  void set_masks(Graph& graph, const Moment&) override {
    for (size_t i = 0; i < thresholds_.names.size(); ++i) {
      const auto& name = thresholds_.names[i];
      set_mask(graph, name, graph.parameter(name).value.detach().abs().gt(thresholds_.values[i]));
    }
  }

  void apply(const Changes& changes) override { follow(thresholds_, changes); }
  nlohmann::json save() const override {
    return {{"parameters", thresholds_.names}, {"thresholds", thresholds_.values}};
  }
  void load(const nlohmann::json& state) override {
    state.at("parameters").get_to(thresholds_.names);
    state.at("thresholds").get_to(thresholds_.values);
  }

private:
  std::map<std::string, double> words_;
  ParameterValues thresholds_;
};

}  // namespace

extern const Entry<Pruner> magnitude_parameter_pruner;
const Entry<Pruner> magnitude_parameter_pruner{"MagnitudeParameterPruner",
                                               "removes the weights whose magnitude is at most a threshold",
                                               make_component<Pruner, MagnitudeParameterPruner>};

}  // namespace compress::prune
