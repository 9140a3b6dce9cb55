#include "builder.h"

#include "ops/shape.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <cmath>

namespace compress::models {

namespace {

Attributes window(int64_t kernel, int64_t stride, int64_t padding) {
  Attributes attributes;
  attributes.set("kernel_shape", std::vector<int64_t>{kernel, kernel});
  if (stride != 1) attributes.set("strides", std::vector<int64_t>{stride, stride});
  if (padding != 0) attributes.set("pads", std::vector<int64_t>(4, padding));
  return attributes;
}

/// As files carry it.
double single(double value) {
  return static_cast<double>(static_cast<float>(value));
}

/// Windows along one axis of PyTorch's adaptive pooling: where each starts, and the size that all have.
struct AdaptiveWindows {
  std::vector<int64_t> starts;
  int64_t size = 0;  ///< 0: they differ
  /// The distance of all neighbours; 0 when it varies.
  int64_t stride() const {
    const auto first = starts.size() > 1 ? starts[1] - starts[0] : 1;
    for (size_t i = 1; i < starts.size(); ++i)
      if (starts[i] - starts[i - 1] != first) return 0;
    return first;
  }
};

AdaptiveWindows adaptive_windows(int64_t in, int64_t out) {
  AdaptiveWindows windows;
  for (int64_t i = 0; i < out; ++i) {
    const auto begin = i * in / out, end = ((i + 1) * in + out - 1) / out;
    windows.size = i == 0 || end - begin == windows.size ? end - begin : -1;
    windows.starts.push_back(begin);
  }
  windows.size = std::max<int64_t>(windows.size, 0);
  return windows;
}

}  // namespace

Builder::Builder(Shape image, Seed seed, Style style) : seed_(seed), style_(style) {
  Shape shape{kBatch};
  shape.insert(shape.end(), image.begin(), image.end());
  graph_.inputs.push_back({input_, shape});
  shapes_[input_] = std::move(image);
}

std::string
Builder::node(const std::string& name, std::string op, std::vector<std::string> inputs, Attributes attributes) {
  return graph_
      .add({.name = name, .op = std::move(op), .inputs = std::move(inputs), .attributes = std::move(attributes)})
      .name;
}

std::string Builder::same(const std::string& name, std::string op, const std::string& x, Attributes attributes) {
  shapes_[name] = shapes_.at(x);
  return node(name, std::move(op), {x}, std::move(attributes));
}

void Builder::weight(const std::string& name, const Shape& shape, int64_t groups, const Start& start) {
  graph_.add_parameter({.name = name, .value = initial_weight(shape, groups, start, seed_, name)});
}

void Builder::bias(const std::string& name, int64_t size, int64_t inputs, const Start& start) {
  graph_.add_parameter({.name = name, .value = initial_bias(size, inputs, start, seed_, name)});
}

void Builder::constant(const std::string& name, int64_t size, double value, bool trainable) {
  graph_.add_parameter({.name = name, .value = at::full({size}, value, at::kFloat), .trainable = trainable});
}

std::string Builder::conv(const std::string& name, const std::string& x, const ConvOptions& options) {
  const auto& in = shapes_.at(x);
  const int64_t k = options.kernel, inputs = in[0] / options.groups;
  const auto start = options.start.value_or(style_.conv);
  const auto extent = [&](int64_t size) {
    if (size + 2 * options.padding < k)
      throw request_error("the resolution is too small: '{}' has a kernel of {} for a map of {}x{}", name, k, in[1],
                          in[2]);
    return (size + 2 * options.padding - k) / options.stride + 1;
  };
  const Shape out{options.channels, extent(in[1]), extent(in[2])};
  weight(name + ".weight", {options.channels, inputs, k, k}, options.groups, start);
  std::vector<std::string> names{x, name + ".weight"};
  if (options.bias) {
    bias(name + ".bias", options.channels, inputs * k * k, start);
    names.push_back(name + ".bias");
  }
  auto attributes = window(k, options.stride, options.padding);
  if (options.groups != 1) attributes.set("group", options.groups);
  shapes_[name] = out;
  return node(name, "Conv", std::move(names), std::move(attributes));
}

std::string Builder::linear(const std::string& name, const std::string& x, int64_t features, bool with_bias) {
  const int64_t in = channels(x);
  weight(name + ".weight", {features, in}, 1, style_.linear);
  std::vector<std::string> inputs{x, name + ".weight"};
  if (with_bias) {
    bias(name + ".bias", features, in, style_.linear);
    inputs.push_back(name + ".bias");
  }
  Attributes attributes;
  attributes.set("transB", int64_t{1});
  shapes_[name] = {features};
  return node(name, "Gemm", std::move(inputs), std::move(attributes));
}

std::string Builder::batch_norm(const std::string& name, const std::string& x) {
  const int64_t size = channels(x);
  constant(name + ".weight", size, 1, true);
  constant(name + ".bias", size, 0, true);
  constant(name + ".running_mean", size, 0, false);
  constant(name + ".running_var", size, 1, false);
  Attributes attributes;
  if (style_.epsilon != Style{}.epsilon) attributes.set("epsilon", single(style_.epsilon));
  if (style_.momentum != Style{}.momentum) attributes.set("momentum", single(1 - style_.momentum));
  shapes_[name] = shapes_.at(x);
  return node(name, "BatchNormalization",
              {x, name + ".weight", name + ".bias", name + ".running_mean", name + ".running_var"},
              std::move(attributes));
}

std::string Builder::relu6(const std::string& name, const std::string& x) {
  Attributes attributes;
  attributes.set("min", 0.0);
  attributes.set("max", 6.0);
  return same(name, "Clip", x, std::move(attributes));
}

std::string Builder::hard_sigmoid(const std::string& name, const std::string& x) {
  Attributes attributes;
  attributes.set("alpha", single(1.0 / 6));
  return same(name, "HardSigmoid", x, std::move(attributes));
}

std::string Builder::dropout(const std::string& name, const std::string& x, double share) {
  Attributes attributes;
  attributes.set("ratio", single(share));
  return same(name, "Dropout", x, std::move(attributes));
}

std::string Builder::pool(const std::string& name, std::string op, const std::string& x, const PoolOptions& options) {
  const auto& in = shapes_.at(x);
  const auto extent = [&](int64_t size) {
    const auto room = size + 2 * options.padding - options.kernel;
    if (room < 0)
      throw request_error("the resolution is too small: '{}' has a window of {} for a map of {}x{}", name,
                          options.kernel, in[1], in[2]);
    auto count = (room + (options.ceil ? options.stride - 1 : 0)) / options.stride + 1;
    if ((count - 1) * options.stride >= size + options.padding) --count;  // it would start in the padding behind
    return count;
  };
  auto attributes = window(options.kernel, options.stride, options.padding);
  if (options.ceil) attributes.set("ceil_mode", int64_t{1});
  shapes_[name] = {in[0], extent(in[1]), extent(in[2])};
  return node(name, std::move(op), {x}, std::move(attributes));
}

std::string Builder::max_pool(const std::string& name, const std::string& x, const PoolOptions& options) {
  return pool(name, "MaxPool", x, options);
}

std::string Builder::average_pool(const std::string& name, const std::string& x, const PoolOptions& options) {
  return pool(name, "AveragePool", x, options);
}

std::string Builder::global_average_pool(const std::string& name, const std::string& x) {
  shapes_[name] = {channels(x), 1, 1};
  return node(name, "GlobalAveragePool", {x});
}

std::string
Builder::pick(const std::string& name, const std::string& x, int64_t axis, const std::vector<int64_t>& indices) {
  auto value = at::empty({std::ssize(indices)}, at::kLong);
  std::ranges::copy(indices, value.data_ptr<int64_t>());
  graph_.add_parameter({.name = name + ".indices", .value = value, .trainable = false});
  auto shape = shapes_.at(x);
  shape[static_cast<size_t>(axis) - 1] = std::ssize(indices);
  shapes_[name] = std::move(shape);
  Attributes attributes;
  attributes.set("axis", axis);
  return node(name, "Gather", {x, name + ".indices"}, std::move(attributes));
}

std::string Builder::adaptive_average_pool(const std::string& name, const std::string& x, int64_t size) {
  const auto& in = shapes_.at(x);
  if (in[1] == size) return x;
  if (size == 1) return global_average_pool(name, x);
  const auto windows = adaptive_windows(in[1], size);
  if (windows.size == 0)
    throw request_error("'{}' cannot average a map of {}x{} to {}x{} with windows of one size", name, in[1], in[2],
                        size, size)
        .hint("choose another resolution, such as a multiple of the network's own");
  if (const auto stride = windows.stride(); stride > 0)
    return average_pool(name, x, {.kernel = windows.size, .stride = stride});
  const auto means = windows.size == 1 ? x : average_pool(name, x, {.kernel = windows.size, .stride = 1});
  return pick(name + ".columns", pick(name + ".rows", means, 2, windows.starts), 3, windows.starts);
}

std::string Builder::add(const std::string& name, const std::string& a, const std::string& b) {
  shapes_[name] = shapes_.at(a);
  return node(name, "Add", {a, b});
}

std::string Builder::multiply(const std::string& name, const std::string& a, const std::string& b) {
  shapes_[name] = shapes_.at(a);
  return node(name, "Mul", {a, b});
}

std::string Builder::concat(const std::string& name, const std::vector<std::string>& parts) {
  auto shape = shapes_.at(parts[0]);
  for (size_t i = 1; i < parts.size(); ++i) shape[0] += channels(parts[i]);
  shapes_[name] = std::move(shape);
  Attributes attributes;
  attributes.set("axis", int64_t{1});
  return node(name, "Concat", parts, std::move(attributes));
}

std::string Builder::pad_channels(const std::string& name, const std::string& x, int64_t before, int64_t behind) {
  auto shape = shapes_.at(x);
  shape[0] += before + behind;
  shapes_[name] = std::move(shape);
  Attributes attributes;
  attributes.set("pads", std::vector<int64_t>{0, before, 0, 0, 0, behind, 0, 0});
  return node(name, "Pad", {x}, std::move(attributes));
}

std::string Builder::flatten(const std::string& name, const std::string& x) {
  shapes_[name] = {ops::elements(shapes_.at(x))};
  return node(name, "Flatten", {x});
}

int64_t Builder::channels(const std::string& value) const {
  return shapes_.at(value)[0];
}

void Builder::output(const std::string& value, const std::string& name) {
  graph_.outputs.push_back({name, value});
}

Graph Builder::finish(const std::string& value) {
  output(value);
  return finish();
}

int64_t scaled(int64_t channels, double width) {
  return std::max<int64_t>(1, std::llround(static_cast<double>(channels) * width));
}

int64_t divisible(double channels, int64_t divisor) {
  const auto d = static_cast<double>(divisor);
  const auto rounded = std::max(divisor, static_cast<int64_t>(std::floor((channels + d / 2) / d)) * divisor);
  return static_cast<double>(rounded) < 0.9 * channels ? rounded + divisor : rounded;
}

void ImageModel::declare(Settings& settings) {
  settings.optional("classes", classes_, "number of classes", kClasses);
  settings.optional("resolution", resolution_, "height and width of the input images", kResolutions);
}

}  // namespace compress::models
