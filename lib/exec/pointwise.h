#pragma once

#include "ops/op.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string>
#include <string_view>

/// LibTorch's fused oneDNN operators (mkldnn::_..._pointwise) are not in its headers; the dispatcher knows them by
/// name.
namespace compress::exec::pointwise {

using Scalars = c10::List<std::optional<at::Scalar>>;
using Word = std::optional<std::string_view>;
using Bias = std::optional<at::Tensor>;

/// Throws a c10::Error when this LibTorch has no such operator, or one with another signature.
template <class Signature>
c10::TypedOperatorHandle<Signature> find(const char* name, const char* overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}
inline c10::OperatorHandle find(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "");
}

/// A struct of operators; nothing when one of them is missing (LibTorch built without oneDNN).
template <class Operators>
std::optional<Operators> if_present() {
  try {
    return Operators();
  } catch (const c10::Error&) {
    return std::nullopt;
  }
}

/// An activation as these operators take it.
class Activation {
public:
  explicit Activation(ops::FusedActivation activation) : activation_(std::move(activation)) {
    for (const double scalar : activation_.scalars) scalars_.push_back(at::Scalar(scalar));
  }

  std::string_view name() const { return activation_.name; }
  /// Behind an addition, no activation is no word.
  Word behind_addition() const { return activation_.name == "none" ? Word() : Word(activation_.name); }
  const Scalars& scalars() const { return scalars_; }
  Word algorithm() const { return activation_.algorithm.empty() ? Word() : Word(activation_.algorithm); }

private:
  ops::FusedActivation activation_;
  Scalars scalars_;
};

}  // namespace compress::exec::pointwise
