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

/// Operators without a quantised form that compute nothing: they pick numbers, or convert them.
constexpr std::string_view kPickers[] = {
    "Cast", "CastLike", "ConstantOfShape", "ExpandBatch", "OneHot", "ScatterElements", "ScatterND", "TopK", "Where"};

bool any_floating(const std::vector<ops::ValueInfo>& values) {
  return std::ranges::any_of(values, [](const auto& value) { return at::isFloatingType(value.type); });
}

bool computes(const Node& node, const ops::Infos& infos) {
  const auto role = ops::quantization_role(node);
  if (role != ops::Quantization::none) return role != ops::Quantization::quantizer;
  if (std::ranges::find(kPickers, node.op) != std::end(kPickers)) return false;
  return any_floating(ops::input_infos(node, infos)) && any_floating(ops::output_infos(node, infos));
}

}  // namespace

void warn_of_floating_operators(const Graph& graph, const Runtime& runtime, std::string_view name) {
  const auto infos = ops::infer(graph);
  std::map<std::string, std::string> floating;  // operator -> its first node
  for (const auto& node : graph.nodes())
    if (computes(node, infos) && !runtime.quantises(node.op)) floating.try_emplace(node.op, node.name);
  if (floating.empty()) return;
  std::vector<std::string> names;
  for (const auto& [op, node] : floating) names.push_back(fmt::format("{} ('{}')", op, node));
  log::warning("[quantize] {} has no quantised form of {}: such layers stay in floating point", name,
               join_words(names));
}

}  // namespace compress::quant
