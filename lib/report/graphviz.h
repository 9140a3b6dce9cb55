#pragma once

#include <filesystem>
#include <string>
#include <string_view>

/// Pictures from Graphviz's language, drawn by its program `dot`.
namespace compress::report {

/// ".svg", ".png" and ".pdf".
bool is_picture(std::string_view ending);

/// Throws a request error that says how to install Graphviz, when `dot` is not on the PATH. `file` is what was asked
/// for.
void require_graphviz(const std::filesystem::path& file);

/// The bytes of the picture. Throws a run error with Graphviz's own words when it fails.
std::string draw(const std::string& dot, std::string_view ending);

}  // namespace compress::report
