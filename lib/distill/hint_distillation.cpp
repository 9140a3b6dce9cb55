#include "core/text.h"
#include "distill/feature_distiller.h"
#include "distill/regressor.h"
#include "distill/value_channels.h"

#include <ATen/ops/mse_loss.h>
#include <ATen/ops/smooth_l1_loss.h>

namespace compress::distill {

namespace {

enum class HintLoss { l2, smooth_l1 };
enum class Projection { automatic, always, never };

at::Tensor hint_l2(const at::Tensor& student, const at::Tensor& teacher) {
  return at::mse_loss(student, teacher);
}

at::Tensor hint_smooth_l1(const at::Tensor& student, const at::Tensor& teacher) {
  return at::smooth_l1_loss(student, teacher);
}

/// Romero et al. 2015 (FitNets): a value of the network is to be the teacher's, element by element, behind a learned
/// projection where they have different numbers of channels. Channels that thinning removes from the student are left
/// out of the projection, or of the comparison when there is none.
class HintDistillation final : public FeatureDistiller {
public:
  HintDistillation() : FeatureDistiller("HintDistillation", "hint_loss") {}

  void before_parameter_optimization(train::State& state) override {
    for (auto& hint : hints_) hint.regressor.step(projection_lr_ * state.lr_multiplier(), projection_momentum_);
  }

  void apply(const Changes& changes) override {
    for (auto& hint : hints_)
      if (const auto kept = hint.channels.apply(changes)) hint.regressor.keep(*kept);
  }

private:
  struct Hint {
    ValueChannels channels;  ///< of the student's value
    bool projected = false;
    Regressor regressor;
  };

  void declare_own(Settings& settings) override {
    settings.choice("loss", loss_, {{"l2", HintLoss::l2}, {"smooth_l1", HintLoss::smooth_l1}},
                    "of the difference, averaged over all elements: its square, or that only up to 1 and the absolute "
                    "value behind it");
    settings.choice("projection", projection_,
                    {{"auto", Projection::automatic}, {"always", Projection::always}, {"never", Projection::never}},
                    "learned 1x1 convolution in front of the comparison; auto: where the numbers of channels differ");
    settings.optional("projection_lr", projection_lr_,
                      "learning rate of the projections; learning-rate schedules multiply it", above(0));
    settings.optional("projection_momentum", projection_momentum_, "momentum of the projections", half_open(0, 1));
  }

  void check_pair(const Pair& pair) const override {
    const auto axis = pair.student_channels;
    const auto places = [axis](Shape shape) {
      shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
      return shape;
    };
    const auto& own = pair.student_shape;
    const auto& its = pair.teacher_shape;
    const auto text = [](const Shape& shape) { return shape_text(sample_shape(shape)); };
    if (own.size() != its.size() || places(own) != places(its))
      throw request_error("'{}' is {} for each sample, the teacher's '{}' {}: a hint needs the same places",
                          pair.student, text(own), pair.teacher, text(its))
          .hint("AttentionTransfer and RelationalDistillation compare values of different sizes");
    if (own[axis] != its[axis] && projection_ == Projection::never)
      throw request_error("'{}' has {} channels, the teacher's '{}' {}, and there is no projection", pair.student,
                          own[axis], pair.teacher, its[axis])
          .hint("projection: auto");
  }

  void bind_own(const analysis::CoupledChannels& channels) override {
    for (const auto& pair : pairs()) {
      const auto axis = pair.student_channels;
      const auto own = pair.student_shape[axis], its = pair.teacher_shape[axis];
      hints_.push_back({.channels = ValueChannels(channels, pair.student, axis, own),
                        .projected = projection_ == Projection::always || own != its,
                        .regressor = {}});
    }
  }

  void teacher_changed() override {
    for (auto& hint : hints_) hint.channels.restart();
  }

  at::Tensor distance(size_t i, const at::Tensor& student, const at::Tensor& teacher, train::State& state) override {
    const auto axis = static_cast<int64_t>(pairs()[i].student_channels);
    const auto own = student.movedim(axis, -1), its = teacher.to(student.scalar_type()).movedim(axis, -1);
    const Measure measure = loss_ == HintLoss::l2 ? hint_l2 : hint_smooth_l1;
    auto& hint = hints_[i];
    if (!hint.projected) {
      const auto& kept = hint.channels.original();
      const bool whole = std::ssize(kept) == its.size(-1);
      return measure(own, whole ? its : its.index_select(-1, position_tensor(kept, its.device())));
    }
    if (!hint.regressor.exists())
      hint.regressor.create(own.size(-1), its.size(-1), Random(state.seed, "hint projection", {i}), state.device);
    hint.regressor.to(state.device);
    hint.regressor.learn(own, its, measure);
    return measure(hint.regressor.map(own), its);
  }

  void save_own(train::Memory& memory) const override {
    memory.values = nlohmann::json::array();
    for (size_t i = 0; i < hints_.size(); ++i) {
      memory.values.push_back(hints_[i].channels.save());
      hints_[i].regressor.save(memory, key(i));
    }
  }

  void load_own(const train::Memory& memory) override {
    for (size_t i = 0; i < hints_.size(); ++i) {
      hints_[i].channels.load(memory.values.at(i));
      hints_[i].regressor.load(memory, key(i));
    }
  }

  static std::string key(size_t pair) { return fmt::format("projection/{}/", pair); }

  HintLoss loss_ = HintLoss::l2;
  Projection projection_ = Projection::automatic;
  double projection_lr_ = 0.1, projection_momentum_ = 0.9;
  std::vector<Hint> hints_;
};

}  // namespace

extern const Entry<Distiller> hint_distillation;
const Entry<Distiller> hint_distillation{"HintDistillation",
                                         "values of the network resemble a teacher's (FitNets, Romero et al. 2015)",
                                         make_component<Distiller, HintDistillation>};

}  // namespace compress::distill
