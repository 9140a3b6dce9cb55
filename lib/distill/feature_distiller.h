#pragma once

#include "analysis/coupled_channels.h"
#include "distill/teacher.h"

namespace compress::distill {

/// A value of the student and the value of the teacher that it is to resemble.
struct Pair {
  std::string student, teacher;
  Shape student_shape, teacher_shape;                 ///< of a batch of 2, in the networks as they are bound
  size_t student_channels = 1, teacher_channels = 1;  ///< the axis of the channels
};

/// What the distillers that compare values inside of two networks share: the teacher, the pairs, and
/// L = loss + weight * (sum over the pairs of what the subclass measures).
class FeatureDistiller : public Distiller {
public:
  void declare(Settings& settings) final;
  void check(int64_t starting_epoch) const final;
  void bind(const Graph& student, const OpenModel& open, int64_t starting_epoch, Problems& problems) final;
  std::vector<std::string> observed(const train::State& state) const final;
  void before_epoch(train::State& state) final;
  void before_backward_pass(train::State& state) final;
  train::Memory save() const final;
  void load(const train::Memory& memory) final;

protected:
  /// `class_name` for messages; `term`: the name of the sum in the log.
  FeatureDistiller(std::string class_name, std::string term)
      : class_name_(std::move(class_name)), term_(std::move(term)) {}

  virtual void declare_own(Settings&) {}
  virtual void check_own() const {}
  /// Throws a request error when the shapes of a pair cannot be compared.
  virtual void check_pair(const Pair& pair) const = 0;
  /// The pairs are known and can be compared; `channels` are the student's.
  virtual void bind_own(const analysis::CoupledChannels&) {}
  /// The student became its own teacher.
  virtual void teacher_changed() {}
  /// A scalar: how far the student's value is from the teacher's, averaged over the batch.
  virtual at::Tensor distance(size_t pair, const at::Tensor& student, const at::Tensor& teacher, train::State&) = 0;
  virtual void save_own(train::Memory&) const {}
  virtual void load_own(const train::Memory&) {}

  const std::vector<Pair>& pairs() const { return pairs_; }

private:
  void find_pairs(const Graph& student, const Graph& teacher, Problems& problems);

  std::string class_name_, term_;
  std::string spec_;
  TeacherArguments teacher_arguments_;
  std::map<std::string, std::string> values_;
  double weight_ = 1;

  std::vector<Pair> pairs_;
  std::optional<Teacher> teacher_;
};

}  // namespace compress::distill
