#pragma once

#include "graph/graph.h"

#include <cstdint>
#include <string_view>

namespace compress::search {

/// What a search saves.
enum class Resource { macs, parameters, bytes };
/// "MACs", "parameters", "bytes".
std::string_view name_of(Resource resource);

/// What a network costs, as analysis::cost counts it, but without looking at any weight.
struct Size {
  int64_t macs = 0;        ///< of one sample
  int64_t parameters = 0;  ///< learned ones
  int64_t bytes = 0;       ///< of these, once they are deployed

  int64_t of(Resource resource) const;
};
/// Throws a request error when shapes do not fit.
Size size_of(const Graph& graph);

}  // namespace compress::search
