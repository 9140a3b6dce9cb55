#pragma once

#include "zoo.h"

#include <string>
#include <vector>

namespace compress::test {

/// Every network of the zoo with arguments that make it small: a quarter of the width, images of 64x64 (32x32 where the
/// classifier wants it), wherever it has those arguments.
inline std::vector<std::string> small_zoo() {
  std::vector<std::string> specs;
  for (const auto* entry : models::zoo().entries()) {
    const auto model = entry->make();
    Settings settings;
    model->declare(settings);
    std::string spec(entry->name), separator = "?";
    for (const auto& field : settings.fields()) {
      std::string argument;
      if (field.name == "width") argument = "width=0.25";
      if (field.name == "resolution") argument = entry->name.starts_with("vgg") ? "resolution=32" : "resolution=64";
      if (argument.empty()) continue;
      spec += separator + argument;
      separator = "&";
    }
    specs.push_back(spec);
  }
  return specs;
}

}  // namespace compress::test
