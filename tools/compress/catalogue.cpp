#include "catalogue.h"

#include "data/dataset.h"
#include "distill/distiller.h"
#include "ops/op.h"
#include "passes/pass.h"
#include "prune/pruner.h"
#include "quant/quantizer.h"
#include "regularize/regularizer.h"
#include "train/lr_scheduler.h"
#include "train/optimizer.h"
#include "train/task.h"
#include "zoo.h"

#include <memory>

namespace compress::tools {

namespace {

template <class T>
std::vector<CatalogueEntry> of(const Registry<T>& registry) {
  std::vector<CatalogueEntry> entries;
  for (const auto* entry : registry.entries())
    entries.push_back({std::string(entry->name), std::string(entry->doc), [entry](const auto& show) {
                         const auto component = entry->make();
                         Settings settings;
                         component->declare(settings);
                         show(settings);
                       }});
  return entries;
}

std::vector<CatalogueEntry> operators() {
  std::vector<CatalogueEntry> entries;
  for (const auto* op : ops::all_ops()) entries.push_back({std::string(op->name), std::string(op->doc)});
  return entries;
}

std::vector<CatalogueEntry> datasets() {
  std::vector<CatalogueEntry> entries;
  for (const auto& name : data::dataset_names()) entries.push_back({name, data::dataset_info(name).doc});
  return entries;
}

}  // namespace

const std::vector<CatalogueKind>& catalogue() {
  static const std::vector<CatalogueKind> kinds{
      {"models", [] { return of(models::zoo()); }},
      {"datasets", datasets},
      {"formats", [] { return of(data::formats()); }},
      {"operators", operators},
      {"passes", [] { return of(passes::passes()); }},
      {"pruners", [] { return of(prune::pruners()); }},
      {"regularizers", [] { return of(regularize::regularizers()); }},
      {"quantizers", [] { return of(quant::quantizers()); }},
      {"distillers", [] { return of(distill::distillers()); }},
      {"optimizers", [] { return of(train::optimizers()); }},
      {"lr_schedulers", [] { return of(train::lr_schedulers()); }},
      {"tasks", [] { return of(train::tasks()); }},
  };
  return kinds;
}

}  // namespace compress::tools
