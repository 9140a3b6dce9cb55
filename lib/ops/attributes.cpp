#include "ops/attributes.h"

#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <algorithm>
#include <limits>

namespace compress::ops {

namespace {

/// ONNX's numbers of the element types that LibTorch has.
constexpr std::pair<int64_t, at::ScalarType> kElementTypes[] = {
    {1, at::kFloat},   {2, at::kByte},    {3, at::kChar},     {4, at::kUInt16}, {5, at::kShort},
    {6, at::kInt},     {7, at::kLong},    {9, at::kBool},     {10, at::kHalf},  {11, at::kDouble},
    {12, at::kUInt32}, {13, at::kUInt64}, {16, at::kBFloat16}};

/// Sums and products of such numbers and the sizes of a value do not overflow.
constexpr int64_t kLargestStep = int64_t{1} << 24;

Shape listed(const Node& node, std::string_view name, size_t count, int64_t otherwise) {
  auto list = node.attributes.integers(name, {});
  if (list.empty()) list.assign(count, otherwise);
  if (list.size() != count)
    throw request_error("attribute '{}' has {} entries, but {} are needed", name, list.size(), count);
  return list;
}

int64_t extent(const Window& window, size_t axis) {
  return window.dilations[axis] * (window.kernel[axis] - 1) + 1;
}

void pad_as_output(Window& window, std::span<const int64_t> space, bool more_in_front) {
  for (size_t i = 0; i < space.size(); ++i) {
    const auto outputs = (space[i] + window.strides[i] - 1) / window.strides[i];
    const auto total = std::max<int64_t>(0, (outputs - 1) * window.strides[i] + extent(window, i) - space[i]);
    const auto less = total / 2;
    window.begin[i] = more_in_front ? total - less : less;
    window.end[i] = total - window.begin[i];
  }
}

}  // namespace

Window window_of(const Node& node, Shape kernel, std::span<const int64_t> space) {
  const auto axes = space.size();
  const auto stated = node.attributes.integers("kernel_shape", kernel);
  if (!kernel.empty() && stated != kernel)
    throw request_error("attribute 'kernel_shape' is {}, but the weight's kernel is {}", shape_text(stated),
                        shape_text(kernel));
  if (stated.size() != axes)
    throw request_error("the kernel has {} axes, but the input has {} spatial axes", stated.size(), axes);
  Window window{.kernel = stated,
                .strides = listed(node, "strides", axes, 1),
                .dilations = listed(node, "dilations", axes, 1),
                .begin = Shape(axes, 0),
                .end = Shape(axes, 0),
                .ceil = node.attributes.integer("ceil_mode", 0) != 0};
  for (const auto* sizes : {&window.kernel, &window.strides, &window.dilations})
    if (std::ranges::any_of(*sizes, [](int64_t size) { return size < 1; }))
      throw request_error("kernel, strides and dilations must be at least 1");
  for (const auto* sizes : {&window.kernel, &window.strides, &window.dilations})
    if (std::ranges::any_of(*sizes, [](int64_t size) { return size > kLargestStep; }))
      throw request_error("kernel, strides and dilations must be at most {}", kLargestStep);
  const auto mode = node.attributes.text("auto_pad", "NOTSET");
  if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
    pad_as_output(window, space, mode == "SAME_LOWER");
  } else if (mode != "VALID") {
    const auto pads = listed(node, "pads", 2 * axes, 0);
    window.begin.assign(pads.begin(), pads.begin() + static_cast<int64_t>(axes));
    window.end.assign(pads.begin() + static_cast<int64_t>(axes), pads.end());
  }
  return window;
}

Shape window_output(const Window& window, std::span<const int64_t> space) {
  Shape sizes;
  for (size_t i = 0; i < space.size(); ++i) {
    const auto room = space[i] + window.begin[i] + window.end[i] - extent(window, i);
    if (room < 0)
      throw request_error("the window (kernel {}, dilations {}) is larger than the padded input ({}, pads {} and {})",
                          shape_text(window.kernel), shape_text(window.dilations), shape_text(space),
                          shape_text(window.begin), shape_text(window.end));
    auto size = room / window.strides[i] + 1;
    if (window.ceil && room % window.strides[i] != 0 && size * window.strides[i] < space[i] + window.begin[i]) ++size;
    sizes.push_back(size);
  }
  return sizes;
}

