#pragma once

#include "graph/graph.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace compress {

/// A pattern in the text form of a graph, without header; parameters start with '%', '$name' captures any value or
/// parameter, the last line's node is the root; the inner values must have no other reader:
///
///     conv = Conv($x, %w, %b?)
///     bn = BatchNormalization(conv, %g, %beta, %mean, %var)
///
/// '?' marks an input that may be absent; a node may list several operators: `act = Relu|Clip(bn)`.
class Pattern {
public:
  explicit Pattern(std::string_view text);
  ~Pattern();
  Pattern(Pattern&&) noexcept;

  struct Match {
    std::map<std::string, Node*, std::less<>> nodes;         ///< by the pattern's node name
    std::map<std::string, std::string, std::less<>> values;  ///< captured names, "" when absent
    Node& node(std::string_view name) const { return *nodes.find(name)->second; }
    const std::string& value(std::string_view name) const { return values.find(name)->second; }
  };
  /// All non-overlapping matches in topological order of their roots.
  std::vector<Match> find(Graph& graph) const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace compress
