#include "ops/pointwise_op.h"

namespace compress::ops {

namespace {

Op comparison_op(std::string_view name, std::string_view doc, int since_opset, Kernel (*kernel)(const Node&)) {
  auto op = stepwise_op(name, doc, kernel, 2);
  op.since_opset = since_opset;
  op.infer = infer_truth;
  return op;
}

Kernel is_inf_kernel(const Node& node) {
  return [negative = node.attributes.integer("detect_negative", 1) != 0,
          positive = node.attributes.integer("detect_positive", 1) != 0](Call& call) {
    const auto& x = call.in(0);
    const auto infinite = x.isinf();
    call.out() = negative && positive ? infinite
                 : negative           ? infinite.logical_and(x.lt(0))
                 : positive           ? infinite.logical_and(x.gt(0))
                                      : infinite.zero_();
  };
}

Op question_op(std::string_view name, std::string_view doc, int since_opset, Kernel (*kernel)(const Node&)) {
  auto op = stepwise_op(name, doc, kernel);
  op.since_opset = since_opset;
  op.infer = infer_truth;
  return op;
}

Op is_inf_op() {
  auto op = question_op("IsInf", "is it infinite?", 10, is_inf_kernel);
  op.attributes = {{"detect_negative", AttributeSpec::Type::integer},
                   {"detect_positive", AttributeSpec::Type::integer}};
  return op;
}

}  // namespace

namespace families {
extern const OpFamily comparison{
    {comparison_op("Equal",
                   "a == b, broadcasting",
                   7,
                   binary_kernel<[](const at::Tensor& a, const at::Tensor& b) { return a.eq(b); }>),
     comparison_op("Greater",
                   "a > b, broadcasting",
                   7,
                   binary_kernel<[](const at::Tensor& a, const at::Tensor& b) { return a.gt(b); }>),
     comparison_op("GreaterOrEqual",
                   "a >= b, broadcasting",
                   12,
                   binary_kernel<[](const at::Tensor& a, const at::Tensor& b) { return a.ge(b); }>),
     comparison_op("Less",
                   "a < b, broadcasting",
                   7,
                   binary_kernel<[](const at::Tensor& a, const at::Tensor& b) { return a.lt(b); }>),
     comparison_op("LessOrEqual",
                   "a <= b, broadcasting",
                   12,
                   binary_kernel<[](const at::Tensor& a, const at::Tensor& b) { return a.le(b); }>),
     is_inf_op(),
     question_op("IsNaN", "is it no number?", 9, unary_kernel<[](const at::Tensor& x) { return x.isnan(); }>)}};
}

}  // namespace compress::ops
