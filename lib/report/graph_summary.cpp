#include "core/text.h"
#include "report/dot.h"
#include "report/summary.h"

namespace compress::report {

namespace {

using nlohmann::json;

/// "layer1" and "layer1.0".
constexpr int kDepth = 2;

json drawing_json(const Drawing& drawing) {
  auto nodes = json::array(), edges = json::array();
  for (const auto& drawn : drawing.nodes())
    nodes.push_back({{"name", drawn.node->name},
                     {"type", drawn.node->op},
                     {"class", drawn.kind.name},
                     {"output", drawn.cost->output},
                     {"macs", drawn.cost->macs},
                     {"share", drawn.share},
                     {"weights", drawn.cost->weights},
                     {"weight_bytes", drawn.cost->weight_bytes}});
  for (const auto& edge : drawing.edges())
    edges.push_back({{"from", edge.from},
                     {"to", edge.to},
                     {"to_output", edge.to_output},
                     {"value", edge.value},
                     {"shape", edge.shape}});
  return {{"name", drawing.graph().name}, {"total_macs", drawing.cost().macs}, {"nodes", nodes}, {"edges", edges}};
}

Sheet drawn_nodes(const Drawing& drawing) {
  Sheet sheet({{"Name"},
               {"Type"},
               {"Class"},
               {.name = "Output", .compared = Compared::by_people},
               {.name = "MACs", .compared = Compared::by_people},
               {"Share", 4, Compared::no},
               {.name = "Weights", .compared = Compared::by_people},
               {"Weight bytes"}});
  for (const auto& drawn : drawing.nodes())
    sheet.row({drawn.node->name, drawn.node->op, std::string(drawn.kind.name), shape_text(drawn.cost->output),
               drawn.cost->macs, drawn.share, drawn.cost->weights, drawn.cost->weight_bytes});
  return sheet;
}

SummaryForms make_drawing(const SummaryRequest& request) {
  const Drawing drawing(request.graph);
  const auto dot = dot_text(drawing, request.depth.value_or(kDepth));
  return {.text = dot, .json = drawing_json(drawing), .dot = dot, .sheet = drawn_nodes(drawing)};
}

}  // namespace

extern const Summary graph_summary;
const Summary graph_summary{.name = "graph",
                            .doc = "a drawing of the network with the cost of each node, through Graphviz",
                            .files = {".svg", ".png", ".pdf", ".dot", ".gv", ".csv", ".json"},
                            .has_depth = true,
                            .make = make_drawing};

}  // namespace compress::report
