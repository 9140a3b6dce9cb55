#include "search/size.h"

#include "analysis/weight.h"
#include "ops/op.h"

#include <ATen/core/Tensor.h>

namespace compress::search {

std::string_view name_of(Resource resource) {
  return resource == Resource::macs ? "MACs" : resource == Resource::parameters ? "parameters" : "bytes";
}

int64_t Size::of(Resource resource) const {
  return resource == Resource::macs ? macs : resource == Resource::parameters ? parameters : bytes;
}

Size size_of(const Graph& graph) {
  Size size;
  const auto infos = ops::infer(graph);
  for (const Node& node : graph.nodes())
    size.macs += ops::op_of(node).macs(node, ops::input_infos(node, infos), ops::output_infos(node, infos));
  for (const auto* parameter : analysis::learned_parameters(graph)) {
    const int64_t elements = parameter->value.numel();
    size.parameters += elements;
    size.bytes += (elements * analysis::stored_bits(graph, *parameter) + 7) / 8;
  }
  return size;
}

}  // namespace compress::search
