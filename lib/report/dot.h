#pragma once

#include "report/drawing.h"

#include <string>
#include <string_view>

namespace compress::report {

/// The network in Graphviz's language, from top to bottom. Nodes show name, operator, output, cost and its share;
/// shapes of edges and attributes show when the mouse rests on them (.svg). `depth`: levels of modules drawn as boxes.
std::string dot_text(const Drawing& drawing, int depth);

/// 2359296 -> "2.36 M".
std::string human_count(int64_t count);
/// Text for a double-quoted string of Graphviz, which knows escapes as "\n" and "\N" of its own.
std::string dot_string(std::string_view text);
/// Text inside an HTML-like label.
std::string html_text(std::string_view text);

}  // namespace compress::report
