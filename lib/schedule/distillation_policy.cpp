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
  void check_with(const Policy& earlier, Problems& problems) const override {
    const auto* other = dynamic_cast<const DistillationPolicy*>(&earlier);
    if (!other || !window.overlaps(other->window)) return;
    const auto own = distiller_->label_weight(), its = other->distiller_->label_weight();
    if (own && its && *own != *its)
      problems.add(request_error("'student_wt' is {} here and {} in distiller '{}', which acts in the same epochs: the "
                                 "loss on the labels has one weight",
                                 *own, *its, earlier.instance)
                       .hint("give both the same 'student_wt', or one distiller a list of teachers"));
  }
  void before_epoch(train::State& state) override { distiller_->before_epoch(state); }
  std::vector<std::string> observed(const train::State& state) const override { return distiller_->observed(state); }
  void before_backward_pass(train::State& state) override { distiller_->before_backward_pass(state); }
  void before_parameter_optimization(train::State& state) override { distiller_->before_parameter_optimization(state); }
  void apply(const Changes& changes) override { distiller_->apply(changes); }
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
