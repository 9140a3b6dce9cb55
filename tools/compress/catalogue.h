#pragma once

#include "core/settings.h"

#include <functional>
#include <string>
#include <vector>

namespace compress::tools {

/// One thing that `list` shows and `explain` describes.
struct CatalogueEntry {
  std::string name;
  std::string doc;
  /// Calls back with its declared arguments; empty for things without any (operators).
  std::function<void(const std::function<void(const Settings&)>&)> arguments = {};
};

/// All things of one kind, under the word of the recipe: "pruners", "models", ...
struct CatalogueKind {
  std::string name;
  std::function<std::vector<CatalogueEntry>()> entries;
};
const std::vector<CatalogueKind>& catalogue();

}  // namespace compress::tools
