#include "distill/distiller.h"
#include "schedule/policies.h"

namespace compress::schedule {

namespace {

class DistillationPolicy final : public Policy {
public:
  explicit DistillationPolicy(std::unique_ptr<distill::Distiller> distiller) : distiller_(std::move(distiller)) {}

  void bind(const Graph& graph, const Binding& binding, Problems& problems) override {
    distiller_->bind(graph, binding.open, window.first_epoch(), problems);
  }
  void before_epoch(train::State& state) override { distiller_->before_epoch(state); }
  void before_backward_pass(train::State& state) override { distiller_->before_backward_pass(state); }
  train::Memory save() const override { return distiller_->save(); }
  void load(const train::Memory& memory) override { distiller_->load(memory); }

private:
  std::unique_ptr<distill::Distiller> distiller_;
};

}  // namespace

std::unique_ptr<Policy> make_distillation_policy(const PolicyEntry& entry) {
  auto distiller = read_component(distill::distillers(), entry.component, entry.instance);
  check_in(entry.component, [&] { distiller->check(entry.window.first_epoch()); });
  return std::make_unique<DistillationPolicy>(std::move(distiller));
}

}  // namespace compress::schedule
