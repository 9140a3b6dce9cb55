#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "data/dataset.h"
#include "graph/graph.h"
#include "train/hook.h"

#include <filesystem>
#include <string>

namespace compress::search {

/// Finds out by trying what a network should become under a budget, on validation data, and makes it so. One file and
/// one line in searches.def each.
class Search {
public:
  virtual ~Search() = default;
  virtual void declare(Settings& settings) = 0;
  /// Contradictions among arguments.
  virtual void check() const {}
  /// Resolves names and patterns, and finds out whether the goal can be reached at all; problems quote what is wrong.
  virtual void bind(const Graph& graph, Problems& problems) = 0;
  /// Throws a request error when there are no data to search by.
  virtual void bind_data(const data::Splits&) const {}
  /// Edits state.graph and applies the changes to the state. What is to survive an interruption goes to `folder`
  /// (empty: nowhere), and is taken up from there; the result is that of an uninterrupted search. Returns what was not
  /// reached, as a sentence; "" when the goal was. Throws Error(Fault::interrupted) on Ctrl-C.
  virtual std::string run(train::State& state, const std::filesystem::path& folder) = 0;
};
const Registry<Search>& searches();

}  // namespace compress::search
