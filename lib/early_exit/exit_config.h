#pragma once

#include "core/settings.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace compress::early_exit {

/// The last exit is the network's own output; no branch may have its name.
inline constexpr const char* kFinal = "final";

/// One entry of `early_exits:`: a branch that answers before the network's end.
struct ExitConfig {
  std::string name;
  std::string value;              ///< of the graph: where the branch begins; or ...
  std::string output;             ///< ... an output that the graph has already: the branch is its own
  std::optional<int64_t> kernel;  ///< averaged over windows of this side; none: over the whole map
  std::optional<int64_t> hidden;  ///< size of a layer with ReLU before the classifier; none: no such layer
  double loss_weight = 0;         ///< share of its loss in the loss of training, in [0, 1)
  double threshold = 0;           ///< a sample leaves here when the answer's entropy is below it, in [0, 1]
  Yaml entry;                     ///< as it stands in the recipe
  void declare(Settings& settings);
};

/// The `early_exits:` section. Problems: names that cannot be parts of names in the graph, arguments, two exits on one
/// value, weights that leave nothing for the network's own output.
std::vector<ExitConfig> read_exits(const Yaml& section, Problems& problems);

/// The share of the loss that is left for the network's own output. Throws a request error when there is none.
double final_loss_weight(const std::vector<double>& loss_weights);

}  // namespace compress::early_exit
