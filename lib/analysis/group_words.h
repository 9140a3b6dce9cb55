#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace compress::analysis {

/// The granularity that one of Distiller's words for groups of a weight means ("2D": kernel, "Rows": row, "3D" and
/// "Filters": filter, ...; distiller.thresholding); "" for other words.
std::string_view granularity_of_group(std::string_view word);

/// The words.
std::vector<std::string> group_words();

}  // namespace compress::analysis
