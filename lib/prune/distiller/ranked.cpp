#include "prune/distiller/ranked.h"

#include "analysis/axis_structures.h"
#include "core/text.h"
#include "prune/make_part.h"
#include "prune/shares.h"

#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>

namespace compress::prune {

namespace {

/// What Distiller's ranked pruners call rows: the inputs of a linear layer, rows of the transposed matrix.
class LinearInputs final : public analysis::AxisStructures {
public:
  LinearInputs() : AxisStructures(1) {}
  bool by_layer() const override { return true; }
  void check(std::string_view parameter, at::IntArrayRef shape) const override {
    if (shape.size() != 2)
      throw request_error("'{}' has no rows: its shape is {}, and rows are those of a linear layer", parameter,
                          shape_text(shape))
          .hint("group_type: Filters or Channels for a convolution");
  }
};

}  // namespace

void RankedPruner::declare_share(Settings& settings) {
  switch (form_.share) {
  case RankedShare::fixed:
    settings.required("desired_sparsity", desired_, "share of the structures to remove", half_open(0, 1));
    return;
  case RankedShare::gradual: gradual_.declare(settings); return;
  case RankedShare::drawn:
    settings.required("sparsity_range", range_, "[lowest, highest] share to remove, drawn anew for every mask",
                      half_open(0, 1));
  }
}

void RankedPruner::declare(Settings& settings) {
  declare_share(settings);
  if (form_.filters_only)
    settings.choice("group_type", group_, {{"Filters", Group::filters}, {"3D", Group::filters}},
                    "what is removed together: outputs", true);
  else
    settings.choice("group_type", group_,
                    {{"Filters", Group::filters},
                     {"3D", Group::filters},
                     {"Channels", Group::channels},
                     {"Rows", Group::rows},
                     {"Blocks", Group::blocks}},
                    "what is removed together: outputs (Filters), inputs (Channels; of linear layers Rows), Blocks",
                    true);
  settings.required("weights", words_, "parameters to prune, by name or pattern");
  settings.choice("group_dependency", follow_, {{"None", Follow::none}, {"Leader", Follow::leader}},
                  "Leader: the first parameter decides which structures go in all");
  settings.optional("kwargs", kwargs_, "for Blocks: {block_shape: [filters, channels, 1, 1]}");
  settings.optional("noise", noise_, "probability of ranking by randomly scaled magnitudes", in(0, 1));
  settings.optional("group_size", rule_.group_size, "the number of removed structures is a multiple of this",
                    at_least(1));
  settings.choice("rounding_fn", rule_.rounding,
                  {{"floor", Rounding::floor}, {"ceil", Rounding::ceil}, {"round", Rounding::round}},
                  "how a share becomes a number of structures");
}

void RankedPruner::check(const Moment& moment) const {
  if (form_.share == RankedShare::gradual) gradual_.check(moment);
  if (form_.share == RankedShare::drawn && (range_.size() != 2 || range_[0] > range_[1]))
    throw request_error("'sparsity_range' must be two shares, [lowest, highest]");
  granularity();
}

std::unique_ptr<analysis::Granularity> RankedPruner::granularity() const {
  if (group_ != Group::blocks && !kwargs_.is_null())
    throw request_error("'kwargs' describes blocks: it has a meaning with 'group_type: Blocks' only");
  switch (group_) {
  case Group::filters: return make_part(analysis::granularities(), "filter");
  case Group::channels: return make_part(analysis::granularities(), "channel");
  case Group::rows: return std::make_unique<LinearInputs>();
  case Group::blocks: break;
  }
  std::vector<int64_t> shape;
  Settings settings;
  settings.required("block_shape", shape, "[filters, channels, height, width] of a block", at_least(1));
  settings.read(kwargs_, "kwargs");
  if (shape.size() != 4 || shape[2] != 1 || shape[3] != 1)
    throw request_error("'block_shape' must be [filters, channels, 1, 1]: blocks are one weight high and wide");
  auto arguments = Yaml::map();
  arguments.set("shape", *settings.print().find("block_shape"));
  return make_part(analysis::granularities(), "block", arguments);
}

std::unique_ptr<Amount> RankedPruner::amount() const {
  const NumberOf share = [form = form_.share, desired = desired_, gradual = gradual_,
                          range = range_](const Unit& unit, const Moment& moment) {
    if (form == RankedShare::fixed) return desired;
    if (form == RankedShare::gradual) return gradual.at(moment);
    return drawn_share(unit, moment, range[0], range[1]);
  };
  return form_.by_chance ? make_limit(share) : make_share(share, rule_);
}

Parts RankedPruner::assemble() const {
  Parts parts{.criterion = criterion(),
              .granularity = granularity(),
              .amount = amount(),
              .dependency = follow_ == Follow::leader ? make_leader() : make_independent(),
              .noise = noise_};
  if (form_.by_chance) parts.limits.emplace();
  return parts;
}

Selection RankedPruner::select(const Graph& graph, Problems& problems) const {
  return select_any(graph, words_, problems);
}

}  // namespace compress::prune
