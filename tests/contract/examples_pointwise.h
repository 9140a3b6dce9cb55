#pragma once

#include "contract/op_example.h"
#include "support/tensors.h"

#include <string>
#include <vector>

namespace compress::test {

/// Operators of one value, smooth or not, in double precision; where a function has a domain, inside it.
inline std::vector<OpExample> unary_examples() {
  const auto x = wild({2, 3, 4}).mul(3), positive = wild_positive({2, 3}), inside = wild({2, 3}).mul(0.9);
  std::vector<OpExample> examples;
  for (const std::string op :
       {"Abs",      "Neg",      "Erf",        "Exp",     "Sin",  "Cos",   "Atan", "Sinh",  "Cosh", "Asinh", "Mish",
        "Softplus", "Softsign", "LogSoftmax", "Hardmax", "Selu", "Floor", "Ceil", "Round", "Sign", "IsNaN", "IsInf"})
    examples.push_back({"y = " + op + "(x)", {x}});
  for (const std::string op : {"Log", "Sqrt", "Reciprocal"}) examples.push_back({"y = " + op + "(x)", {positive}});
  for (const std::string op : {"Asin", "Acos", "Atanh", "Tan"}) examples.push_back({"y = " + op + "(x)", {inside}});
  const auto more = std::vector<OpExample>{
      {"y = Acosh(x)", {positive.add(1)}},
      {"y = Exp(%x)", {wild({3, 2})}},
      {"y = Elu(x)", {x}},
      {"y = Elu(x) alpha=0.5", {x}},
      {"y = Selu(x) alpha=2.0 gamma=3.0", {x}},
      {"y = Celu(x)", {x}},
      {"y = Celu(x) alpha=2.0", {x}},
      {"y = Gelu(x)", {x}},
      {"y = Gelu(x) approximate=\"tanh\"", {x}},
      {"y = Swish(x)", {x}},
      {"y = Swish(x) alpha=0.5", {x}},
      {"y = ThresholdedRelu(x)", {x}},
      {"y = ThresholdedRelu(x) alpha=0.3", {x}},
      {"y = Shrink(x)", {x}},
      {"y = Shrink(x) bias=0.2 lambd=1.5", {x}},
      {"y = LogSoftmax(x) axis=1", {x}},
      {"y = Hardmax(x) axis=1", {x}},
      {"y = IsInf(x) detect_negative=0", {x.div(0)}},
      {"y = IsInf(x) detect_positive=0", {x.div(0)}},
      {"y = IsInf(x) detect_positive=0 detect_negative=0", {x.div(0)}},
      {"y = Not(x)", {x.gt(0)}},
      {"y = Abs(x)", {integers({-3, 0, 2}).to(at::kInt)}},
      {"y = Relu(x)", {integers({-3, 0, 2})}},
      {"y = Clip(x) min=-1 max=1", {integers({-3, 0, 2}).to(at::kChar)}},
      {"y = Neg(x)", {integers({-3, 0, 2}).to(at::kChar)}},
      {"y = Exp(x)", {x.to(at::kHalf)}},
      {"y = Gelu(x)", {x.to(at::kBFloat16)}},
      {"y = Shrink(x)", {integers({-3, 0, 2}).to(at::kInt)}},
  };
  examples.insert(examples.end(), more.begin(), more.end());
  return examples;
}

/// Element-wise operators of two and more values.
inline std::vector<OpExample> broadcasting_examples() {
  const auto a = wild({2, 3, 4}), b = wild({3, 1}, 1), c = wild({2, 1, 4}, 2);
  const auto i = integers({7, -7, 3, 0}), j = integers({2, -3, -1, 5});
  std::vector<OpExample> examples;
  for (const std::string op : {"Max", "Min", "Sum", "Mean"}) {
    examples.push_back({"y = " + op + "(a)", {a}});
    examples.push_back({"y = " + op + "(a, b, c)", {a, b, c}});
    examples.push_back({"y = " + op + "(a, %b)", {a, b}});
  }
  for (const std::string op : {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}) {
    examples.push_back({"y = " + op + "(a, b)", {a, b}});
    examples.push_back({"y = " + op + "(a, b)", {i.to(at::kUInt16), j.to(at::kUInt16)}});
  }
  for (const std::string op : {"And", "Or", "Xor"}) examples.push_back({"y = " + op + "(a, b)", {a.gt(0), b.gt(0)}});
  for (const std::string op : {"Add", "Sub", "Mul", "Div", "Max", "Min", "Mod"}) {
    examples.push_back({"y = " + op + "(a, b)", {i, j}});
    examples.push_back({"y = " + op + "(a, b)", {i.abs().to(at::kUInt32), j.abs().to(at::kUInt32)}});
  }
  const auto more = std::vector<OpExample>{
      {"y = Mod(a, b)", {a.mul(5), b.abs().add(0.5)}},
      {"y = Mod(a, b) fmod=1", {a.mul(5), b.abs().add(0.5)}},
      {"y = Mod(a, b) fmod=1", {i, j}},
      {"y = Pow(a, %b)", {wild_positive({2, 3, 4}), at::scalar_tensor(2, at::kLong)}},
      {"y = Pow(a, b)", {integers({2, 3}).to(at::kInt), numbers({2.5, 2})}},
      {"y = Where(c, a, b)", {a.gt(0), a, b}},
      {"y = Where(c, a, b)", {i.gt(0), i.to(at::kUInt16), j.abs().to(at::kUInt16)}},
      {"y = Cast(x) to=10", {a}},
      {"y = Cast(x) to=9", {a}},
      {"y = Cast(x) to=12", {a}},
      {"y = CastLike(a, b)", {a, numbers({1})}, {1}},
      {"y = CastLike(a, %b)", {a, integers({1}).to(at::kShort)}},
  };
  examples.insert(examples.end(), more.begin(), more.end());
  return examples;
}

}  // namespace compress::test
