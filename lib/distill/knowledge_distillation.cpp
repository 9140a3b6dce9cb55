#include "core/text.h"
#include "distill/distiller.h"
#include "exec/plan.h"
#include "io/onnx.h"
#include "ops/op.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <optional>

namespace compress::distill {

namespace {

constexpr std::string_view kSelf = "self";

/// Hinton et al. 2015: L = student_wt * L(student, labels) + distill_wt * T^2 * KL(softmax(teacher / T) ||
/// softmax(student / T)), the divergence averaged over the batch. With `teacher: self` the teacher is a copy of the
/// network itself as it was at the beginning of `teacher_epoch`; the copy is kept as an ONNX model, so that a resumed
/// run reads the very teacher that the first one had.
class KnowledgeDistillation final : public Distiller {
public:
  void declare(Settings& settings) override {
    settings.required(
        "teacher", teacher_spec_,
        "zoo name, ONNX file or run directory; or 'self': this network at the beginning of 'teacher_epoch'");
    settings.optional("teacher_epoch", teacher_epoch_, "with 'teacher: self'; absent: the policy's first epoch",
                      at_least(0));
    settings.optional("temperature", temperature_, "T: above 1, small probabilities of the teacher count more",
                      above(0));
    settings.optional("student_wt", student_wt_, "weight of the loss on the labels", at_least(0));
    settings.optional("distill_wt", distill_wt_, "weight of the divergence from the teacher", at_least(0));
  }

  void check(int64_t starting_epoch) const override {
    if (!teacher_epoch_) return;
    if (teacher_spec_ != kSelf)
      throw request_error("'teacher_epoch' goes with 'teacher: self' only, not with teacher '{}'", teacher_spec_);
    if (*teacher_epoch_ > starting_epoch)
      throw request_error(
          "'teacher_epoch' ({}) lies behind the policy's first epoch ({}): there would be no teacher yet",
          *teacher_epoch_, starting_epoch);
  }

  void bind(const Graph& student, const OpenModel& open, int64_t starting_epoch, Problems& problems) override {
    output_ = student.outputs.front().name;
    snapshot_epoch_ = teacher_epoch_.value_or(starting_epoch);
    if (teacher_spec_ == kSelf) return;
    problems.capture([&] {
      within(fmt::format("opening the teacher '{}'", teacher_spec_), [&] {
        teacher_ = open(teacher_spec_);
        require_fit(student, *teacher_);
      });
    });
  }

  void before_epoch(train::State& state) override {
    if (teacher_spec_ == kSelf && state.epoch == snapshot_epoch_)
      take_snapshot(io::export_onnx_bytes(state.graph, {.own_operators = true}));
  }

  void before_backward_pass(train::State& state) override {
    const auto taught = teacher_outputs(state).to(state.device).div(temperature_).softmax(1);
    const auto student = state.outputs.at(output_).div(temperature_).log_softmax(1);
    const auto batch = static_cast<double>(student.size(0));
    const auto divergence = taught.xlogy(taught).sub(taught.mul(student)).sum().div(batch);
    state.loss = state.loss.mul(student_wt_).add(divergence, distill_wt_ * temperature_ * temperature_);
    state.loss_terms.emplace_back("distill_loss", divergence.detach());
  }

  train::Memory save() const override {
    train::Memory memory;
    if (snapshot_.empty()) return memory;
    auto bytes = at::empty({static_cast<int64_t>(snapshot_.size())}, at::kByte);
    std::memcpy(bytes.mutable_data_ptr<uint8_t>(), snapshot_.data(), snapshot_.size());
    memory.tensors["teacher"] = std::move(bytes);
    return memory;
  }

  void load(const train::Memory& memory) override {
    const auto found = memory.tensors.find("teacher");
    if (found == memory.tensors.end()) return;
    const auto bytes = found->second.to(at::kCPU, at::kByte).contiguous();
    take_snapshot({reinterpret_cast<const char*>(bytes.const_data_ptr<uint8_t>()), static_cast<size_t>(bytes.numel())});
  }

private:
  void take_snapshot(std::string bytes) {
    snapshot_ = std::move(bytes);
    teacher_ = io::import_onnx_bytes(snapshot_, "the network as its own teacher");
    plan_.reset();
  }

  /// The teacher's first output for the present batch, in evaluation mode.
  at::Tensor teacher_outputs(const train::State& state) {
    if (!teacher_)
      throw run_error("there is no teacher: training did not pass epoch {}, where the network was to become its own",
                      snapshot_epoch_);
    if (!plan_) {
      exec::prepare_parameters(*teacher_, state.device);
      plan_.emplace(*teacher_);
    }
    at::NoGradGuard no_grad;
    return plan_->run(state.inputs).front();
  }

  /// Without the batch.
  static std::span<const int64_t> sample_shape(const Shape& shape) {
    return std::span(shape).subspan(shape.empty() ? 0 : 1);
  }

  static Shape output_shape(const Graph& graph) {
    const auto infos = ops::infer(graph, 2);
    const auto sample = sample_shape(infos.at(graph.outputs.front().value).shape);
    return {sample.begin(), sample.end()};
  }

  static void require_fit(const Graph& student, const Graph& teacher) {
    const auto same_shape = [](const GraphInput& a, const GraphInput& b) {
      return std::ranges::equal(sample_shape(a.shape), sample_shape(b.shape));
    };
    if (!std::ranges::equal(student.inputs, teacher.inputs, same_shape))
      throw request_error("the teacher takes other inputs ({}) than the network ({})", input_text(teacher),
                          input_text(student));
    const auto taught = output_shape(teacher), learned = output_shape(student);
    if (taught != learned)
      throw request_error(
          "the teacher's output is {} for each sample, the network's {}: they must know the same classes",
          shape_text(taught), shape_text(learned));
  }

  static std::string input_text(const Graph& graph) {
    std::vector<std::string> words;
    for (const auto& input : graph.inputs)
      words.push_back(fmt::format("{}: {}", input.name, shape_text(sample_shape(input.shape))));
    return join_words(words);
  }

  std::string teacher_spec_;
  std::optional<int64_t> teacher_epoch_;
  double temperature_ = 1, student_wt_ = 0.5, distill_wt_ = 0.5;

  std::string output_;
  int64_t snapshot_epoch_ = 0;
  std::string snapshot_;  ///< ONNX bytes of the network as its own teacher
  std::optional<Graph> teacher_;
  std::optional<exec::Plan> plan_;
};

}  // namespace

extern const Entry<Distiller> knowledge_distillation;
const Entry<Distiller> knowledge_distillation{"KnowledgeDistillation",
                                              "the network also learns a teacher's probabilities (Hinton et al. 2015)",
                                              make_component<Distiller, KnowledgeDistillation>};

}  // namespace compress::distill
