#include "passes/low_rank.h"

#include "core/text.h"

#include <functional>
#include <numeric>

namespace compress::passes {

namespace {

/// Gemm and MatMul: y = (x R) L.
class LinearFactorization final : public Factorization {
public:
  LinearFactorization(bool outputs_first, int64_t places, const at::Tensor& weight)
      : outputs_first_(outputs_first), places_(places), inputs_(weight.size(outputs_first ? 1 : 0)),
        outputs_(weight.size(outputs_first ? 0 : 1)) {}

  at::Tensor matrix(const at::Tensor& weight) const override { return turned(weight); }
  int64_t macs(int64_t rank) const override { return places_ * rank * (inputs_ + outputs_); }
  at::Tensor first_weight(const at::Tensor& right) const override { return turned(right); }
  at::Tensor second_weight(const at::Tensor& left) const override { return turned(left); }

  Node split(Node& layer) const override {
    Node first{.name = {}, .op = layer.op, .inputs = {}};
    if (outputs_first_) first.attributes.set("transB", int64_t{1});
    return first;
  }

private:
  at::Tensor turned(const at::Tensor& weight) const { return outputs_first_ ? weight : weight.t(); }

  bool outputs_first_;
  int64_t places_, inputs_, outputs_;
};

int64_t product(std::span<const int64_t> sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
}

std::span<const int64_t> space(const Shape& shape) {
  return std::span(shape).subspan(2);
}

/// k x k to `rank` channels, then 1 x 1.
class ChannelFactorization final : public Factorization {
public:
  ChannelFactorization(const at::Tensor& weight, const Shape& output)
      : kernel_(weight.sizes().vec()), places_(product(space(output))) {}

  at::Tensor matrix(const at::Tensor& weight) const override { return weight.flatten(1); }
  int64_t macs(int64_t rank) const override {
    return places_ * rank * (product(std::span(kernel_).subspan(1)) + kernel_[0]);
  }
  at::Tensor first_weight(const at::Tensor& right) const override {
    auto shape = kernel_;
    shape[0] = right.size(0);
    return right.reshape(shape);
  }
  at::Tensor second_weight(const at::Tensor& left) const override {
    Shape shape(kernel_.size(), 1);
    shape[0] = left.size(0);
    shape[1] = left.size(1);
    return left.reshape(shape);
  }

  Node split(Node& layer) const override {
    Node first{.name = {}, .op = layer.op, .inputs = {}, .attributes = layer.attributes};
    layer.attributes = {};
    layer.attributes.set("kernel_shape", Shape(kernel_.size() - 2, 1));
    return first;
  }

private:
  Shape kernel_;
  int64_t places_;
};

/// k x 1 to `rank` channels, then 1 x k.
class SpatialFactorization final : public Factorization {
public:
  SpatialFactorization(const at::Tensor& weight, const Shape& input, const Shape& output)
      : kernel_(weight.sizes().vec()), first_places_(output[2] * input[3]), second_places_(output[2] * output[3]) {}

  /// [outputs and width, inputs and height]
  at::Tensor matrix(const at::Tensor& weight) const override {
    return weight.permute({0, 3, 1, 2}).reshape({kernel_[0] * kernel_[3], kernel_[1] * kernel_[2]});
  }
  int64_t macs(int64_t rank) const override {
    return rank * (kernel_[1] * kernel_[2] * first_places_ + kernel_[0] * kernel_[3] * second_places_);
  }
  at::Tensor first_weight(const at::Tensor& right) const override {
    return right.reshape({-1, kernel_[1], kernel_[2], 1});
  }
  at::Tensor second_weight(const at::Tensor& left) const override {
    return left.reshape({kernel_[0], kernel_[3], -1}).permute({0, 2, 1}).unsqueeze(2);
  }

  Node split(Node& layer) const override {
    Node first{.name = {}, .op = layer.op, .inputs = {}, .attributes = layer.attributes};
    const auto divide = [&](const char* name, const Shape& both) {
      first.attributes.set(name, Shape{both[0], 1});
      layer.attributes.set(name, Shape{1, both[1]});
    };
    divide("kernel_shape", {kernel_[2], kernel_[3]});
    for (const auto* name : {"strides", "dilations"}) divide(name, layer.attributes.integers(name, {1, 1}));
    const auto pads = layer.attributes.integers("pads", {0, 0, 0, 0});
    first.attributes.set("pads", Shape{pads[0], 0, pads[2], 0});
    layer.attributes.set("pads", Shape{0, pads[1], 0, pads[3]});
    return first;
  }

private:
  Shape kernel_;
  int64_t first_places_, second_places_;
};

void require_plain_convolution(const Node& node) {
  if (const auto groups = node.attributes.integer("group", 1); groups != 1)
    throw request_error("it has {} groups", groups);
  const auto padding = node.attributes.text("auto_pad", "NOTSET");
  if (padding != "NOTSET" && padding != "VALID") throw request_error("its padding ({}) depends on the input", padding);
}

/// The weight as the node's own parameter.
const Parameter& plain_weight(const Graph& graph, const Node& node) {
  const auto* weight = node.has_input(1) ? graph.find_parameter(node.inputs[1]) : nullptr;
  if (!weight) throw request_error("its weight is quantised or computed");
  if (graph.find_parameter(node.inputs[0])) throw request_error("its input is a constant");
  if (graph.consumers(weight->name).size() > 1) throw request_error("its weight is shared with another node");
  if (!weight->value.is_floating_point()) throw request_error("its weight holds integers");
  return *weight;
}

}  // namespace

std::vector<std::unique_ptr<Factorization>>
factorizations(const Graph& graph, const Node& node, const ops::Infos& infos, ConvScheme scheme) {
  const auto& weight = plain_weight(graph, node).value;
  const auto& input = infos.at(node.inputs[0]).shape;
  const auto& output = infos.at(node.name).shape;
  std::vector<std::unique_ptr<Factorization>> ways;
  if (node.op != "Conv") {
    if (weight.dim() != 2) throw request_error("its weight has {} axes", weight.dim());
    if (node.attributes.integer("transA", 0) != 0) throw request_error("it reads its input transposed");
    const auto places = product(std::span(output).first(output.size() - 1));
    ways.push_back(std::make_unique<LinearFactorization>(node.attributes.integer("transB", 0) != 0, places, weight));
    return ways;
  }
  require_plain_convolution(node);
  const bool flat = weight.dim() != 4 || (weight.size(2) == 1 && weight.size(3) == 1);
  if (scheme != ConvScheme::spatial || flat) ways.push_back(std::make_unique<ChannelFactorization>(weight, output));
  if (scheme != ConvScheme::channel && !flat)
    ways.push_back(std::make_unique<SpatialFactorization>(weight, input, output));
  return ways;
}

}  // namespace compress::passes
