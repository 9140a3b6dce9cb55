#include "report/sheet.h"

#include <fmt/format.h>

#include <type_traits>

namespace compress::report {

namespace {

/// One visitor per kind of cell.
template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

std::string for_a_program(const Cell& cell) {
  return std::visit(Overloaded{[](std::monostate) { return std::string(); },
                               [](const std::string& text) { return text; },
                               [](const std::vector<std::string>& names) { return join(names, " "); },
                               [](auto number) { return fmt::format("{}", number); }},
                    cell);
}

}  // namespace

std::string cell_text(const Cell& cell, int digits) {
  return std::visit(Overloaded{[](std::monostate) { return std::string(); },
                               [](const std::string& text) { return text; },
                               [](int64_t count) { return with_commas(count); },
                               [&](double measure) { return fmt::format("{:.{}f}", measure, digits); },
                               [](const std::vector<std::string>& names) { return join(names, " "); }},
                    cell);
}

nlohmann::json cell_json(const Cell& cell) {
  return std::visit(Overloaded{[](std::monostate) { return nlohmann::json(); },
                               [](const auto& value) { return nlohmann::json(value); }},
                    cell);
}

void Sheet::row(std::vector<Cell> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

void Sheet::total(std::vector<Cell> cells) {
  cells.resize(columns_.size());
  total_ = std::move(cells);
}

std::vector<std::string> Sheet::names() const {
  std::vector<std::string> names;
  for (const auto& column : columns_) names.push_back(column.name);
  return names;
}

std::string Sheet::text() const {
  Table table(names());
  const auto add = [&](const std::vector<Cell>& cells) {
    std::vector<std::string> row;
    for (size_t i = 0; i < cells.size(); ++i) row.push_back(cell_text(cells[i], columns_[i].digits));
    table.row(std::move(row));
  };
  for (const auto& cells : rows_) add(cells);
  if (!total_.empty()) add(total_);
  return table.str();
}

std::string Sheet::csv() const {
  Table table(names());
  for (const auto& cells : rows_) {
    std::vector<std::string> row;
    for (const auto& cell : cells) row.push_back(for_a_program(cell));
    table.row(std::move(row));
  }
  return table.csv();
}

nlohmann::json Sheet::json() const {
  auto list = nlohmann::json::array();
  for (const auto& cells : rows_) {
    auto row = nlohmann::json::object();
    for (size_t i = 0; i < cells.size(); ++i) row[columns_[i].name] = cell_json(cells[i]);
    list.push_back(std::move(row));
  }
  return list;
}

}  // namespace compress::report
