#pragma once

#include "distill/distiller.h"
#include "exec/plan.h"

namespace compress::distill {

/// Which network teaches: the arguments that all distillers share.
struct TeacherArguments {
  std::optional<int64_t> epoch;

  /// Declares `teacher_epoch`.
  void declare(Settings& settings);
  static constexpr const char* kTeacherDoc =
      "zoo name, ONNX file or run directory; or 'self': this network at the beginning of 'teacher_epoch'";
  /// Throws a request error when teacher_epoch goes with none of the teachers or lies behind the policy's first epoch.
  void check(const std::vector<std::string>& specs, int64_t starting_epoch) const;
};

/// A network that teaches, in evaluation mode: a model from elsewhere, or (`self`) the student as it was at the
/// beginning of an epoch. That one is kept as an ONNX model, so that a resumed run reads the very teacher that the
/// first one had.
class Teacher {
public:
  /// `values`: what run() gives besides the outputs.
  Teacher(std::string spec, int64_t snapshot_epoch, std::vector<std::string> values = {});

  /// Opens a teacher from elsewhere; request errors when there is none or it takes other inputs than the student.
  void open(const Graph& student, const OpenModel& open);
  bool is_self() const;
  const std::string& spec() const { return spec_; }
  /// The network, null before the student has become its own teacher.
  const Graph* graph() const { return graph_ ? &*graph_ : nullptr; }

  /// True when the student became its own teacher now.
  bool before_epoch(const train::State& state);

  struct Answer {
    std::vector<at::Tensor> outputs;           ///< in the graph's order, on the student's device
    std::map<std::string, at::Tensor> values;  ///< those asked for
  };
  /// For the present batch, without gradients. Throws a run error while there is no teacher.
  Answer run(const train::State& state);

  /// Under "teacher" and what follows in `name`.
  void save(train::Memory& memory, const std::string& name = "teacher") const;
  void load(const train::Memory& memory, const std::string& name = "teacher");

private:
  void take_snapshot(std::string bytes);
  void compile(at::Device device);

  std::string spec_;
  int64_t snapshot_epoch_ = 0;
  std::vector<std::string> values_;
  std::string snapshot_;  ///< ONNX bytes of the network as its own teacher
  std::optional<Graph> graph_;
  std::optional<exec::Plan> plan_;
  std::unique_ptr<std::map<std::string, std::vector<at::Tensor>>> seen_;  ///< the plan's observer writes here
};

/// Sizes without the batch.
Shape sample_shape(const Shape& shape);

/// The sizes of one sample of the first output. Throws a request error when shapes do not fit.
Shape output_shape(const Graph& graph);

}  // namespace compress::distill
