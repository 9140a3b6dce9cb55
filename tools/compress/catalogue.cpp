#include "catalogue.h"

#include "analysis/granularity.h"
#include "data/dataset.h"
#include "distill/distiller.h"
#include "early_exit/exit_config.h"
#include "ops/op.h"
#include "passes/pass.h"
#include "prune/amount.h"
#include "prune/criterion.h"
#include "prune/pruner.h"
#include "quant/encodings/encodings.h"
#include "quant/export/export_formats.h"
#include "quant/observer/observer.h"
#include "quant/quantizer.h"
#include "quant/runtime/runtime.h"
#include "regularize/regularizer.h"
#include "schedule/recipe.h"
#include "search/search.h"
#include "train/lr_scheduler.h"
#include "train/optimizer.h"
#include "train/task.h"
#include "zoo.h"

#include <memory>

namespace compress::tools {

namespace {

/// For components whose entries take nothing besides their own arguments.
struct NoCommonSettings {
  void declare(Settings&) {}
};

template <class T, class Common = NoCommonSettings>
std::vector<CatalogueEntry> of(const Registry<T>& registry) {
  std::vector<CatalogueEntry> entries;
  for (const auto* entry : registry.entries())
    entries.push_back({std::string(entry->name), std::string(entry->doc), [entry](const auto& show) {
                         const auto component = entry->make();
                         Settings settings;
                         component->declare(settings);
                         Common common;
                         common.declare(settings);
                         show(settings);
                       }});
  return entries;
}

std::vector<CatalogueEntry> operators() {
  std::vector<CatalogueEntry> entries;
  for (const auto* op : ops::all_ops()) entries.push_back({std::string(op->name), std::string(op->doc)});
  return entries;
}

std::vector<CatalogueEntry> export_formats() {
  std::vector<CatalogueEntry> entries;
  for (const auto& format : quant::export_formats())
    entries.push_back({std::string(format.name), std::string(format.doc)});
  return entries;
}

std::vector<CatalogueEntry> encodings() {
  std::vector<CatalogueEntry> entries;
  for (const auto* entry : quant::encodings_writers().entries())
    entries.push_back({std::string(entry->name), std::string(entry->doc)});
  return entries;
}

std::vector<CatalogueEntry> datasets() {
  std::vector<CatalogueEntry> entries;
  for (const auto& name : data::dataset_names())
    entries.push_back({name, data::dataset_info(name).doc, [name](const auto& show) {
                         const auto info = data::dataset_info(name);
                         const auto format = data::formats().make(info.format);
                         Settings settings;
                         format->declare(settings);
                         settings.read(info.format_settings, info.format);
                         show(settings);
                       }});
  return entries;
}

}  // namespace

template <class Config>
CatalogueEntry section(const char* name, const char* doc) {
  return {name, doc, [](const auto& show) {
            Config config;
            Settings settings;
            config.declare(settings);
            show(settings);
          }};
}

/// The sections of a recipe that are settings; the others hold named components.
std::vector<CatalogueEntry> sections() {
  return {section<schedule::ModelConfig>("model", "where the network comes from"),
          section<data::DataConfig>("data", "data set, batches, normalisation, augmentation"),
          section<train::TrainingConfig>("training", "epochs, optimiser, precision, averages, ..."),
          section<early_exit::ExitConfig>(
              "early_exits", "a branch that answers before the network's end; the section maps names to them"),
          section<schedule::ExportConfig>("export", "a file to write at the end; the section is one or a list of them"),
          section<schedule::ChecksConfig>("checks", "thresholds that fail the run")};
}

const std::vector<CatalogueKind>& catalogue() {
  static const std::vector<CatalogueKind> kinds{
      {"models", [] { return of(models::zoo()); }},
      {"datasets", datasets},
      {"formats", [] { return of(data::formats()); }},
      {"operators", operators},
      {"passes", [] { return of(passes::passes()); }},
      {"pruners", [] { return of(prune::pruners()); }},
      {"criteria", [] { return of(prune::criteria()); }},
      {"granularities", [] { return of(analysis::granularities()); }},
      {"amounts", [] { return of(prune::amounts()); }},
      {"regularizers", [] { return of(regularize::regularizers()); }},
      {"quantizers", [] { return of(quant::quantizers()); }},
      {"observers", [] { return of(quant::observers()); }},
      {"runtimes", [] { return of(quant::runtimes()); }},
      {"distillers", [] { return of(distill::distillers()); }},
      {"searches", [] { return of(search::searches()); }},
      {"optimizers", [] { return of(train::optimizers()); }},
      {"lr_schedulers", [] { return of<train::LrScheduler, train::LrTiming>(train::lr_schedulers()); }},
      {"tasks", [] { return of(train::tasks()); }},
      {"export_formats", export_formats},
      {"encodings", encodings},
      {"sections", sections},
  };
  return kinds;
}

}  // namespace compress::tools
