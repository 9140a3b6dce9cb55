#pragma once

#include "core/text.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace compress::report {

/// One cell: nothing, text, a count, a measure, or a list of names.
using Cell = std::variant<std::monostate, std::string, int64_t, double, std::vector<std::string>>;

struct Column {
  std::string name;  ///< heading, CSV column and JSON key alike
  int digits = 2;    ///< behind the decimal point, for a person
};

/// A table of typed cells: text for a person (thousands separated, measures rounded), CSV and JSON for programs.
class Sheet {
public:
  explicit Sheet(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// Missing cells are empty.
  void row(std::vector<Cell> cells);
  size_t rows() const { return rows_.size(); }

  std::string text() const;
  /// Lists are joined by blanks.
  std::string csv() const;
  /// A list of objects; empty cells are null.
  nlohmann::json json() const;

private:
  std::vector<std::string> names() const;
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace compress::report
