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

/// Whether a column is part of a comparison of two models.
enum class Compared {
  no,           ///< follows from the other rows: a share of the total
  by_programs,  ///< CSV and JSON have it
  by_people     ///< the text has it, too
};

struct Column {
  std::string name;  ///< heading, CSV column and JSON key alike
  int digits = 2;    ///< behind the decimal point, for a person
  Compared compared = Compared::by_programs;
};

/// Thousands separated, measures rounded to `digits` behind the point.
std::string cell_text(const Cell& cell, int digits);
/// Empty cells are null.
nlohmann::json cell_json(const Cell& cell);

/// A table of typed cells: text for a person (thousands separated, measures rounded), CSV and JSON for programs.
class Sheet {
public:
  Sheet() = default;
  explicit Sheet(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// Missing cells are empty.
  void row(std::vector<Cell> cells);
  /// A last row for a person. Programs get it as a number of its own, or would count everything twice.
  void total(std::vector<Cell> cells);

  size_t rows() const { return rows_.size(); }
  const std::vector<Column>& columns() const { return columns_; }
  const std::vector<std::vector<Cell>>& cells() const { return rows_; }

  std::string text() const;
  /// Lists are joined by blanks.
  std::string csv() const;
  /// A list of objects; empty cells are null.
  nlohmann::json json() const;

private:
  std::vector<std::string> names() const;
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
  std::vector<Cell> total_;
};

}  // namespace compress::report
