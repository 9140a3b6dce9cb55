#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <algorithm>

namespace compress::ops {

namespace {

/// The indices start, start + step, ... of one axis, `count` of them.
struct Cut {
  int64_t axis = 0;
  int64_t start = 0;
  int64_t step = 1;
  int64_t count = 0;
};

/// ONNX's rules: negative numbers count from the end, what lies outside is clamped.
Cut cut_of(int64_t axis, int64_t start, int64_t end, int64_t step, int64_t size) {
  if (step == 0) throw request_error("attribute 'steps' has a 0");
  if (size == 0) return {axis, 0, 1, 0};
  step = std::clamp(step, -size - 1, size + 1);  // a larger step picks the same single index
  const auto from_front = [&](int64_t index) { return index < 0 ? index + size : index; };
  if (step > 0) {
    start = std::clamp<int64_t>(from_front(start), 0, size);
    end = std::clamp<int64_t>(from_front(end), 0, size);
    return {axis, start, step, std::max<int64_t>(0, (end - start + step - 1) / step)};
  }
  start = std::clamp<int64_t>(from_front(start), 0, size - 1);
  end = std::clamp<int64_t>(from_front(end), -1, size - 1);
  return {axis, start, step, std::max<int64_t>(0, (start - end - step - 1) / -step)};
}

std::vector<Cut> cuts_of(const Node& node, const Shape& shape) {
  const auto& attributes = node.attributes;
  const auto starts = attributes.integers("starts", {}), ends = attributes.integers("ends", {});
  Shape first(starts.size());
  for (size_t i = 0; i < first.size(); ++i) first[i] = static_cast<int64_t>(i);
  const auto axes = axes_of(attributes.integers("axes", first), std::ssize(shape));
  const auto steps = attributes.integers("steps", Shape(starts.size(), 1));
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    throw request_error(
        "'starts', 'ends', 'axes' and 'steps' have {}, {}, {} and {} entries, but must have equally many",
        starts.size(), ends.size(), axes.size(), steps.size());
  std::vector<Cut> cuts;
  for (size_t i = 0; i < starts.size(); ++i)
    cuts.push_back(cut_of(axes[i], starts[i], ends[i], steps[i], shape[static_cast<size_t>(axes[i])]));
  return cuts;
}

at::Tensor cut_out(const at::Tensor& x, const Cut& cut) {
  const auto last = cut.start + (cut.count - 1) * cut.step;
  if (cut.count == 0) return x.narrow(cut.axis, 0, 0);
  if (cut.step > 0) return x.slice(cut.axis, cut.start, last + 1, cut.step);
  return x.slice(cut.axis, last, cut.start + 1, -cut.step).flip({cut.axis});
}

Kernel slice_kernel(const Node& node) {
  return [node](Call& call) {
    auto result = call.in(0);
    for (const auto& cut : cuts_of(node, shape_of(result))) result = cut_out(result, cut);
    call.out() = result;
  };
}

std::vector<ValueInfo> slice_infer(const InferCall& call) {
  auto result = call.in(0);
  for (const auto& cut : cuts_of(call.node, call.shape(0))) result.shape[static_cast<size_t>(cut.axis)] = cut.count;
  return {result};
}

/// A step goes on to pick every n-th channel only when whole windows of n are removed.
void unite_windows(ChannelFlow& flow, const Atoms& atoms, int64_t size) {
  for (int64_t k = 0; k < std::ssize(atoms); ++k)
    flow.unite({atoms[static_cast<size_t>(k)]}, {atoms[static_cast<size_t>(k - k % size)]});
}

void slice_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  auto map = flow.map(0);
  for (const auto& cut : cuts_of(flow.node(), flow.shape(0))) {
    auto& atoms = map[static_cast<size_t>(cut.axis)];
    if (atoms.empty()) continue;
    unite_windows(flow, atoms, std::abs(cut.step));
    Atoms picked;
    for (int64_t k = 0; k < cut.count; ++k) picked.push_back(atoms[static_cast<size_t>(cut.start + k * cut.step)]);
    atoms = std::move(picked);
  }
  flow.set_output(std::move(map));
}

/// Where the picked indices that stay are found afterwards.
Shape new_places(const Cut& cut, const std::vector<bool>& kept) {
  Shape places;
  for (int64_t k = 0; k < cut.count; ++k) {
    const auto at = kept.begin() + cut.start + k * cut.step;
    if (*at) places.push_back(std::count(kept.begin(), at, true));
  }
  return places;
}

/// What stays of the picked indices gives the new start and end.
void slice_resize(Node& node, const Resize& resize) {
  Shape sizes;  // of the input, as far as it carries channels
  for (int64_t axis = 0; axis < resize.axes_of_output(); ++axis)
    sizes.push_back(std::max<int64_t>(1, std::ssize(resize.kept_input(0, axis))));
  auto starts = node.attributes.integers("starts", {}), ends = node.attributes.integers("ends", {});
  const auto cuts = cuts_of(node, sizes);
  for (size_t i = 0; i < cuts.size(); ++i) {
    const auto kept = resize.kept_input(0, cuts[i].axis);
    if (kept.empty()) continue;
    const auto places = new_places(cuts[i], kept);
    starts[i] = places.empty() ? 0 : places.front();
    ends[i] = places.empty() ? 0 : places.back() + (cuts[i].step > 0 ? 1 : -1);
    if (ends[i] < 0) ends[i] = -std::ssize(kept) - 1;  // in front of the first; -1 would be the last
  }
  node.attributes.set("starts", starts);
  node.attributes.set("ends", ends);
}

}  // namespace

namespace families {
extern const OpFamily slice{{{.name = "Slice",
                              .doc = "a range of indices of some axes",
                              .attributes = {{"axes", AttributeSpec::Type::integers},
                                             {"ends", AttributeSpec::Type::integers, true},
                                             {"starts", AttributeSpec::Type::integers, true},
                                             {"steps", AttributeSpec::Type::integers}},
                              .constant_inputs = {{.index = 1, .attribute = "starts", .since_opset = 10},
                                                  {.index = 2, .attribute = "ends", .since_opset = 10},
                                                  {.index = 3, .attribute = "axes", .since_opset = 10},
                                                  {.index = 4, .attribute = "steps", .since_opset = 10}},
                              .kernel = slice_kernel,
                              .gradient = Gradient::yes,
                              .infer = slice_infer,
                              .macs = no_macs,
                              .channels = slice_channels,
                              .resize = slice_resize,
                              .quantization = Quantization::same_grid}}};
}

}  // namespace compress::ops
