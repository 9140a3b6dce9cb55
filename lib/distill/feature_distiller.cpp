#include "distill/feature_distiller.h"

#include "core/text.h"
#include "distill/value_channels.h"
#include "ops/op.h"

namespace compress::distill {

namespace {

/// The shape of a floating-point value. Throws a request error with the nearest name.
Shape value_shape(const Graph& graph, const ops::Infos& infos, const std::string& value, const std::string& whose) {
  const auto* info = infos.find(value);
  if (!info || graph.find_parameter(value)) {
    std::vector<std::string> known;
    for (const auto& input : graph.inputs) known.push_back(input.name);
    for (const Node& node : graph.nodes())
      for (int k = 0; k < node.outputs; ++k) known.push_back(node.output(k));
    throw request_error("'{}' is no value of {}", value, whose)
        .hint(did_you_mean(value, known))
        .hint("a value is named after its node: compress summary M --what compute lists the nodes");
  }
  if (!at::isFloatingType(info->type))
    throw request_error("'{}' of {} holds integers, which have no gradient", value, whose);
  if (info->shape.size() < 2)
    throw request_error("'{}' of {} has no features: its shape is {}", value, whose, shape_text(info->shape));
  return info->shape;
}

}  // namespace

void FeatureDistiller::declare(Settings& settings) {
  settings.required("teacher", spec_, TeacherArguments::kTeacherDoc);
  teacher_arguments_.declare(settings);
  settings.required("values", values_,
                    "what is compared: a map from values of this network to values of the teacher (a value is named "
                    "after its node)");
  settings.optional("weight", weight_, "of what is added to the loss, the sum over all pairs", at_least(0));
  declare_own(settings);
}

void FeatureDistiller::check(int64_t starting_epoch) const {
  teacher_arguments_.check({spec_}, starting_epoch);
  if (values_.empty())
    throw request_error("'values' is empty: there is nothing to compare").hint("values: {conv2: conv2}");
  check_own();
}

void FeatureDistiller::bind(const Graph& student, const OpenModel& open, int64_t starting_epoch, Problems& problems) {
  std::vector<std::string> asked;
  for (const auto& [own, its] : values_) asked.push_back(its);
  teacher_.emplace(spec_, teacher_arguments_.epoch.value_or(starting_epoch), std::move(asked));
  problems.capture([&] {
    teacher_->open(student, open);
    find_pairs(student, teacher_->is_self() ? student : *teacher_->graph(), problems);
  });
}

void FeatureDistiller::find_pairs(const Graph& student, const Graph& teacher, Problems& problems) {
  const auto own_infos = ops::infer(student, 2), its_infos = ops::infer(teacher, 2);
  const analysis::CoupledChannels own_channels(student), its_channels(teacher);
  const auto whose = fmt::format("the teacher '{}'", teacher_->spec());
  for (const auto& [own, its] : values_) {
    Pair pair{.student = own, .teacher = its};
    const bool found =
        problems.capture([&] { pair.student_shape = value_shape(student, own_infos, own, "the network"); });
    if (!problems.capture([&] { pair.teacher_shape = value_shape(teacher, its_infos, its, whose); }) || !found)
      continue;
    pair.student_channels = channel_axis(own_channels, own, pair.student_shape.size());
    pair.teacher_channels = channel_axis(its_channels, its, pair.teacher_shape.size());
    problems.capture([&] { check_pair(pair); });
    pairs_.push_back(std::move(pair));
  }
  if (problems.empty()) bind_own(own_channels);
}

std::vector<std::string> FeatureDistiller::observed(const train::State& state) const {
  std::vector<std::string> names;
  for (const auto& pair : pairs_) {
    if (!state.graph.producer(pair.student) && !state.graph.is_input(pair.student))
      throw run_error("the network has no value '{}' any more, which {} compares with the teacher's: a pass removed it",
                      pair.student, class_name_)
          .hint("end the distiller before that pass, or name a value that stays");
    names.push_back(pair.student);
  }
  return names;
}

void FeatureDistiller::before_epoch(train::State& state) {
  if (teacher_->before_epoch(state)) teacher_changed();
}

void FeatureDistiller::before_backward_pass(train::State& state) {
  const auto answer = teacher_->run(state);
  at::Tensor sum;
  for (size_t i = 0; i < pairs_.size(); ++i) {
    const auto taught = answer.values.at(pairs_[i].teacher);
    const auto one = distance(i, state.values.at(pairs_[i].student), taught, state);
    sum = sum.defined() ? sum.add(one) : one;
  }
  state.loss = state.loss.add(sum, weight_);
  state.loss_terms.emplace_back(term_, sum.detach());
}

train::Memory FeatureDistiller::save() const {
  train::Memory memory;
  teacher_->save(memory);
  save_own(memory);
  return memory;
}

void FeatureDistiller::load(const train::Memory& memory) {
  teacher_->load(memory);
  load_own(memory);
}

}  // namespace compress::distill
