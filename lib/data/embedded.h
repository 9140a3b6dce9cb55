#pragma once

#include <span>
#include <string_view>

namespace compress::data {

/// A file of datasets/, built into the program by datasets/embed.py.
struct EmbeddedFile {
  std::string_view name;  ///< without ".yaml"
  std::string_view text;
};
std::span<const EmbeddedFile> embedded_datasets();

}  // namespace compress::data
