#include "passes/remover.h"

namespace compress::passes {

namespace {

class Remover final : public Pass {
public:
  explicit Remover(Removal removal) : removal_(removal) {}

  void declare(Settings& settings) override {
    settings.choice("thinning_func_str", removal_,
                    {{"remove_filters", Removal::filters},
                     {"remove_channels", Removal::channels},
                     {"contract_model", Removal::both}},
                    "what is looked for: zero filters, filters that nobody reads, or both");
    settings.ignored("arch", "the network is known");
    settings.ignored("dataset", "the network's input shape is known");
  }

  bool thins() const override { return true; }

  Changes run(Graph& graph) override {
    const auto thin = passes().make("thin");
    Settings settings;
    thin->declare(settings);
    auto arguments = Yaml::map();
    arguments.set("batch_norm", Yaml::scalar(removal_ == Removal::channels ? "exact" : "drop"));
    settings.read(arguments, "thin");
    return thin->run(graph);
  }

private:
  Removal removal_;
};

}  // namespace

std::unique_ptr<Pass> make_remover(Removal removal) {
  return std::make_unique<Remover>(removal);
}

}  // namespace compress::passes
