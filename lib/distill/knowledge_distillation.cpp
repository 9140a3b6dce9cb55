#include "core/text.h"
#include "distill/teacher.h"

#include <numeric>

namespace compress::distill {

namespace {

/// Hinton et al. 2015: L = student_wt * L(student, labels) + distill_wt * T^2 * KL(softmax(teacher / T) ||
/// softmax(student / T)), the divergence averaged over the batch. Of several teachers the divergences are averaged with
/// `teacher_weights`; the loss on the labels is weighted once, also when several such distillers act in one step.
class KnowledgeDistillation final : public Distiller {
public:
  void declare(Settings& settings) override {
    settings.required("teacher", specs_, fmt::format("{}; or a list of such", TeacherArguments::kTeacherDoc));
    teacher_arguments_.declare(settings);
    settings.optional("teacher_weights", weights_,
                      "of several teachers: the share of each, relative to the others; absent: the same for all",
                      at_least(0));
    settings.optional("temperature", temperature_, "T: above 1, small probabilities of the teacher count more",
                      above(0));
    settings.optional("student_wt", student_wt_, "weight of the loss on the labels", at_least(0));
    settings.optional("distill_wt", distill_wt_, "weight of the divergence from the teacher", at_least(0));
  }

  void check(int64_t starting_epoch) const override {
    if (specs_.empty()) throw request_error("'teacher' is empty: it takes one teacher or a list of them");
    teacher_arguments_.check(specs_, starting_epoch);
    if (weights_.empty()) return;
    if (weights_.size() != specs_.size())
      throw request_error("'teacher_weights' has {} numbers for {} teachers", weights_.size(), specs_.size());
    if (std::reduce(weights_.begin(), weights_.end()) <= 0)
      throw request_error("'teacher_weights' are all 0: nobody would teach");
  }

  void bind(const Graph& student, const OpenModel& open, int64_t starting_epoch, Problems& problems) override {
    output_ = student.outputs.front().name;
    for (const auto& spec : specs_) {
      auto& teacher = teachers_.emplace_back(spec, teacher_arguments_.epoch.value_or(starting_epoch));
      problems.capture([&] {
        teacher.open(student, open);
        if (teacher.graph())
          within(fmt::format("opening the teacher '{}'", spec),
                 [&] { require_same_outputs(student, *teacher.graph()); });
      });
    }
  }

  std::optional<double> label_weight() const override { return student_wt_; }

  void before_epoch(train::State& state) override {
    for (auto& teacher : teachers_) teacher.before_epoch(state);
  }

  void before_backward_pass(train::State& state) override {
    const auto student = state.outputs.at(output_).div(temperature_).log_softmax(1);
    const auto batch = static_cast<double>(student.size(0));
    at::Tensor divergence;
    for (size_t i = 0; i < teachers_.size(); ++i) {
      const auto taught = teachers_[i].run(state).outputs.front().div(temperature_).softmax(1);
      const auto own = taught.xlogy(taught).sub(taught.mul(student)).sum().mul(share(i) / batch);
      divergence = divergence.defined() ? divergence.add(own) : own;
    }
    if (!state.label_weight) state.loss = state.loss.mul(student_wt_);
    state.label_weight = student_wt_;
    state.loss = state.loss.add(divergence, distill_wt_ * temperature_ * temperature_);
    state.loss_terms.emplace_back("distill_loss", divergence.detach());
  }

  train::Memory save() const override {
    train::Memory memory;
    for (size_t i = 0; i < teachers_.size(); ++i) teachers_[i].save(memory, key(i));
    return memory;
  }

  void load(const train::Memory& memory) override {
    for (size_t i = 0; i < teachers_.size(); ++i) teachers_[i].load(memory, key(i));
  }

private:
  static std::string key(size_t teacher) { return fmt::format("teacher/{}", teacher); }

  double share(size_t teacher) const {
    if (weights_.empty()) return 1 / static_cast<double>(teachers_.size());
    return weights_[teacher] / std::reduce(weights_.begin(), weights_.end());
  }

  static void require_same_outputs(const Graph& student, const Graph& teacher) {
    const auto taught = output_shape(teacher), learned = output_shape(student);
    if (taught != learned)
      throw request_error(
          "the teacher's output is {} for each sample, the network's {}: they must know the same classes",
          shape_text(taught), shape_text(learned));
  }

  std::vector<std::string> specs_;
  TeacherArguments teacher_arguments_;
  std::vector<double> weights_;
  double temperature_ = 1, student_wt_ = 0.5, distill_wt_ = 0.5;

  std::string output_;
  std::vector<Teacher> teachers_;
};

}  // namespace

extern const Entry<Distiller> knowledge_distillation;
const Entry<Distiller> knowledge_distillation{"KnowledgeDistillation",
                                              "the network also learns teachers' probabilities (Hinton et al. 2015)",
                                              make_component<Distiller, KnowledgeDistillation>};

}  // namespace compress::distill
