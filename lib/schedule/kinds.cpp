#include "schedule/kinds.h"

#include "core/text.h"
#include "passes/pass.h"
#include "prune/pruner.h"
#include "quant/quantizer.h"
#include "regularize/regularizer.h"
#include "schedule/policies.h"
#include "search/search.h"
#include "train/lr_scheduler.h"

#include <algorithm>

namespace compress::schedule {

namespace {

template <class T, const Registry<T>& (*registry)()>
void check_component(const Yaml& entry, const std::string& instance) {
  read_component(registry(), entry, instance);
}

void check_lr_scheduler(const Yaml& entry, const std::string& instance) {
  read_component(train::lr_schedulers(), entry, instance, {"interval", "warmup"});
}

constexpr Kind kKinds[] = {
    {"pruner", "pruners", make_pruning_policy, check_component<prune::Pruner, prune::pruners>},
    {"regularizer", "regularizers", make_regularization_policy,
     check_component<regularize::Regularizer, regularize::regularizers>},
    {"quantizer", "quantizers", make_quantization_policy, check_component<quant::Quantizer, quant::quantizers>, true},
    {"distiller", "distillers", make_distillation_policy, check_component<distill::Distiller, distill::distillers>},
    {"lr_scheduler", "lr_schedulers", make_lr_policy, check_lr_scheduler},
    {"pass", "passes", make_pass_policy, check_component<passes::Pass, passes::passes>, true},
    {"search", "searches", make_search_policy, check_component<search::Search, search::searches>, false, true},
};

void read_section(const Yaml& root, std::string_view key, const Kind& kind, Instances& instances, Problems& problems) {
  const auto* section = root.find(key);
  if (!section || section->is_null()) return;
  if (!section->is_map()) {
    problems.add(
        request_error("'{}' must be a map of names, each with 'class' and arguments, not {}", key, section->kind_name())
            .at(section->place));
    return;
  }
  for (size_t i = 0; i < section->keys.size(); ++i) {
    const auto& name = section->keys[i];
    if (instances.find(kind, name))
      problems.add(request_error("{} '{}' is defined twice, in 'passes' and in 'extensions'", kind.name, name)
                       .at(section->key_places[i]));
    else
      instances.all.push_back({&kind, name, &section->items[i], section->key_places[i]});
  }
}

}  // namespace

std::span<const Kind> kinds() {
  return kKinds;
}

const Kind* find_kind(std::string_view name) {
  const auto found = std::ranges::find(kKinds, name == "extension" ? "pass" : name, &Kind::name);
  return found == std::end(kKinds) ? nullptr : found;
}

Instances::Instance* Instances::find(const Kind& kind, std::string_view name) {
  const auto found = std::ranges::find_if(
      all, [&](const Instance& instance) { return instance.kind == &kind && instance.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::vector<std::string> Instances::names(const Kind& kind) const {
  std::vector<std::string> names;
  for (const auto& instance : all)
    if (instance.kind == &kind) names.push_back(instance.name);
  return names;
}

Instances read_instances(const Yaml& root, Problems& problems) {
  Instances instances;
  for (const auto& kind : kKinds) read_section(root, kind.section, kind, instances, problems);
  read_section(root, "extensions", *find_kind("pass"), instances, problems);
  return instances;
}

}  // namespace compress::schedule
