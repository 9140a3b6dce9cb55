#include "regularize/parameter_terms.h"

namespace compress::regularize {

namespace {

/// lambda * sum of |w| over the named parameters. With a criterion, weights of magnitude up to lambda are zeroed after
/// each mini-batch.
class L1Regularizer final : public ParameterTerms {
public:
  void declare(Settings& settings) override {
    settings.required("reg_regims", words_, "strength (lambda) by parameter name or pattern", at_least(0));
    settings.choice(
        "threshold_criteria", criterion_,
        {{"None", Criterion::none}, {"Max", Criterion::magnitude}, {"Mean_Abs", Criterion::magnitude}},
        "zero weights of magnitude up to lambda after each mini-batch; for single weights both criteria are |w|");
  }
  void bind(const Graph& graph, Problems& problems) override { strengths_ = select_values(graph, words_, problems); }

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

protected:
  at::Tensor term(const at::Tensor& value) const override { return value.abs().sum(); }

private:
  enum class Criterion { none, magnitude };
  std::map<std::string, double> words_;
  Criterion criterion_ = Criterion::none;
};

}  // namespace

extern const Entry<Regularizer> l1_regularizer;
const Entry<Regularizer> l1_regularizer{
    "L1Regularizer", "adds lambda times the sum of magnitudes to the loss, which drives weights to zero",
    make_component<Regularizer, L1Regularizer>};

}  // namespace compress::regularize
