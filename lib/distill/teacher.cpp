#include "distill/teacher.h"

#include "core/text.h"
#include "io/onnx.h"
#include "ops/op.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>

namespace compress::distill {

namespace {

constexpr std::string_view kSelf = "self";

std::string input_text(const Graph& graph) {
  std::vector<std::string> words;
  for (const auto& input : graph.inputs)
    words.push_back(fmt::format("{}: {}", input.name, shape_text(sample_shape(input.shape))));
  return join_words(words);
}

void require_same_inputs(const Graph& student, const Graph& teacher) {
  const auto same_shape = [](const GraphInput& a, const GraphInput& b) {
    return sample_shape(a.shape) == sample_shape(b.shape);
  };
  if (!std::ranges::equal(student.inputs, teacher.inputs, same_shape))
    throw request_error("the teacher takes other inputs ({}) than the network ({})", input_text(teacher),
                        input_text(student));
}

}  // namespace

Shape sample_shape(const Shape& shape) {
  return {shape.begin() + (shape.empty() ? 0 : 1), shape.end()};
}

Shape output_shape(const Graph& graph) {
  return sample_shape(ops::infer(graph, 2).at(graph.outputs.front().value).shape);
}

void TeacherArguments::declare(Settings& settings) {
  settings.optional("teacher_epoch", epoch, "with 'teacher: self'; absent: the policy's first epoch", at_least(0));
}

void TeacherArguments::check(const std::vector<std::string>& specs, int64_t starting_epoch) const {
  if (!epoch) return;
  if (std::ranges::find(specs, kSelf) == specs.end())
    throw request_error("'teacher_epoch' goes with 'teacher: self' only, not with teacher '{}'",
                        fmt::format("{}", fmt::join(specs, "', '")));
  if (*epoch > starting_epoch)
    throw request_error("'teacher_epoch' ({}) lies behind the policy's first epoch ({}): there would be no teacher yet",
                        *epoch, starting_epoch);
}

Teacher::Teacher(std::string spec, int64_t snapshot_epoch, std::vector<std::string> values)
    : spec_(std::move(spec)), snapshot_epoch_(snapshot_epoch), values_(std::move(values)),
      seen_(std::make_unique<std::map<std::string, std::vector<at::Tensor>>>()) {}

bool Teacher::is_self() const {
  return spec_ == kSelf;
}

void Teacher::open(const Graph& student, const OpenModel& open) {
  if (is_self()) return;
  within(fmt::format("opening the teacher '{}'", spec_), [&] {
    graph_ = open(spec_);
    require_same_inputs(student, *graph_);
  });
}

bool Teacher::before_epoch(const train::State& state) {
  if (!is_self() || state.epoch != snapshot_epoch_) return false;
  take_snapshot(io::export_onnx_bytes(state.graph, {.own_operators = true}));
  return true;
}

void Teacher::take_snapshot(std::string bytes) {
  snapshot_ = std::move(bytes);
  graph_ = io::read_onnx_exactly_bytes(snapshot_, "the network as its own teacher");
  plan_.reset();
}

void Teacher::compile(at::Device device) {
  exec::prepare_parameters(*graph_, device);
  exec::PlanOptions options{.observe = values_};
  if (!values_.empty())
    options.observer = [seen = seen_.get()](std::string_view name, const at::Tensor& value) {
      (*seen)[std::string(name)].push_back(value);
    };
  plan_.emplace(*graph_, std::move(options));
}

Teacher::Answer Teacher::run(const train::State& state) {
  if (!graph_)
    throw run_error("there is no teacher: training did not pass epoch {}, where the network was to become its own",
                    snapshot_epoch_);
  const at::NoGradGuard no_grad;
  if (!plan_) compile(state.device);
  seen_->clear();
  Answer answer{.outputs = plan_->run(state.inputs), .values = {}};
  for (auto& output : answer.outputs) output = output.to(state.device);
  for (const auto& [name, slices] : *seen_) {
    const auto whole = slices.size() == 1 ? slices.front() : at::cat(slices);
    answer.values[name] = whole.to(state.device);
  }
  seen_->clear();
  return answer;
}

void Teacher::save(train::Memory& memory, const std::string& name) const {
  if (snapshot_.empty()) return;
  auto bytes = at::empty({static_cast<int64_t>(snapshot_.size())}, at::kByte);
  std::memcpy(bytes.mutable_data_ptr<uint8_t>(), snapshot_.data(), snapshot_.size());
  memory.tensors[name] = std::move(bytes);
}

void Teacher::load(const train::Memory& memory, const std::string& name) {
  const auto found = memory.tensors.find(name);
  if (found == memory.tensors.end()) return;
  const auto bytes = found->second.to(at::kCPU, at::kByte).contiguous();
  take_snapshot({reinterpret_cast<const char*>(bytes.const_data_ptr<uint8_t>()), static_cast<size_t>(bytes.numel())});
}

}  // namespace compress::distill
