#include "report/zero_effects.h"

#include "analysis/coupled_channels.h"
#include "core/text.h"
#include "passes/dead_channels.h"
#include "passes/remove_channels.h"

#include <ATen/core/grad_mode.h>

namespace compress::report {

namespace {

void thin_copy(const Graph& graph, const analysis::Cost& cost, ZeroEffects& effects) {
  const at::NoGradGuard no_grad;
  const analysis::CoupledChannels channels(graph);
  const auto dead = passes::find_dead_channels(graph, channels);
  if (dead.classes == 0) return;
  Graph thinned = graph.clone();
  passes::remove_channels(thinned, channels, dead.removed);
  thinned.erase_unused_parameters();
  const auto left = analysis::cost(thinned);
  effects.removable_channels = dead.classes;
  effects.removable_weights = cost.weights - left.weights;
  effects.removable_macs = cost.macs - left.macs;
  effects.staying_zeros = left.weights - left.nonzero_weights;
}

std::string how_many(int64_t count, const std::string& noun) {
  return with_commas(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace

std::optional<ZeroEffects> zero_effects(const Graph& graph, const analysis::Cost& cost) {
  ZeroEffects effects{.zeros = cost.weights - cost.nonzero_weights, .macs = cost.macs};
  if (effects.zeros == 0) return std::nullopt;
  effects.staying_zeros = effects.zeros;
  try {
    thin_copy(graph, cost, effects);
  } catch (const Error& error) {
    effects.refused = error.message();
  }
  return effects;
}

std::string ZeroEffects::text() const {
  std::string text = fmt::format("What the {} do:\n", how_many(zeros, "zero"));
  if (!refused.empty())
    text += fmt::format("  The network cannot be thinned: {}.\n", refused);
  else if (removable_channels == 0)
    text += "  Thinning (--pass thin) finds no channel that they make superfluous.\n";
  else
    text += fmt::format("  Thinning (--pass thin) removes {} with {} and {:.1f} % of the MACs: less work everywhere.\n",
                        how_many(removable_channels, "channel"), how_many(removable_weights, "weight"),
                        macs == 0 ? 0 : 100.0 * static_cast<double>(removable_macs) / static_cast<double>(macs));
  if (staying_zeros > 0)
    text += fmt::format("  {} stay{} in place: smaller files (--what storage), but no less work without kernels that "
                        "skip zeros.\n",
                        how_many(staying_zeros, "zero"), staying_zeros == 1 ? "s" : "");
  return text;
}

SummaryForms with_zero_effects(SummaryForms forms, const std::optional<ZeroEffects>& effects) {
  if (!effects) return forms;
  forms.text += effects->text();
  forms.json["zeros"] = {{"zeros", effects->zeros},
                         {"removable_channels", effects->removable_channels},
                         {"removable_weights", effects->removable_weights},
                         {"removable_macs", effects->removable_macs},
                         {"staying_zeros", effects->staying_zeros},
                         {"refused", effects->refused}};
  return forms;
}

}  // namespace compress::report
