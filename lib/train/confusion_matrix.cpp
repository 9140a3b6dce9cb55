#include "train/confusion_matrix.h"

#include "core/text.h"

namespace compress::train {

namespace {

Table confusion_table(const ConfusionMatrix& matrix, const std::vector<std::string>& names) {
  const auto name = [&](size_t i) { return names.size() == matrix.counts.size() ? names[i] : std::to_string(i); };
  std::vector<std::string> header{"label"};
  for (size_t i = 0; i < matrix.counts.size(); ++i) header.push_back(name(i));
  Table table(std::move(header));
  for (size_t label = 0; label < matrix.counts.size(); ++label) {
    std::vector<std::string> cells{name(label)};
    for (const auto count : matrix.counts[label]) cells.push_back(std::to_string(count));
    table.row(std::move(cells));
  }
  return table;
}

}  // namespace

std::string ConfusionMatrix::csv(const std::vector<std::string>& names) const {
  return confusion_table(*this, names).csv();
}

std::string ConfusionMatrix::str(const std::vector<std::string>& names) const {
  return confusion_table(*this, names).str();
}

}  // namespace compress::train
