#include "prune/once.h"
#include "prune/per_weight.h"
#include "prune/shares.h"

#include <nlohmann/json.hpp>

namespace compress::prune {

namespace {

class Sensitivity final : public LimitAmount {
public:
  void declare(Settings& settings) override {
    sensitivity_.declare(settings, "sensitivity", "the threshold, in standard deviations of the weight", at_least(0));
  }
  void bind(const Graph& graph, const std::vector<std::string>& weights, Problems& problems) override {
    sensitivity_.bind(graph, weights, problems);
  }
  void apply(const Changes& changes) override {
    sensitivity_.apply(changes);
    deviations_.apply(changes);
  }
  train::Memory save() const override {
    return {.values = {{"sensitivity", sensitivity_.save()}, {"deviations", deviations_.save()}}, .tensors = {}};
  }
  void load(const train::Memory& memory) override {
    sensitivity_.load(memory.values.at("sensitivity"));
    deviations_.load(memory.values.at("deviations"));
  }

private:
  double limit(const Graph& graph, const Unit& unit, const Moment&) override {
    const auto& deviation = deviations_.of(unit.name, [&] {
      const auto& weight = graph.parameter(unit.name).value;
      return MeasuredOnce::Numbers{weight.numel() > 1 ? weight.detach().std().item<double>() : 0};
    });
    return sensitivity_.of(unit.name) * deviation.front();
  }

  PerWeight sensitivity_;
  MeasuredOnce deviations_;
};

}  // namespace

extern const Entry<Amount> sensitivity_amount;
const Entry<Amount> sensitivity_amount{
    "sensitivity", "a threshold in standard deviations of each weight, as they are when masks are first set",
    make_component<Amount, Sensitivity>};

}  // namespace compress::prune
