// Thresholds on whole structures, without a ranking: each parameter has its own threshold and kind of structure.
#include "analysis/group_words.h"
#include "core/text.h"
#include "graph/select.h"
#include "prune/composition.h"
#include "prune/make_part.h"
#include "prune/memory_parts.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace compress::prune {

namespace {

/// What a parameter's regime says: [threshold, group].
struct Regime {
  double threshold = 0;
  std::string granularity;
};

Regime read_regime(const std::string& word, const Yaml& written) {
  const auto names = analysis::group_words();
  const auto what = fmt::format("reg_regims.{}", word);
  if (!written.is_sequence() || written.items.size() != 2)
    throw request_error("'{}' must be [threshold, group]", what)
        .at(written.place)
        .hint("groups: " + join_words(names, "or"));
  const auto group = from_yaml<std::string>(written.items[1], what);
  const auto granularity = analysis::granularity_of_group(group);
  if (granularity.empty())
    throw request_error("'{}': there is no group '{}'", what, group)
        .at(written.items[1].place)
        .hint(did_you_mean(group, names))
        .hint("one of " + join_words(names, "or"));
  return {from_yaml<double>(written.items[0], what, at_least(0)), std::string(granularity)};
}

class StructureParameterPruner final : public Pruner {
public:
  void declare(Settings& settings) override {
    settings.required("reg_regims", written_, "[threshold, group] by parameter name or pattern");
    settings.choice("threshold_criteria", measure_, {{"Mean_Abs", Criteria::mean}, {"Max", Criteria::largest}},
                    "what of a structure is compared with the threshold", true);
  }
  void check(const Moment&) const override { regimes(); }
  void bind(const Graph& graph, Problems& problems) override;
  const std::vector<std::string>& parameters() const override { return names_; }

  void set_masks(Graph& graph, const Moment& moment) override {
    for (auto& [granularity, part] : parts_) part.set_masks(graph, moment);
  }
  void apply(const Changes& changes) override {
    follow(names_, changes);
    for (auto& [granularity, part] : parts_) part.apply(changes);
  }
  train::Memory save() const override {
    train::Memory memory{.values = {{"parameters", names_}}, .tensors = {}};
    for (const auto& [granularity, part] : parts_) keep_part(memory, granularity, part.save());
    return memory;
  }
  void load(const train::Memory& memory) override {
    memory.values.at("parameters").get_to(names_);
    for (auto& [granularity, part] : parts_) part.load(part_of(memory, granularity));
  }

private:
  enum class Criteria { mean, largest };

  std::map<std::string, Regime> regimes() const {
    std::map<std::string, Regime> read;
    Problems problems;
    for (const auto& [word, regime] : written_) problems.capture([&] { read[word] = read_regime(word, regime); });
    problems.raise();
    return read;
  }
  Parts parts(const std::string& granularity, const std::map<std::string, double>& thresholds) const;

  std::map<std::string, Yaml> written_;
  Criteria measure_ = Criteria::mean;
  std::map<std::string, Composition> parts_;  ///< one for each kind of structure
  std::vector<std::string> names_;
};

Parts StructureParameterPruner::parts(const std::string& granularity,
                                      const std::map<std::string, double>& thresholds) const {
  auto numbers = thresholds;
  Settings amount;
  amount.optional("threshold", numbers, "");
  return {.criterion = make_part(criteria(), measure_ == Criteria::mean ? "magnitude" : "max"),
          .granularity = make_part(analysis::granularities(), granularity),
          .amount = make_part(amounts(), "threshold", amount.print())};
}

void StructureParameterPruner::bind(const Graph& graph, Problems& problems) {
  const auto read = regimes();
  if (read.empty()) problems.add(request_error("'reg_regims' is empty: there is nothing to prune"));
  std::map<std::string, double> positions;
  std::vector<std::pair<std::string, Regime>> listed(read.begin(), read.end());
  for (size_t i = 0; i < listed.size(); ++i) positions[listed[i].first] = static_cast<double>(i);
  const auto chosen = select_values(graph, positions, problems);
  if (!problems.empty()) return;

  std::map<std::string, std::map<std::string, double>> thresholds;
  std::map<std::string, Selection> selections;
  for (size_t i = 0; i < chosen.names.size(); ++i) {
    const auto& [word, regime] = listed[static_cast<size_t>(chosen.values[i])];
    thresholds[regime.granularity][chosen.names[i]] = regime.threshold;
    selections[regime.granularity].names.push_back(chosen.names[i]);
    if (!is_glob(word)) selections[regime.granularity].exact.push_back(chosen.names[i]);
  }
  parts_.clear();
  names_.clear();
  for (const auto& [granularity, numbers] : thresholds) {
    auto& part = parts_[granularity] = Composition(parts(granularity, numbers));
    part.bind(graph, selections[granularity], problems);
    names_.insert(names_.end(), part.parameters().begin(), part.parameters().end());
  }
}

}  // namespace

extern const Entry<Pruner> structure_parameter_pruner;
const Entry<Pruner> structure_parameter_pruner{
    "StructureParameterPruner", "removes the structures whose mean or largest magnitude is at most a threshold",
    make_component<Pruner, StructureParameterPruner>};

}  // namespace compress::prune
