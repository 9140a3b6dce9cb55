#pragma once

#include "graph/graph.h"
#include "ops/channels.h"

#include <map>
#include <string>
#include <vector>

/// Which channels of a network must be removed together.
namespace compress::analysis {

/// An axis of a parameter.
struct ParameterAxis {
  std::string parameter;
  int axis = 0;
  auto operator<=>(const ParameterAxis&) const = default;
};

/// One channel: everything that lives and dies together.
struct ChannelClass {
  ops::Atom root = 0;
  /// For each member of the group, the indices that belong to this channel, ascending.
  std::vector<std::vector<int64_t>> indices;
};

/// The channels that touch the same parameter axes.
struct ChannelGroup {
  std::vector<ParameterAxis> members;  ///< in the graph's order of parameters
  std::vector<ChannelClass> channels;
  std::string blocked;  ///< why none of them may be removed, with the node; "" when they may

  /// Position of a parameter axis among the members; -1 when it is none.
  int member(const std::string& parameter, int axis) const;
};

/// Where one index of a parameter axis belongs.
struct ChannelPlace {
  int group = -1;  ///< -1: the axis carries no channels
  int channel = -1;
};

/// What of an attention is a channel: the same place within each head, or a whole head.
enum class Heads { within, whole };

/// Does the network split channels into heads of an attention?
bool has_heads(const Graph& graph);

/// Channel flow of a graph: an index map per value and parameter, and the groups that follow.
class CoupledChannels {
public:
  /// Throws a request error when shapes do not fit.
  explicit CoupledChannels(const Graph& graph, Heads heads = Heads::within);

  const std::vector<ChannelGroup>& groups() const { return groups_; }
  /// Group and channel of each index of a parameter's axis; empty when the axis carries no channels.
  std::vector<ChannelPlace> places(const std::string& parameter, int axis) const;

  /// The index map of a value or parameter.
  const ops::ChannelMap& map(std::string_view name) const;
  const ops::AtomPool& pool() const { return pool_; }

private:
  void follow(const Graph& graph, const Node& node, const ops::Infos& infos);
  void collect(const Graph& graph);

  ops::AtomPool pool_;
  std::map<std::string, ops::ChannelMap, std::less<>> maps_;
  std::vector<ChannelGroup> groups_;
  std::map<ops::Atom, ChannelPlace> place_of_root_;
};

}  // namespace compress::analysis
