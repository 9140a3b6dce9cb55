#include "graph/select.h"
#include "regularize/regularizer.h"

#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>

namespace compress::regularize {

namespace {

/// lambda * sum of |w| over the named parameters. With a criterion, weights of magnitude up to lambda are zeroed after
/// each mini-batch.
class L1Regularizer final : public Regularizer {
public:
  void declare(Settings& settings) override {
    settings.required("reg_regims", words_, "strength (lambda) by parameter name or pattern", at_least(0));
    settings.choice(
        "threshold_criteria", criterion_,
        {{"None", Criterion::none}, {"Max", Criterion::magnitude}, {"Mean_Abs", Criterion::magnitude}},
        "zero weights of magnitude up to lambda after each mini-batch; for single weights both criteria are |w|");
  }
  void bind(const Graph& graph, Problems& problems) override { strengths_ = select_values(graph, words_, problems); }

  at::Tensor loss(const Graph& graph) const override {
    at::Tensor sum;
    for (size_t i = 0; i < strengths_.names.size(); ++i) {
      const auto term = graph.parameter(strengths_.names[i]).value.abs().sum().mul(strengths_.values[i]);
      sum = sum.defined() ? sum.add(term) : term;
    }
    return sum;
  }

  std::map<std::string, at::Tensor> threshold_masks(const Graph& graph) const override {
    std::map<std::string, at::Tensor> masks;
    if (!thresholds()) return masks;
    for (size_t i = 0; i < strengths_.names.size(); ++i) {
      const auto& value = graph.parameter(strengths_.names[i]).value;
      masks[strengths_.names[i]] = value.detach().abs().gt(strengths_.values[i]).to(value.scalar_type());
    }
    return masks;
  }
  bool thresholds() const override { return criterion_ != Criterion::none; }

  const std::vector<std::string>& parameters() const override { return strengths_.names; }
  void apply(const Changes& changes) override { follow(strengths_, changes); }
  nlohmann::json save() const override { return {{"parameters", strengths_.names}, {"strengths", strengths_.values}}; }
  void load(const nlohmann::json& state) override {
    state.at("parameters").get_to(strengths_.names);
    state.at("strengths").get_to(strengths_.values);
  }

private:
  enum class Criterion { none, magnitude };
  std::map<std::string, double> words_;
  Criterion criterion_ = Criterion::none;
  ParameterValues strengths_;
};

}  // namespace

extern const Entry<Regularizer> l1_regularizer;
const Entry<Regularizer> l1_regularizer{
    "L1Regularizer", "adds lambda times the sum of magnitudes to the loss, which drives weights to zero",
    make_component<Regularizer, L1Regularizer>};

}  // namespace compress::regularize
