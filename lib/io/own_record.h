#pragma once

#include "graph/graph.h"
#include "io/draft.h"

#include <string>

namespace compress::io {

/// What a reader needs beside ONNX to rebuild `graph` exactly, as the JSON text of one metadata property.
std::string print_own_record(const Graph& graph);

/// Unknown or damaged parts are left out: then the ordinary rules of import hold.
OwnRecord parse_own_record(const std::string& json);

}  // namespace compress::io
