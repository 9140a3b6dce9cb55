#include "prune/distiller/valued.h"

#include "graph/select.h"
#include "prune/make_part.h"

namespace compress::prune {

Parts ValuedPruner::assemble() const {
  Settings settings;
  auto words = words_;
  settings.optional(part_argument_, words, "");
  auto arguments = more_arguments();
  arguments.set(part_argument_, settings.fields().front().print());
  return {.criterion = make_part(criteria(), "magnitude"),
          .granularity = make_part(analysis::granularities(), "element"),
          .amount = make_part(amounts(), amount_, arguments)};
}

Selection ValuedPruner::select(const Graph& graph, Problems& problems) const {
  const auto values = select_values(graph, words_, problems);
  Selection selection;
  for (size_t i = 0; i < values.names.size(); ++i)
    if (values.values[i] != 0 || !spares_zero()) selection.names.push_back(values.names[i]);
  return selection;
}

void ValuedPruner::bind(const Graph& graph, Problems& problems) {
  if (words_.empty()) problems.add(request_error("'{}' is empty: there is nothing to prune", argument_));
  ComposedPruner::bind(graph, problems);
}

}  // namespace compress::prune
