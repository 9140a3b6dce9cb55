#pragma once

#include "core/settings.h"
#include "graph/graph.h"
#include "ops/quantization_grid.h"
#include "quant/observer/observer.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <span>
#include <string>
#include <vector>

/// What is said about each layer: defaults, and overrides by name or operator.
namespace compress::quant {

/// True when a tensor of so many bits gets a quantiser.
inline bool quantised(const std::optional<int64_t>& bits) {
  return bits && *bits < 32;
}

/// How one kind of tensor goes on its grid.
struct TensorRule {
  std::optional<int64_t> bits = 32;                    ///< absent or 32: stays in floating point
  ops::GridSpec grid = {};                             ///< its `bits` is not looked at
  std::shared_ptr<const Observer> observer = nullptr;  ///< chooses ranges that stay; null: the extremes
  std::optional<Extremes> range = {};                  ///< known without looking at any statistics
  bool clipped = true;       ///< false: the extremes, whatever searches ranges (no_clip_layers)
  bool per_channel = false;  ///< weights: a scale for each output channel
  int64_t group_size = 0;    ///< weights: so many input channels share a scale; 0: those of an output channel all do
  std::string method = "fixed";      ///< of FakeQuantize
  Attributes method_arguments = {};  ///< its attributes: ema_decay, ...

  bool quantised() const { return quant::quantised(bits); }
  /// The grid with the rule's bits, or those of its format.
  ops::GridSpec spec() const;
};

/// How a layer is quantised.
struct LayerRule {
  TensorRule activations = {}, weights = {}, bias = {};
  std::optional<TensorRule> rectified = {};  ///< of values that cannot be negative; absent: as other activations
  std::optional<int64_t> bits_accum = {};    ///< width of the accumulator and of the bias; absent: 32
  std::optional<int64_t> scale_approx_mult_bits = {};  ///< of the multiplier that stands for s_x * s_w / s_y
  bool float_bias = false;                    ///< the bias stays in floating point, also when the network is finished
  bool fake = false;                          ///< computes in floating point; only its output is quantised
  std::optional<int64_t> fpq_module = {};     ///< the same, in floating point of 16, 32 or 64 bits
  bool make_identity = false;                 ///< is taken out before anything else
  bool quantize_inputs = true;                ///< false: what it reads needs no grid on its account
  std::map<int64_t, TensorRule> inputs = {};  ///< of inputs that nobody before it put on a grid, by index

  /// Computes on grids rather than in floating point.
  bool computes_quantised() const { return !fake && !fpq_module; }
};

/// What `no_quant_layers` does to a rule: nothing of the layer is quantised.
void keep_floating(LayerRule& rule);
/// What `no_clip_layers` does: values keep all of their range.
void keep_range(LayerRule& rule);

/// A layer as patterns see it.
struct LayerName {
  std::string name;  ///< of a node or graph input
  std::string op;    ///< "" for a graph input
};
LayerName layer_name(const Node& node);

/// Declares the bits as an argument: `least` to 16, or 32 or null for "stays in floating point".
void declare_bits(
    Settings& settings, std::string name, std::optional<int64_t>& bits, std::string doc, int64_t least = 2);

/// Throws a request error, which names the argument, when `bits` is neither `least` to 16 nor 32.
void check_bits(std::string_view name, const std::optional<int64_t>& bits, int64_t least = 2);

/// Throws a request error when it is something else than 16, 32 or 64.
void check_fpq_module(const std::optional<int64_t>& bits);

/// Nodes that are gone before anything is quantised, with the layer that takes each up.
using Absorbed = std::map<std::string, std::string>;
/// The batch-norms that are gone once layers have taken them up.
Absorbed absorbed_norms(const Graph& before, const Graph& after);

/// The rule of every layer: the defaults, changed by the `overrides:` argument, an ordered map from a pattern to
/// arguments of the layer. A pattern is a regular expression that must match the whole name of a node or graph input,
/// or "op:NAME" for all nodes of an operator. A pattern that is exactly the name counts first, then the first that
/// matches. (The `overrides` of Distiller's Quantizer; a leading "module." of the pattern is dropped.)
class LayerRules {
public:
  /// Reads what a pattern stands for; `owner` names it in messages.
  using ReadEntry = std::function<LayerRule(const Yaml& entry, const std::string& owner)>;

  explicit LayerRules(LayerRule defaults = {});
  /// Throws a request error with the place of what is wrong.
  LayerRules(const Yaml& overrides, LayerRule defaults, const ReadEntry& read);

  /// Changes the rule of all layers that one of the patterns matches, whatever the overrides say. `argument` is the one
  /// that listed the patterns.
  void change(const std::vector<std::string>& patterns, std::string argument, std::function<void(LayerRule&)> change);

  const LayerRule& defaults() const { return defaults_; }
  /// The defaults, and what each override makes of them.
  std::vector<const LayerRule*> all() const;
  LayerRule find(const Node& node) const;
  /// The rule of the first of `layers` that some pattern matches; the defaults when none is matched.
  LayerRule find(std::span<const LayerName> layers) const;
  /// The same, nothing when no pattern matches.
  std::optional<LayerRule> matched(std::span<const LayerName> layers) const;

  /// Adds a problem for each pattern that matches neither node nor graph input, or only what is absorbed.
  void check_names(const Graph& graph, Problems& problems, const Absorbed& absorbed = {}) const;

private:
  struct Pattern {
    Pattern(std::string written, Place where);
    bool matches(const LayerName& layer) const;
    bool is(const LayerName& layer) const { return op.empty() && text == layer.name; }

    std::string written;  ///< as in the recipe
    Place place;
    std::string text;  ///< without "module."
    std::string op;    ///< of "op:NAME"; "": a pattern of names
    std::regex regex;
  };
  struct Entry {
    Pattern pattern;
    LayerRule rule;
  };
  struct Change {
    std::string argument;
    std::vector<Pattern> patterns;
    std::function<void(LayerRule&)> change;
  };
  const Entry* match(const LayerName& layer) const;

  LayerRule defaults_;
  std::vector<Entry> entries_;
  std::vector<Change> changes_;
};

/// Overrides with the arguments of one quantiser: `Arguments` is copyable and has declare_layer(Settings&), check() and
/// rule(). Each entry starts as a copy of the defaults, so keys that it lacks keep them.
template <class Arguments>
LayerRules layer_rules(const Yaml& overrides, const Arguments& defaults) {
  return LayerRules(overrides, defaults.rule(), [&](const Yaml& entry, const std::string& owner) {
    auto arguments = defaults;
    Settings settings;
    arguments.declare_layer(settings);
    settings.read(entry, owner);
    return within("reading " + owner, [&] {
      arguments.check();
      return arguments.rule();
    });
  });
}

}  // namespace compress::quant
