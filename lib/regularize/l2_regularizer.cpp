#include "regularize/parameter_terms.h"

namespace compress::regularize {

namespace {

/// lambda / 2 * sum of w^2 over the named parameters, whose gradient lambda * w is that of weight decay.
class L2Regularizer final : public ParameterTerms {
public:
  void declare(Settings& settings) override {
    settings.required("reg_regims", words_, "strength (lambda) by parameter name or pattern", at_least(0));
  }
  void bind(const Graph& graph, Problems& problems) override { strengths_ = select_values(graph, words_, problems); }

protected:
  at::Tensor term(const at::Tensor& value) const override { return value.square().sum().mul(0.5); }

private:
  std::map<std::string, double> words_;
};

}  // namespace

extern const Entry<Regularizer> l2_regularizer;
const Entry<Regularizer> l2_regularizer{
    "L2Regularizer", "adds lambda/2 times the sum of squares to the loss: weight decay for the named parameters only",
    make_component<Regularizer, L2Regularizer>};

}  // namespace compress::regularize
