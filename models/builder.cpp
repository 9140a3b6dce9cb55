#include "builder.h"

#include "core/random.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <cmath>

namespace compress::models {

namespace {

int64_t pooled(int64_t size, int64_t kernel, int64_t stride, int64_t padding) {
  return (size + 2 * padding - kernel) / stride + 1;
}

Attributes window(int64_t kernel, int64_t stride, int64_t padding) {
  Attributes attributes;
  attributes.set("kernel_shape", std::vector<int64_t>{kernel, kernel});
  if (stride != 1) attributes.set("strides", std::vector<int64_t>{stride, stride});
  if (padding != 0) attributes.set("pads", std::vector<int64_t>(4, padding));
  return attributes;
}

}  // namespace

Builder::Builder(std::string name, Shape image, uint64_t seed, Init init)
    : graph_(std::move(name)), seed_(seed), init_(init) {
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

void Builder::parameter(const std::string& name, const Shape& shape, double bound, bool normal) {
  auto value = at::empty(shape, at::kFloat);
  Random random(seed_, "init/" + name);
  auto* data = value.data_ptr<float>();
  for (int64_t i = 0; i < value.numel(); ++i)
    data[i] = static_cast<float>(normal ? bound * random.normal() : random.uniform(-bound, bound));
  graph_.add_parameter({.name = name, .value = value});
}

void Builder::constant(const std::string& name, int64_t size, double value, bool trainable) {
  graph_.add_parameter({.name = name, .value = at::full({size}, value, at::kFloat), .trainable = trainable});
}

std::string Builder::conv(const std::string& name, const std::string& x, const ConvOptions& options) {
  const auto& in = shapes_.at(x);
  const int64_t k = options.kernel;
  const double fan_in = static_cast<double>(in[0] / options.groups * k * k);
  const double fan_out = static_cast<double>(options.channels * k * k);
  const bool kaiming = init_ == Init::kaiming;
  parameter(name + ".weight", {options.channels, in[0] / options.groups, k, k},
            kaiming ? std::sqrt(2 / fan_out) : 1 / std::sqrt(fan_in), kaiming);
  std::vector<std::string> inputs{x, name + ".weight"};
  if (options.bias) {
    parameter(name + ".bias", {options.channels}, 1 / std::sqrt(fan_in), false);
    inputs.push_back(name + ".bias");
  }
  auto attributes = window(k, options.stride, options.padding);
  if (options.groups != 1) attributes.set("group", options.groups);
  shapes_[name] = {options.channels, pooled(in[1], k, options.stride, options.padding),
                   pooled(in[2], k, options.stride, options.padding)};
  return node(name, "Conv", std::move(inputs), std::move(attributes));
}

std::string Builder::batch_norm(const std::string& name, const std::string& x) {
  const int64_t size = channels(x);
  constant(name + ".weight", size, 1, true);
  constant(name + ".bias", size, 0, true);
  constant(name + ".running_mean", size, 0, false);
  constant(name + ".running_var", size, 1, false);
  shapes_[name] = shapes_.at(x);
  return node(name, "BatchNormalization",
              {x, name + ".weight", name + ".bias", name + ".running_mean", name + ".running_var"});
}

std::string Builder::relu(const std::string& name, const std::string& x) {
  shapes_[name] = shapes_.at(x);
  return node(name, "Relu", {x});
}

std::string Builder::max_pool(const std::string& name, const std::string& x, int64_t kernel, int64_t stride) {
  const auto& in = shapes_.at(x);
  shapes_[name] = {in[0], pooled(in[1], kernel, stride, 0), pooled(in[2], kernel, stride, 0)};
  return node(name, "MaxPool", {x}, window(kernel, stride, 0));
}

std::string Builder::global_average_pool(const std::string& name, const std::string& x) {
  shapes_[name] = {channels(x), 1, 1};
  return node(name, "GlobalAveragePool", {x});
}

std::string Builder::add(const std::string& name, const std::string& a, const std::string& b) {
  shapes_[name] = shapes_.at(a);
  return node(name, "Add", {a, b});
}

std::string Builder::flatten(const std::string& name, const std::string& x) {
  int64_t size = 1;
  for (const auto extent : shapes_.at(x)) size *= extent;
  shapes_[name] = {size};
  return node(name, "Flatten", {x});
}

std::string Builder::linear(const std::string& name, const std::string& x, int64_t features) {
  const int64_t in = channels(x);
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  parameter(name + ".weight", {features, in}, bound, false);
  parameter(name + ".bias", {features}, bound, false);
  Attributes attributes;
  attributes.set("transB", int64_t{1});
  shapes_[name] = {features};
  return node(name, "Gemm", {x, name + ".weight", name + ".bias"}, std::move(attributes));
}

int64_t Builder::channels(const std::string& value) const {
  return shapes_.at(value)[0];
}

Graph Builder::finish(const std::string& value, const std::string& output_name) {
  graph_.outputs.push_back({output_name, value});
  return std::move(graph_);
}

}  // namespace compress::models
