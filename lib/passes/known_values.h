#pragma once

#include "graph/graph.h"

#include <map>
#include <string>
#include <string_view>

namespace compress::ops {
class Infos;
}

namespace compress::passes {

/// What is known of every value of a network without knowing its input: the network run once, in eval mode on a batch
/// of 1, with NaN for "unknown". Zero weights make unknown inputs known (0 * x = 0), which is what finds channels that
/// pruning made constant.
class KnownValues {
public:
  /// Throws a request error when shapes do not fit.
  explicit KnownValues(const Graph& graph);

  /// The tensor of a value or (masked) parameter, NaN where it depends on the input; undefined when nothing is known of
  /// it.
  const at::Tensor& at(std::string_view name) const;

private:
  void run(const Node& node, const ops::Infos& infos);

  std::map<std::string, at::Tensor, std::less<>> values_;
};

}  // namespace compress::passes
