#include "core/text.h"

#include <algorithm>

namespace compress {

namespace {

/// Columns on a terminal: code points, which is right for what tables here hold.
size_t display_width(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

/// "12", "-3.5e-4", "40,813", "12.5%", "1.5 KiB", "1:23".
bool is_numeric(std::string_view cell) {
  if (!cell.empty() && (cell[0] == '-' || cell[0] == '+')) cell.remove_prefix(1);
  if (cell.empty() || cell[0] < '0' || cell[0] > '9') return false;
  const auto number = cell.substr(0, cell.find(' '));
  if (number.find_first_not_of("0123456789.,:%e+-") != std::string_view::npos) return false;
  const auto unit = trim(cell.substr(number.size()));
  return std::ranges::all_of(
      unit, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '%' || c == '/'; });
}

bool is_missing(std::string_view cell) {
  return cell.empty() || cell == "-";
}

std::string csv_cell(std::string cell) {
  // A program that reads the file wants 40813184, not "40,813,184".
  if (is_numeric(cell) && cell.find(' ') == std::string::npos) std::erase(cell, ',');
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (const char c : cell) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::vector<std::string> quoted;
  for (const auto& cell : cells) quoted.push_back(csv_cell(cell));
  return join(quoted, ",") + '\n';
}

}  // namespace

Table::Table(std::vector<std::string> header) : header_(std::move(header)) {}

void Table::row(std::vector<std::string> cells) {
  cells.resize(header_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::str() const {
  std::vector<size_t> widths;
  std::vector<bool> right;
  for (size_t i = 0; i < header_.size(); ++i) {
    size_t width = display_width(header_[i]);
    bool numeric = false, text = false;
    for (const auto& row : rows_) {
      width = std::max(width, display_width(row[i]));
      if (!is_missing(row[i])) (is_numeric(row[i]) ? numeric : text) = true;
    }
    widths.push_back(width);
    right.push_back(numeric && !text);
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (size_t i = 0; i < cells.size(); ++i) {
      const std::string pad(widths[i] - display_width(cells[i]), ' ');
      text += (i > 0 ? "  " : "") + (right[i] ? pad + cells[i] : cells[i] + pad);
    }
    return text.substr(0, text.find_last_not_of(' ') + 1) + '\n';
  };
  std::vector<std::string> rule;
  for (const auto width : widths) rule.emplace_back(width, '-');
  auto text = line(header_) + line(rule);
  for (const auto& row : rows_) text += line(row);
  return text;
}

std::string Table::csv() const {
  auto text = csv_line(header_);
  for (const auto& row : rows_) text += csv_line(row);
  return text;
}

}  // namespace compress
