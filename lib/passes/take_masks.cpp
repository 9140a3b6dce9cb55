#include "core/log.h"
#include "core/text.h"
#include "graph/select.h"
#include "passes/pass.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>

namespace compress::passes {

namespace {

/// Distiller's way to a lottery ticket: the masks of a pruned model on the weights of another one. What is exactly zero
/// in the model is masked here.
class TakeMasks final : public Pass {
public:
  void declare(Settings& settings) override {
    settings.required("model", spec_, "the pruned model, not thinned: zoo name, ONNX file or run directory");
    settings.optional("weights", weights_,
                      "names or patterns of the parameters to mask; absent: all with more than one axis");
  }

  void bind(const Graph& graph, const OpenModel& open, Problems& problems) override {
    problems.capture([&] {
      within(fmt::format("taking the masks of '{}'", spec_), [&] {
        const auto pruned = open(spec_);
        for (const auto& name : chosen(graph, problems)) take(graph.parameter(name), pruned, problems);
        if (problems.empty() && masks_.empty())
          throw request_error("'{}' has no zeros in these weights: there are no masks to take", spec_);
      });
    });
  }

  Changes run(Graph& graph) override {
    const at::NoGradGuard no_grad;
    int64_t masked = 0;
    for (const auto& [name, kept] : masks_) {
      auto* parameter = graph.find_parameter(name);
      if (!parameter || !parameter->value.sizes().equals(kept.sizes()))
        throw run_error("'{}' is no longer as it was when its mask was taken from '{}'", name, spec_)
            .hint("run 'take_masks' before passes that remove or exchange parameters");
      auto mask = kept.to(parameter->value.options().requires_grad(false));
      parameter->mask = parameter->mask.defined() ? parameter->mask.mul(mask) : mask;
      graph.writable(name).mul_(parameter->mask);
      masked += mask.numel() - mask.count_nonzero().item<int64_t>();
    }
    log::info("[take_masks] {} weights of {} parameters are masked as in '{}'", with_commas(masked), masks_.size(),
              spec_);
    return {};
  }

private:
  std::vector<std::string> chosen(const Graph& graph, Problems& problems) const {
    if (!weights_.empty()) return select_parameters(graph, weights_, problems);
    std::vector<std::string> names;
    for (const Parameter& parameter : graph.parameters())
      if (parameter.trainable && parameter.value.dim() > 1) names.push_back(parameter.name);
    return names;
  }

  void take(const Parameter& own, const Graph& pruned, Problems& problems) {
    const auto* its = pruned.find_parameter(own.name);
    if (!its)
      return problems.add(request_error("'{}' has no parameter '{}'", spec_, own.name)
                              .hint(did_you_mean(own.name, pruned.parameter_names())));
    if (!its->value.sizes().equals(own.value.sizes()))
      return problems.add(request_error("'{}' is {} in '{}' and {} here", own.name, shape_text(its->value.sizes()),
                                        spec_, shape_text(own.value.sizes()))
                              .hint("masks come from a pruned model that was not thinned"));
    const auto kept =
        its->mask.defined() ? its->value.detach().ne(0).logical_and(its->mask.ne(0)) : its->value.detach().ne(0);
    if (!kept.all().item<bool>()) masks_[own.name] = kept;
  }

  std::string spec_;
  std::vector<std::string> weights_;
  std::map<std::string, at::Tensor> masks_;  ///< where it is true the weight stays
};

}  // namespace

extern const Entry<Pass> take_masks{"take_masks", "masks the weights that are zero in another, pruned model",
                                    make_component<Pass, TakeMasks>};

}  // namespace compress::passes
