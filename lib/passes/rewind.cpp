#include "core/log.h"
#include "passes/pass.h"

#include <ATen/core/grad_mode.h>

namespace compress::passes {

namespace {

/// The lottery ticket (Frankle & Carbin 2019; late rewinding: Frankle et al. 2020): every parameter gets the value back
/// that it had at the beginning of an earlier epoch of the same training, times its mask. Batch-norm statistics go back
/// too. Masks stay, and so does what a pass has added since then.
class Rewind final : public Pass {
public:
  void declare(Settings& settings) override {
    settings.optional("epoch", epoch_, "training goes back to the weights at the beginning of this epoch", at_least(0));
    settings.optional("reset_optimizer", reset_optimizer_,
                      "the optimiser forgets its momentum, as at the beginning of training");
  }

  std::optional<int64_t> remembers() const override { return epoch_; }
  void recall(const std::map<std::string, at::Tensor>& parameters) override { then_ = parameters; }
  bool resets_optimizer() const override { return reset_optimizer_; }
  bool compresses() const override { return true; }

  Changes run(Graph& graph) override {
    if (then_.empty())
      throw request_error("'rewind' goes back to an earlier epoch of training, and there is none")
          .hint("use it in a recipe, behind the epoch that it goes back to");
    const at::NoGradGuard no_grad;
    std::vector<std::string> newer;
    for (const Parameter& parameter : graph.parameters()) {
      const auto found = then_.find(parameter.name);
      if (found != then_.end())
        put_back(graph, parameter, found->second);
      else if (parameter.trainable)
        newer.push_back(parameter.name);
    }
    if (!newer.empty())
      log::info("[rewind] kept as they are, since they were not there in epoch {}: {}", epoch_, fmt::join(newer, ", "));
    log::info("[rewind] back at the weights of epoch {}", epoch_);
    then_.clear();
    return {};
  }

private:
  static void put_back(Graph& graph, const Parameter& parameter, const at::Tensor& value) {
    auto& target = graph.writable(parameter.name);
    target.copy_(value);
    if (parameter.mask.defined()) target.mul_(parameter.mask);
  }

  int64_t epoch_ = 0;
  bool reset_optimizer_ = true;
  std::map<std::string, at::Tensor> then_;
};

}  // namespace

extern const Entry<Pass> rewind{"rewind", "gives the parameters the values of an earlier epoch back (lottery ticket)",
                                make_component<Pass, Rewind>};

}  // namespace compress::passes
