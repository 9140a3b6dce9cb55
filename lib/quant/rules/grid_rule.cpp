#include "quant/rules/grid_rule.h"

#include "ops/grid_format.h"

#include <algorithm>

namespace compress::quant {
namespace {

/// A rule and whose it is.
struct Claim {
  std::string layer;
  TensorRule rule;
};

bool same_grid(const TensorRule& a, const TensorRule& b) {
  if (a.quantised() != b.quantised()) return false;
  return !a.quantised() || (a.spec() == b.spec() && a.method == b.method);
}

class GridRuleFinder {
public:
  GridRuleFinder(const Graph& graph,
                 const InsertionOptions& options,
                 const std::vector<std::string>& values,
                 const std::vector<GridReader>& readers)
      : graph_(graph), options_(options), values_(values), readers_(readers) {
    all_rectified_ =
        std::ranges::all_of(values, [&](const std::string& value) { return quant::rectified(graph, value); });
  }

  SharedGrid run() const {
    const auto overridden = agreed(input_overrides());
    const auto made = of_makers();
    if (overridden) {
      if (made.rule.quantised())
        throw request_error("'{}' overrides its input '{}', which '{}' puts on a grid ({})", overridden->layer,
                            values_[0], made.layer, describe(made.rule))
            .hint(fmt::format("give '{}' the bits in 'overrides' instead", made.layer));
      return with_ranges(overridden->rule, false);
    }
    if (made.rule.quantised()) return with_ranges(made.rule, true);
    const bool by_readers = options_.inputs == InputGrids::readers || (options_.inputs_fall_back && !graph_input());
    return with_ranges(by_readers ? of_readers() : made.rule, false);
  }

private:
  const TensorRule& activations(const LayerRule& rule) const {
    return all_rectified_ && rule.rectified ? *rule.rectified : rule.activations;
  }
  bool graph_input() const {
    return std::ranges::all_of(values_, [&](const auto& v) { return graph_.is_input(v); });
  }

  /// The one that all claims agree on; nothing when there is none.
  std::optional<Claim> agreed(const std::vector<Claim>& claims) const {
    for (const auto& claim : claims)
      if (!same_grid(claim.rule, claims[0].rule))
        throw request_error("'{}' and '{}' want different grids for '{}': {}, and {}", claims[0].layer, claim.layer,
                            values_[0], describe(claims[0].rule), describe(claim.rule))
            .hint("give both the same bits and kind of grid in 'overrides'");
    if (claims.empty()) return std::nullopt;
    return claims[0];
  }

  /// The rule of who makes a value.
  TensorRule of_maker(const std::string& value) const {
    const auto rule = options_.rules.matched(owners(graph_, value));
    return rule ? activations(*rule) : defaults();
  }

  /// All values on one grid; the range of each is chosen as its maker's rule says when the grid is the makers', and is
  /// all of it wherever that rule says so.
  SharedGrid with_ranges(const TensorRule& grid, bool of_makers) const {
    SharedGrid shared{.values = values_, .rule = grid};
    for (const auto& value : values_) {
      const auto maker = of_maker(value);
      auto& own = shared.own.emplace_back(of_makers && maker.method == grid.method ? maker : grid);
      own.bits = grid.bits;
      own.grid = grid.grid;
      if (maker.clipped) continue;
      own.observer = nullptr;
      own.clipped = false;
    }
    shared.rule = shared.own.front();
    return shared;
  }

  /// The grid by who makes the values. What an override says of one of them holds for all that share its grid.
  Claim of_makers() const {
    Claim standard{values_[0], defaults()};
    std::vector<Claim> special;
    for (const auto& value : values_) {
      const auto layers = owners(graph_, value);
      const auto rule = options_.rules.matched(layers);
      const bool falls_back =
          rule && !activations(*rule).quantised() && options_.inputs_fall_back && values_.size() > 1;
      if (!rule || falls_back || same_grid(activations(*rule), standard.rule)) continue;
      special.push_back({layers[0].name, activations(*rule)});
    }
    if (auto claim = agreed(special)) return *claim;
    if (const auto* maker = graph_.producer(values_[0])) standard.layer = maker->name;
    return standard;
  }

  /// What holds where no pattern matches.
  TensorRule defaults() const {
    auto rule = activations(options_.rules.defaults());
    if (!graph_input()) return rule;
    if (options_.inputs != InputGrids::own)
      rule.bits = std::nullopt;
    else if (options_.bits_inputs)
      rule.bits = options_.bits_inputs;
    return rule;
  }

  std::vector<Claim> input_overrides() const {
    std::vector<Claim> claims;
    for (const auto& reader : readers_) {
      const auto rule = options_.rules.find(*reader.node);
      if (const auto found = rule.inputs.find(reader.input); found != rule.inputs.end())
        claims.push_back({reader.node->name, found->second});
    }
    return claims;
  }

  TensorRule of_readers() const {
    std::vector<Claim> claims;
    for (const auto& reader : readers_)
      if (const auto rule = options_.rules.find(*reader.node);
          reader.computes_quantised && rule.activations.quantised())
        claims.push_back({reader.node->name, rule.activations});
    const auto claim = agreed(claims);
    if (!claim) return {.bits = std::nullopt};
    if (!options_.inputs_fall_back)
      throw request_error("'{}' needs its input '{}' on a grid, but nothing puts it there", claim->layer, values_[0])
          .hint("set 'inputs_quant_auto_fallback: true', or give the input in 'input_overrides'");
    return claim->rule;
  }

  const Graph& graph_;
  const InsertionOptions& options_;
  const std::vector<std::string>& values_;
  const std::vector<GridReader>& readers_;
  bool all_rectified_ = false;
};

}  // namespace

SharedGrid shared_grid(const Graph& graph,
                       const InsertionOptions& options,
                       const std::vector<std::string>& values,
                       const std::vector<GridReader>& readers) {
  return GridRuleFinder(graph, options, values, readers).run();
}

std::string describe(const TensorRule& rule) {
  if (!rule.quantised()) return "floating point";
  const auto spec = rule.spec();
  if (!spec.is_integer()) return fmt::format("{} of {} bits", ops::word_of(spec.format), spec.bits);
  return fmt::format("{} bits {}{}{}", spec.bits, spec.symmetric ? "symmetric" : "asymmetric",
                     spec.narrow ? " restricted" : "", spec.is_signed ? "" : " unsigned");
}

}  // namespace compress::quant
