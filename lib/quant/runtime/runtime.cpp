#include "quant/runtime/runtime.h"

#include "core/log.h"
#include "core/text.h"
#include "ops/quantization_role.h"

#include <algorithm>
#include <map>

namespace compress::quant {

#define ENTRY(name) extern const Entry<Runtime> name##_runtime;
#include "quant/runtime/runtimes.def"
#undef ENTRY

const Registry<Runtime>& runtimes() {
#define ENTRY(name) &name##_runtime,
  static constexpr const Entry<Runtime>* kEntries[] = {
#include "quant/runtime/runtimes.def"
  };
#undef ENTRY
  static constexpr Registry<Runtime> kRegistry("runtime", kEntries);
  return kRegistry;
}

bool Runtime::quantises(std::string_view op) const {
  const auto known = split(operators(), ' ');
  return std::ranges::find(known, op) != known.end();
}

namespace {

/// What has weights or is arithmetic; the rest moves, picks and converts numbers.
bool computes(const Graph& graph, const Node& node) {
  const auto role = ops::quantization_role(node);
  if (role != ops::Quantization::none) return role != ops::Quantization::quantizer;
  return std::ranges::any_of(node.inputs, [&](const std::string& input) {
    const auto* parameter = graph.find_parameter(input);
    return parameter != nullptr && parameter->trainable && parameter->value.is_floating_point();
  });
}

}  // namespace

void warn_of_floating_operators(const Graph& graph, const Runtime& runtime, std::string_view name) {
  std::map<std::string, std::string> floating;  // operator -> its first node
  for (const auto& node : graph.nodes())
    if (computes(graph, node) && !runtime.quantises(node.op)) floating.try_emplace(node.op, node.name);
  if (floating.empty()) return;
  std::vector<std::string> names;
  for (const auto& [op, node] : floating) names.push_back(fmt::format("{} ('{}')", op, node));
  log::warning("[quantize] {} has no quantised form of {}: such layers stay in floating point", name,
               join_words(names));
}

}  // namespace compress::quant
