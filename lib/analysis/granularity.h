#pragma once

#include "core/registry.h"
#include "core/settings.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace compress::analysis {

/// At most `keep` of every `of` consecutive structures stay (N:M sparsity, such as 2:4).
struct Quota {
  int64_t keep = 0, of = 0;
};

/// How a weight [outputs, inputs, ...] is cut into structures that are kept, removed or penalised as a whole. One file
/// in lib/analysis/granularity and one line in granularities.def each.
class Granularity {
public:
  virtual ~Granularity() = default;
  virtual void declare(Settings&) {}
  /// Throws a request error that names the parameter and says why a weight of this shape has no such structures.
  virtual void check(std::string_view parameter, at::IntArrayRef shape) const = 0;
  /// The elements of each structure, [structures, elements]; differentiable.
  virtual at::Tensor gather(const at::Tensor& weight) const = 0;
  /// One number per structure, [structures], spread over the elements of a weight of this shape: the way back of
  /// gather().
  virtual at::Tensor scatter(const at::Tensor& numbers, at::IntArrayRef shape) const = 0;
  /// The axis along which the structures are counted; -1 when they are not whole indices of one axis.
  virtual int axis() const { return -1; }
  /// True when axis() counts outputs (0) and inputs (1) as the layer has them, wherever its operator stores these;
  /// false when it is an axis of the stored tensor.
  virtual bool by_layer() const { return false; }
  /// With a quota the structures compete within it, in the order of gather(), and no amount is asked for.
  virtual std::optional<Quota> quota() const { return {}; }
};
const Registry<Granularity>& granularities();

}  // namespace compress::analysis
