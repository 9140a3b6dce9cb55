#pragma once

#include "graph/graph.h"

#include <string_view>

namespace compress::ops {

/// An attribute that no file has: analysis/coupled_channels.h gives it to its copies of the nodes that split channels
/// into heads, and their `channels` functions then follow whole heads instead of the channels within them.
inline constexpr std::string_view kWholeHeads = "whole_heads";

inline bool follows_whole_heads(const Node& node) {
  return node.attributes.has(kWholeHeads);
}

}  // namespace compress::ops
