#pragma once

#include "ops/op.h"
#include "ops/quantization_grid.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

/// How a FakeQuantize node comes by its grid, and what of it learns: attribute `method`.
namespace compress::ops {

/// One call of a FakeQuantize node as its method sees it.
struct MethodCall {
  const Node& node;
  GridSpec spec;
  GridAxes axes;
  Mode mode;
  std::span<const at::Tensor* const> inputs;  ///< of the node: value, scale, zero point, GridMethod::inputs

  const at::Tensor& value() const { return *inputs[0]; }
  Grid stored() const { return {*inputs[1], *inputs[2]}; }
  const at::Tensor& own(size_t i) const { return *inputs[3 + i]; }
};

/// A parameter that a method has besides scale and zero point, "<node>.<name>": a number for each part of the value
/// that has a scale of its own.
struct MethodInput {
  std::string_view name;
  bool trainable = true;
  /// Where several values share a grid, each has an entry (attribute `slot`); otherwise all have the same number.
  bool per_value = false;
  bool single = false;  ///< one number, also where the value has many scales
};

/// A quantiser as a runtime sees it: method `fixed`.
struct Settled {
  GridSpec spec;
  Grid grid;
  /// What is rounded instead of the weight, already on the grid; undefined: the value itself.
  at::Tensor value = {};
};

/// One file in lib/ops/grid_method and one line in grid_methods.def each.
///
/// In evaluation `forward` gives, bit for bit, what the settled quantiser gives. It changes no state there; in training
/// it may. Exact zeros stay exact zeros whatever the method, so that masked weights stay masked.
struct GridMethod {
  std::string_view name;      ///< attribute `method`
  std::string_view doc;       ///< one line
  bool needs_range = true;    ///< the first grid comes from a known range; otherwise the first batch makes it
  bool learns_scale = false;  ///< the parameter `scale` is trainable
  /// `forward` looks at the value's extremes alone, and rounds to the stored grid: whoever knows them may call it with
  /// these two numbers in place of the value, and round himself.
  bool by_extremes = false;
  int min_bits = 2;
  std::span<const MethodInput> inputs = {};
  std::span<const AttributeSpec> attributes = {};
  /// First values of `inputs` for a grid over a range: a tensor each, of the range's shape. Null: zeros.
  std::vector<at::Tensor> (*start)(const ValueRange& range, const GridSpec& spec) = nullptr;
  /// Throws a request error when attributes do not fit. Null: nothing to check.
  void (*check)(const Node& node) = nullptr;
  at::Tensor (*forward)(const MethodCall& call) = nullptr;
  /// Null: it never settles, since every call chooses its grid anew.
  Settled (*settle)(const MethodCall& call) = nullptr;
};

std::span<const GridMethod* const> grid_methods();
/// Throws a request error with the nearest name.
const GridMethod& grid_method(std::string_view name);
/// The node's; `fixed` when it names none.
const GridMethod& grid_method(const Node& node);
/// All words, "ema|fixed|...".
std::string_view grid_method_words();

/// The grid of a FakeQuantize; as grid_spec(), with the bits that its method allows.
GridSpec method_spec(const Node& node);

/// Throws a request error when inputs or attributes of a FakeQuantize are not what its method takes.
void check_method(const InferCall& call);

/// What the FakeQuantize is once nothing learns any more.
Settled settled(const Node& node, std::span<const at::Tensor* const> inputs);

/// `settle` of methods whose grid is the stored one.
Settled settle_stored(const MethodCall& call);

}  // namespace compress::ops
