#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

namespace compress::ops {

namespace {

/// Front and back of every axis; negative numbers crop.
struct Padding {
  Shape begin, end;
};

Padding padding_of(const Node& node, size_t rank) {
  const auto pads = node.attributes.integers("pads", {});
  const auto count = pads.size() / 2;
  Shape all(rank);
  for (size_t i = 0; i < rank; ++i) all[i] = static_cast<int64_t>(i);
  const auto axes = axes_of(node.attributes.integers("axes", all), static_cast<int64_t>(rank));
  if (pads.size() != 2 * axes.size())
    throw request_error("attribute 'pads' has {} entries, but {} are needed", pads.size(), 2 * axes.size());
  Padding padding{Shape(rank, 0), Shape(rank, 0)};
  for (size_t i = 0; i < count; ++i) {
    padding.begin[static_cast<size_t>(axes[i])] = pads[i];
    padding.end[static_cast<size_t>(axes[i])] = pads[count + i];
  }
  return padding;
}

/// Where an index of the padded axis comes from; -1: from the constant.
int64_t pad_source(const std::string& mode, int64_t index, int64_t size) {
  if (index >= 0 && index < size) return index;
  if (mode == "constant") return -1;
  if (mode == "edge") return std::clamp<int64_t>(index, 0, size - 1);
  if (mode == "wrap") return (index % size + size) % size;
  const auto period = std::max<int64_t>(1, 2 * (size - 1));  // reflect, again and again
  const auto from_front = (index % period + period) % period;
  return std::min(from_front, period - from_front);
}

Shape pad_sources(const std::string& mode, int64_t size, int64_t begin, int64_t end) {
  Shape sources;
  for (int64_t index = -begin; index < size + end; ++index) sources.push_back(pad_source(mode, index, size));
  return sources;
}

at::Tensor padded_by_index(const at::Tensor& x, const Padding& padding, const std::string& mode) {
  auto result = x;
  for (int64_t axis = 0; axis < x.dim(); ++axis) {
    const auto begin = padding.begin[static_cast<size_t>(axis)], end = padding.end[static_cast<size_t>(axis)];
    if (begin == 0 && end == 0) continue;
    const auto sources = pad_sources(mode, x.size(axis), begin, end);
    result = result.index_select(axis, at::tensor(sources, at::TensorOptions(at::kLong).device(x.device())));
  }
  return result;
}

std::string pad_mode(const Node& node) {
  return node.attributes.text("mode", "constant");
}

Kernel pad_kernel(const Node& node) {
  return [node, mode = pad_mode(node), value = node.attributes.number("value", 0)](Call& call) {
    const auto& x = call.in(0);
    const auto padding = padding_of(node, static_cast<size_t>(x.dim()));
    call.out() = mode == "constant" ? at::constant_pad_nd(x, torch_pads(padding.begin, padding.end), value)
                                    : padded_by_index(x, padding, mode);
  };
}

std::vector<ValueInfo> pad_infer(const InferCall& call) {
  auto result = call.in(0);
  const auto padding = padding_of(call.node, result.shape.size());
  const bool copies = pad_mode(call.node) != "constant";
  for (size_t axis = 0; axis < result.shape.size(); ++axis) {
    const auto size = result.shape[axis];
    if (copies && size == 0 && (padding.begin[axis] > 0 || padding.end[axis] > 0))
      throw request_error("axis {} has nothing to pad with in mode '{}'", axis, pad_mode(call.node));
    int64_t padded = 0;
    if (__builtin_add_overflow(size, padding.begin[axis], &padded) ||
        __builtin_add_overflow(padded, padding.end[axis], &padded))
      throw request_error("pads of {} and {} are too many for an axis of size {}", padding.begin[axis],
                          padding.end[axis], size);
    result.shape[axis] = padded;
    if (padded < 0) throw request_error("pads crop axis {} of size {} to less than nothing", axis, size);
  }
  return {result};
}

/// The new indices of a padded axis are channels of their own: constant zeros, which may go like any other; anything
/// else cannot be followed.
Atoms padded_channels(ChannelFlow& flow, const Atoms& atoms, int64_t begin, int64_t end) {
  const auto mode = pad_mode(flow.node());
  const bool zeros = mode == "constant" && flow.node().attributes.number("value", 0) == 0;
  if (!zeros) flow.block(atoms, "channels are padded with something else than zeros");
  Atoms result;
  for (const auto source : pad_sources(mode, std::ssize(atoms), begin, end)) {
    result.push_back(source < 0 ? flow.fresh(1).front() : atoms[static_cast<size_t>(source)]);
    if (source < 0 && !zeros) flow.block({result.back()}, "channels are padded with something else than zeros");
  }
  return result;
}

void pad_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto padding = padding_of(flow.node(), flow.shape(0).size());
  auto map = flow.map(0);
  for (size_t axis = 0; axis < map.size(); ++axis)
    if (!map[axis].empty() && (padding.begin[axis] != 0 || padding.end[axis] != 0))
      map[axis] = padded_channels(flow, map[axis], padding.begin[axis], padding.end[axis]);
  flow.set_output(std::move(map));
}

/// What of `pad` new or cropped indices at one end stays.
int64_t resized_pad(int64_t pad, const std::vector<bool>& input, const std::vector<bool>& output, bool front) {
  const auto& flags = pad < 0 ? input : output;
  const auto count = std::abs(pad);
  const auto first = front ? flags.begin() : flags.end() - count;
  const auto kept = std::count(first, first + count, true);
  return pad < 0 ? -kept : kept;
}

void pad_resize(Node& node, const Resize& resize) {
  const auto rank = static_cast<size_t>(resize.axes_of_output());
  auto padding = padding_of(node, rank);
  for (size_t i = 0; i < rank; ++i) {
    const auto axis = static_cast<int64_t>(i);
    const auto input = resize.kept_input(0, axis), output = resize.kept_output(axis);
    if (input.empty() || output.empty()) continue;
    padding.begin[i] = resized_pad(padding.begin[i], input, output, true);
    padding.end[i] = resized_pad(padding.end[i], input, output, false);
  }
  auto pads = padding.begin;
  pads.insert(pads.end(), padding.end.begin(), padding.end.end());
  node.attributes.set("pads", pads);
  node.attributes.erase("axes");
}

/// Pads for every axis: before opset 18 ONNX has no others.
void pad_all_axes(Graph& graph, Node& node) {
  if (!node.attributes.has("axes")) return;
  const auto padding = padding_of(node, input_infos(node, infer(graph, 2, &node)).front().shape.size());
  auto pads = padding.begin;
  pads.insert(pads.end(), padding.end.begin(), padding.end.end());
  node.attributes.set("pads", pads);
  node.attributes.erase("axes");
}

}  // namespace

namespace families {
extern const OpFamily pad{
    {{.name = "Pad",
      .doc = "enlarges axes by a constant, their edge or their reflection; negative pads crop",
      .since_opset = 2,
      .attributes = {{"axes", AttributeSpec::Type::integers},
                     {"mode", AttributeSpec::Type::text, false, "constant|reflect|edge|wrap"},
                     {"pads", AttributeSpec::Type::integers, true},
                     {"value", AttributeSpec::Type::number}},
      .constant_inputs =
          {{.index = 1, .attribute = "pads", .since_opset = 11},
           {.index = 2, .attribute = "value", .since_opset = 11, .scalar = true, .like_first_input = true},
           {.index = 3, .attribute = "axes", .since_opset = 18}},
      .kernel = pad_kernel,
      .gradient = Gradient::yes,
      .infer = pad_infer,
      .macs = no_macs,
      .channels = pad_channels,
      .resize = pad_resize,
      .quantization = Quantization::same_grid,
      .normalize = pad_all_axes}}};
}

}  // namespace compress::ops
