// Rows of two tables of one kind, matched by name.
#include "core/text.h"
#include "report/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace compress::report {

namespace {

using Cells = std::vector<Cell>;

std::optional<double> number_in(const Cell& cell) {
  if (const auto* count = std::get_if<int64_t>(&cell)) return static_cast<double>(*count);
  if (const auto* measure = std::get_if<double>(&cell)) return *measure;
  return std::nullopt;
}

/// A count that one side lacks is 0 there; a measure has no change then.
Cell change_of(const Cell& before, const Cell& after) {
  const auto *first = std::get_if<int64_t>(&before), *second = std::get_if<int64_t>(&after);
  if (first || second) return (second ? *second : 0) - (first ? *first : 0);
  const auto from = number_in(before), to = number_in(after);
  return from && to ? Cell(*to - *from) : Cell();
}

/// Counts in percent of what was, measures as they are.
std::string change_text(const Cell& before, const Cell& after, int digits) {
  const auto change = number_in(change_of(before, after));
  if (!change || *change == 0 || !number_in(before)) return "";
  if (std::holds_alternative<double>(before)) return fmt::format("{:+.{}f}", *change, digits);
  const auto was = static_cast<double>(std::get<int64_t>(before));
  return was == 0 ? "" : fmt::format("{:+.1f} %", 100 * *change / was);
}

/// One name with its cells on both sides; null: that side lacks it.
struct Pair {
  std::string name;
  const Cells* before = nullptr;
  const Cells* after = nullptr;

  Cell cell(const Cells* side, size_t column) const { return side ? (*side)[column] : Cell(); }
};

/// The name of each row, and how many rows above have it, too.
std::vector<std::pair<std::string, int>> keys_of(const Sheet& sheet) {
  std::vector<std::pair<std::string, int>> keys;
  std::map<std::string, int> times;
  for (const auto& cells : sheet.cells()) {
    const auto name = cell_text(cells.front(), 0);
    keys.emplace_back(name, times[name]++);
  }
  return keys;
}

/// In the order of the table before, then what is new.
std::vector<Pair> pairs_of(const Sheet& before, const Sheet& after) {
  std::vector<Pair> pairs;
  std::map<std::pair<std::string, int>, size_t> places;
  const auto old_keys = keys_of(before), new_keys = keys_of(after);
  for (size_t i = 0; i < old_keys.size(); ++i) {
    places.emplace(old_keys[i], i);
    pairs.push_back({.name = old_keys[i].first, .before = &before.cells()[i]});
  }
  for (size_t i = 0; i < new_keys.size(); ++i) {
    const auto place = places.find(new_keys[i]);
    if (place != places.end())
      pairs[place->second].after = &after.cells()[i];
    else
      pairs.push_back({.name = new_keys[i].first, .after = &after.cells()[i]});
  }
  return pairs;
}

class Comparison {
public:
  Comparison(const Sheet& before, const Sheet& after) : columns_(before.columns()), pairs_(pairs_of(before, after)) {
    for (size_t i = 0; i < columns_.size(); ++i)
      numbers_.push_back(std::ranges::any_of(pairs_, [&](const Pair& pair) {
        return number_in(pair.cell(pair.before, i)) || number_in(pair.cell(pair.after, i));
      }));
  }

  Sheet for_programs() const {
    std::vector<Column> columns{{"Name"}, {"Status"}};
    for (const size_t i : compared(Compared::by_programs)) add_columns(columns, i);
    Sheet sheet(columns);
    for (const auto& pair : pairs_) {
      Cells cells{pair.name, status(pair)};
      for (const size_t i : compared(Compared::by_programs)) {
        const auto before = pair.cell(pair.before, i), after = pair.cell(pair.after, i);
        cells.insert(cells.end(), {before, after});
        if (numbers_[i]) cells.push_back(change_of(before, after));
      }
      sheet.row(std::move(cells));
    }
    return sheet;
  }

  std::string for_a_person() const {
    std::vector<Column> columns{{"Name"}};
    for (const size_t i : compared(Compared::by_people)) add_columns(columns, i);
    Sheet sheet(columns);
    size_t same = 0;
    for (const auto& pair : pairs_) {
      if (equal(pair, Compared::by_people))
        ++same;
      else
        sheet.row(shown(pair));
    }
    std::string text;
    if (sheet.rows() > 0) text = sheet.text();
    return text + fmt::format("{} of {} rows are the same in these columns.\n", same, pairs_.size());
  }

private:
  /// The columns that are compared by these readers, but for the name.
  std::vector<size_t> compared(Compared by) const {
    std::vector<size_t> chosen;
    for (size_t i = 1; i < columns_.size(); ++i)
      if (columns_[i].compared >= by) chosen.push_back(i);
    return chosen;
  }

  bool equal(const Pair& pair, Compared by) const {
    return pair.before && pair.after &&
           std::ranges::all_of(compared(by), [&](size_t i) { return (*pair.before)[i] == (*pair.after)[i]; });
  }

  std::string status(const Pair& pair) const {
    if (!pair.before) return "added";
    if (!pair.after) return "removed";
    return equal(pair, Compared::by_programs) ? "same" : "changed";
  }

  void add_columns(std::vector<Column>& columns, size_t i) const {
    const auto& column = columns_[i];
    for (const auto* side : {" before", " after"}) columns.push_back({column.name + side, column.digits});
    if (numbers_[i]) columns.push_back({column.name + " change", column.digits});
  }

  Cells shown(const Pair& pair) const {
    Cells cells{pair.name};
    const auto side = [&](const Cells* side, size_t i) { return side ? (*side)[i] : Cell(std::string("-")); };
    for (const size_t i : compared(Compared::by_people)) {
      cells.insert(cells.end(), {side(pair.before, i), side(pair.after, i)});
      if (numbers_[i])
        cells.push_back(change_text(pair.cell(pair.before, i), pair.cell(pair.after, i), columns_[i].digits));
    }
    return cells;
  }

  const std::vector<Column>& columns_;
  std::vector<Pair> pairs_;
  std::vector<bool> numbers_;  ///< by column
};

std::string total_line(const Total& before, const Total& after) {
  const auto change = change_text(before.value, after.value, before.digits);
  return fmt::format("{}: {} -> {}{}\n", before.label, cell_text(before.value, before.digits),
                     cell_text(after.value, after.digits), change.empty() ? "" : " (" + change + ")");
}

}  // namespace

SummaryForms compare_summaries(const std::string& before_name,
                               const SummaryForms& before,
                               const std::string& after_name,
                               const SummaryForms& after) {
  const Comparison comparison(before.sheet, after.sheet);
  auto text = fmt::format("Before: {}\nAfter:  {}\n\n", before_name, after_name) + comparison.for_a_person();
  auto totals = nlohmann::json::object();
  for (size_t i = 0; i < before.totals.size(); ++i) {
    const auto &first = before.totals[i], &second = after.totals[i];
    text += total_line(first, second);
    totals[first.key] = {{"before", cell_json(first.value)},
                         {"after", cell_json(second.value)},
                         {"change", cell_json(change_of(first.value, second.value))}};
  }
  auto sheet = comparison.for_programs();
  nlohmann::json json{{"before", before_name}, {"after", after_name}, {"rows", sheet.json()}, {"totals", totals}};
  return {.text = std::move(text), .json = std::move(json), .sheet = std::move(sheet)};
}

}  // namespace compress::report