std::vector<AttributeSpec> window_attributes() {
  using enum AttributeSpec::Type;
  return {{"auto_pad", text, false, "NOTSET|VALID|SAME_UPPER|SAME_LOWER"},
          {"dilations", integers},
          {"kernel_shape", integers},
          {"pads", integers},
          {"strides", integers}};
}

void make_pads_explicit(Graph& graph, Node& node) {
  const auto mode = node.attributes.text("auto_pad", "NOTSET");
  if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
    try {
      const auto infos = input_infos(node, infer(graph, 1, &node));
      const auto spatial = [](const Shape& shape) { return Shape(shape.begin() + 2, shape.end()); };
      const auto window =
          window_of(node, infos.size() > 1 ? spatial(infos[1].shape) : Shape{}, spatial(infos[0].shape));
      auto pads = window.begin;
      pads.insert(pads.end(), window.end.begin(), window.end.end());
      node.attributes.set("pads", pads);
    } catch (const Error&) {
      return;  // the input's size cannot be inferred yet; kernel and inference resolve auto_pad themselves
    }
  } else if (mode == "VALID") {
    node.attributes.erase("pads");
  }
  node.attributes.erase("auto_pad");
}

std::vector<int64_t> torch_pads(std::span<const int64_t> begin, std::span<const int64_t> end) {
  std::vector<int64_t> pads;
  for (size_t i = begin.size(); i-- > 0;) {
    pads.push_back(begin[i]);
    pads.push_back(end[i]);
  }
  return pads;
}

Shape space_of(const Shape& shape) {
  return {shape.begin() + std::min<int64_t>(2, std::ssize(shape)), shape.end()};
}

at::Tensor along_channels(const at::Tensor& values, int64_t rank) {
  Shape shape(static_cast<size_t>(std::max<int64_t>(rank - 1, 1)), 1);
  shape[0] = values.numel();
  return values.reshape(shape);
}

void block_other_axes(ChannelFlow& flow) {
  for (size_t axis = 0; axis < flow.map(0).size(); ++axis)
    if (axis != 1) flow.block(flow.map(0)[axis], "a batch or spatial axis carries channels");
}

at::ScalarType element_type(int64_t onnx_type) {
  for (const auto& [number, type] : kElementTypes)
    if (number == onnx_type) return type;
  throw request_error("ONNX element type {} is not supported", onnx_type)
      .hint("allowed are 1 (float), 2 (uint8), 3 (int8), 4 (uint16), 5 (int16), 6 (int32), 7 (int64), 9 (bool), "
            "10 (float16), 11 (double), 12 (uint32), 13 (uint64), 16 (bfloat16)");
}

int64_t onnx_element_type(at::ScalarType type) {
  for (const auto& [number, ours] : kElementTypes)
    if (ours == type) return number;
  throw request_error("ONNX has no element type '{}'", c10::toString(type));
}

std::pair<int64_t, int64_t> integer_limits(at::ScalarType type) {
  if (type == at::kBool) return {0, 1};
  const auto bits = static_cast<int64_t>(8 * c10::elementSize(type));
  const bool is_signed = type == at::kChar || type == at::kShort || type == at::kInt || type == at::kLong;
  if (is_signed)
    return {std::numeric_limits<int64_t>::min() >> (64 - bits), std::numeric_limits<int64_t>::max() >> (64 - bits)};
  return {0, std::numeric_limits<int64_t>::max() >> (bits == 64 ? 0 : 63 - bits)};
}

std::vector<AttributeSpec> with_attributes(std::vector<AttributeSpec> a, std::vector<AttributeSpec> b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace compress::ops
