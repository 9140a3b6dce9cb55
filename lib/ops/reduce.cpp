#include "ops/attributes.h"
#include "ops/pointwise_op.h"

#include <ATen/ops/linalg_vector_norm.h>

#include <algorithm>
#include <limits>

namespace compress::ops {

namespace {

bool keeps_axes(const Node& node) {
  return node.attributes.integer("keepdims", 1) != 0;
}

/// The reduced axes, ascending; all when none is stated.
Shape reduced_axes(const Node& node, int64_t rank) {
  auto axes = axes_of(node.attributes.integers("axes", {}), rank);
  if (axes.empty() && node.attributes.integer("noop_with_empty_axes", 0) == 0)
    for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  std::ranges::sort(axes);
  return axes;
}

using ReduceFunction = at::Tensor (*)(const at::Tensor&, at::IntArrayRef axes, bool keep);

/// Without axes each element is reduced by itself: its square, its logarithm, ...
template <ReduceFunction function>
Kernel reduce_kernel(const Node& node) {
  return [node](Call& call) {
    const auto x = computable(call.in(0));
    const auto axes = reduced_axes(node, x.dim());
    const auto result = axes.empty() ? function(x.unsqueeze(-1), {-1}, false) : function(x, axes, keeps_axes(node));
    call.out() = result.to(call.in(0).scalar_type());
  };
}

/// Integers are computed with as real numbers.
at::Tensor real(const at::Tensor& x) {
  return x.is_floating_point() ? x : x.to(at::kDouble);
}

at::Tensor mean(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  return real(x).mean(axes, keep);
}
at::Tensor sum(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  return x.sum(axes, keep);
}
at::Tensor sum_of_magnitudes(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  return x.abs().sum(axes, keep);
}
at::Tensor euclidean_length(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  return at::linalg_vector_norm(real(x), 2, axes, keep);
}
at::Tensor sum_of_squares(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  return x.square().sum(axes, keep);
}
at::Tensor log_of_sum(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  return real(x).sum(axes, keep).log();
}
at::Tensor log_of_sum_of_exponentials(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  return real(x).logsumexp(axes, keep);
}
at::Tensor product(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  auto result = x;
  for (const auto axis : std::vector(axes.rbegin(), axes.rend())) result = result.prod(axis, keep);
  return result;
}

/// No element at all has for a maximum (`sign` -1) or minimum (1) what any other element would replace.
at::Tensor extreme_of_nothing(const at::Tensor& x, at::IntArrayRef axes, bool keep, int sign) {
  const auto nothing = x.to(at::kDouble).sum(axes, keep);
  if (x.is_floating_point()) return nothing.add(sign * std::numeric_limits<double>::infinity()).to(x.scalar_type());
  const auto [lowest, highest] = integer_limits(x.scalar_type());
  return nothing.to(at::kLong).add(sign < 0 ? lowest : highest).to(x.scalar_type());
}

at::Tensor maximum(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  return x.numel() == 0 ? extreme_of_nothing(x, axes, keep, -1) : x.amax(axes, keep);
}
at::Tensor minimum(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  return x.numel() == 0 ? extreme_of_nothing(x, axes, keep, 1) : x.amin(axes, keep);
}

std::vector<ValueInfo> reduce_infer(const InferCall& call) {
  const auto axes = reduced_axes(call.node, std::ssize(call.shape(0)));
  ValueInfo result{.shape = {}, .type = call.in(0).type};
  for (int64_t axis = 0; axis < std::ssize(call.shape(0)); ++axis) {
    if (!std::ranges::binary_search(axes, axis))
      result.shape.push_back(call.shape(0)[static_cast<size_t>(axis)]);
    else if (keeps_axes(call.node))
      result.shape.push_back(1);
  }
  return {result};
}

void reduce_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto axes = reduced_axes(flow.node(), std::ssize(flow.shape(0)));
  ChannelMap map;
  for (int64_t axis = 0; axis < std::ssize(flow.shape(0)); ++axis) {
    const auto& atoms = flow.axis(0, axis);
    const bool reduced = std::ranges::binary_search(axes, axis);
    if (reduced) flow.block(atoms, "channels are reduced to one number");
    if (!reduced || keeps_axes(flow.node())) map.push_back(reduced ? Atoms{} : atoms);
  }
  flow.set_output(std::move(map));
}

Op reduce_op(std::string_view name,
             std::string_view doc,
             Kernel (*kernel)(const Node&),
             Quantization quantization = Quantization::none) {
  return {.name = name,
          .doc = doc,
          .attributes = {{"axes", AttributeSpec::Type::integers},
                         {"keepdims", AttributeSpec::Type::integer},
                         {"noop_with_empty_axes", AttributeSpec::Type::integer}},
          .constant_inputs = {{.index = 1, .attribute = "axes", .since_opset = 18}},
          .kernel = kernel,
          .gradient = Gradient::yes,
          .infer = reduce_infer,
          .macs = no_macs,
          .channels = reduce_channels,
          .resize = keep_attributes,
          .quantization = quantization};
}

Op reduce_sum_op() {
  auto op = reduce_op("ReduceSum", "sum over axes", reduce_kernel<sum>, Quantization::arithmetic);
  op.constant_inputs[0].since_opset = 13;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily reduce{
    {reduce_sum_op(), reduce_op("ReduceMean", "mean over axes", reduce_kernel<mean>, Quantization::arithmetic),
     reduce_op("ReduceMax", "maximum over axes", reduce_kernel<maximum>, Quantization::same_grid),
     reduce_op("ReduceMin", "minimum over axes", reduce_kernel<minimum>, Quantization::same_grid),
     reduce_op("ReduceProd", "product over axes", reduce_kernel<product>),
     reduce_op("ReduceL1", "sum of absolute values over axes", reduce_kernel<sum_of_magnitudes>),
     reduce_op("ReduceL2", "square root of the sum of squares over axes", reduce_kernel<euclidean_length>),
     reduce_op("ReduceSumSquare", "sum of squares over axes", reduce_kernel<sum_of_squares>),
     reduce_op("ReduceLogSum", "logarithm of the sum over axes", reduce_kernel<log_of_sum>),
     reduce_op("ReduceLogSumExp",
               "logarithm of the sum of exponentials over axes",
               reduce_kernel<log_of_sum_of_exponentials>)}};
}

}  // namespace compress::ops
