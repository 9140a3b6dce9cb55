#include "quant/statistics/statistics_file.h"

#include "core/file.h"
#include "core/settings.h"
#include "core/text.h"
#include "ops/op.h"
#include "quant/observer/observer.h"

#include <algorithm>

namespace compress::quant {
namespace {

/// Index among what the node computes with: parameters do not count, as in Distiller's `inputs`.
template <class Visit>
void for_data_inputs(const Graph& graph, const Node& node, Visit visit) {
  int64_t index = 0;
  for (const auto& input : node.inputs)
    if (!input.empty() && graph.find_parameter(input) == nullptr) visit(index++, input);
}

/// "(128, 3, 32, 32)" or [128, 3, 32, 32].
Shape shape_of(const Yaml& value) {
  if (value.is_null()) return {};
  if (value.is_sequence()) return from_yaml<std::vector<int64_t>>(value, "shape", at_least(0));
  Shape shape;
  for (const auto& word : split(from_yaml<std::string>(value, "shape"), ',')) {
    std::string digits;
    for (const char c : word)
      if (std::string_view("() []").find(c) == std::string_view::npos) digits += c;
    if (digits.empty()) continue;  // "(10,)"
    auto number = Yaml::scalar(digits);
    number.place = value.place;
    shape.push_back(from_yaml<int64_t>(number, "a size in 'shape'", at_least(0)));
  }
  return shape;
}

StatisticsRecord read_record(const Yaml& map, const std::string& owner) {
  StatisticsRecord record;
  Yaml shape;
  Settings s;
  s.required("min", record.extremes.low, "least number");
  s.required("max", record.extremes.high, "greatest number");
  s.required("avg_min", record.averaged.low, "mean of the samples' minima");
  s.required("avg_max", record.averaged.high, "mean of the samples' maxima");
  s.required("mean", record.mean, "mean of all numbers");
  s.optional("std", record.standard_deviation, "standard deviation", at_least(0));
  s.optional("b", record.mean_absolute_deviation, "mean of |x - mean|", at_least(0));
  s.optional("shape", shape, "shape of a batch");
  s.optional("total_numel", record.numbers, "numbers in all batches", at_least(0));
  s.read(map, owner);
  if (record.extremes.low > record.extremes.high)
    throw request_error("{}: 'min' ({}) is above 'max' ({})", owner, record.extremes.low, record.extremes.high)
        .at(map.place);
  if (record.averaged.low > record.averaged.high)
    throw request_error("{}: 'avg_min' ({}) is above 'avg_max' ({})", owner, record.averaged.low, record.averaged.high)
        .at(map.place);
  record.shape = shape_of(shape);
  return record;
}

class StatisticsReader {
public:
  StatisticsReader(const std::filesystem::path& path, const Graph& graph)
      : graph_(graph), file_(path.string()), root_(read_yaml(path)), infos_(ops::infer(graph)) {
    if (!root_.is_map() || root_.keys.empty())
      throw request_error("'{}' is no statistics file: it must be a map from layers to inputs and output, and is {}",
                          file_, root_.is_map() ? "empty" : root_.kind_name())
          .at({.file = file_})
          .hint("'compress quantize --save-statistics FILE' writes one");
  }

  Statistics read(const std::vector<std::string>& values) {
    Statistics statistics;
    std::vector<std::string> missing;
    Problems problems;
    for (const auto& value : values) {
      if (statistics.contains(value)) continue;
      if (const auto* constant = graph_.find_parameter(value)) {
        statistics.emplace(value, of_constant(*constant));
        continue;
      }
      const auto [record, owner] = find(value);
      if (record == nullptr)
        missing.push_back(value);
      else
        problems.capture([&] { statistics.emplace(value, ValueStatistics(value, checked(*record, owner, value))); });
    }
    refuse_missing(missing, values.size());
    problems.raise();
    return statistics;
  }

private:
  struct Found {
    const Yaml* record = nullptr;
    std::string owner;
  };

  static ValueStatistics of_constant(const Parameter& constant) {
    ValueStatistics statistics(constant.name, {.deviation = true});
    statistics.watch(constant.value);
    return statistics;
  }

  Found find(const std::string& value) const {
    Found found;
    for (const auto* reader : graph_.consumers(value))
      for_data_inputs(graph_, *reader, [&](int64_t index, const std::string& input) {
        if (found.record != nullptr || input != value) return;
        const auto* inputs = entry(reader->name, "inputs");
        const auto key = std::to_string(index);
        if (inputs != nullptr && inputs->is_map() && inputs->find(key) != nullptr)
          found = {inputs->find(key), fmt::format("input {} of layer '{}'", key, reader->name)};
      });
    if (found.record != nullptr) return found;
    const auto* producer = graph_.producer(value);
    if (producer == nullptr || producer->name != value) return {};
    return {entry(value, "output"), fmt::format("the output of layer '{}'", value)};
  }

  const Yaml* entry(const std::string& layer, std::string_view part) const {
    const auto* map = root_.find(layer);
    if (map == nullptr) return nullptr;
    if (!map->is_map())
      throw request_error("layer '{}' must be a map with 'inputs' and 'output', not {}", layer, map->kind_name())
          .at(root_.key_place(layer));
    return map->find(part);
  }

  StatisticsRecord checked(const Yaml& yaml, const std::string& owner, const std::string& value) const {
    auto record = read_record(yaml, "statistics of " + owner);
    const auto* info = infos_.find(value);
    const auto sample = [](const Shape& shape) {
      return shape.empty() ? shape : Shape(shape.begin() + 1, shape.end());
    };
    if (info == nullptr || record.shape.empty() || sample(record.shape) == sample(info->shape)) return record;
    throw request_error("these are statistics of another model: {} has the shape {} a sample there, and {} in '{}'",
                        owner, shape_text(sample(record.shape)), shape_text(sample(info->shape)), graph_.name)
        .at(yaml.place)
        .hint("take the file of this model, or leave it out, so that calibration runs");
  }

  void refuse_missing(const std::vector<std::string>& missing, size_t wanted) const {
    if (missing.empty()) return;
    const bool known = std::ranges::any_of(root_.keys, [&](const auto& layer) { return graph_.find_node(layer); });
    if (!known)
      throw request_error("these are statistics of another model: none of the {} layers in '{}' is a node of '{}'",
                          root_.keys.size(), file_, graph_.name)
          .at(root_.key_places.empty() ? Place{.file = file_} : root_.key_places[0])
          .hint(did_you_mean(missing[0], root_.keys));
    auto error = request_error("'{}' has no statistics of value '{}'", file_, missing[0]);
    if (missing.size() > 1)
      error = request_error("'{}' has no statistics of value '{}', nor of {} more of the {} that are wanted", file_,
                            missing[0], missing.size() - 1, wanted);
    throw error.at({.file = file_})
        .hint(did_you_mean(missing[0], root_.keys))
        .hint("a value is found as 'output' of the layer of its name, or among the 'inputs' of a layer that reads it");
  }

  const Graph& graph_;
  std::string file_;
  Yaml root_;
  ops::Infos infos_;
};

Yaml number_text(double value) {
  return Yaml::scalar(fmt::format("{}", value));
}

Yaml record_yaml(const StatisticsRecord& record) {
  auto map = Yaml::map();
  map.set("min", number_text(record.extremes.low));
  map.set("max", number_text(record.extremes.high));
  map.set("avg_min", number_text(record.averaged.low));
  map.set("avg_max", number_text(record.averaged.high));
  map.set("mean", number_text(record.mean));
  if (record.standard_deviation) map.set("std", number_text(*record.standard_deviation));
  if (record.mean_absolute_deviation) map.set("b", number_text(*record.mean_absolute_deviation));
  if (!record.shape.empty()) map.set("shape", Yaml::scalar(fmt::format("({})", fmt::join(record.shape, ", ")), true));
  if (record.numbers > 0) map.set("total_numel", Yaml::scalar(std::to_string(record.numbers)));
  return map;
}

}  // namespace

Statistics
read_statistics(const std::filesystem::path& path, const Graph& graph, const std::vector<std::string>& values) {
  return StatisticsReader(path, graph).read(values);
}

void write_statistics(const std::filesystem::path& path, const Graph& graph, const Statistics& statistics) {
  auto root = Yaml::map();
  for (const auto& node : graph.nodes()) {
    auto layer = Yaml::map(), inputs = Yaml::map();
    for_data_inputs(graph, node, [&](int64_t index, const std::string& input) {
      if (const auto found = statistics.find(input); found != statistics.end())
        inputs.set(std::to_string(index), record_yaml(found->second.record()));
    });
    if (!inputs.keys.empty()) layer.set("inputs", std::move(inputs));
    if (const auto found = statistics.find(node.name); found != statistics.end())
      layer.set("output", record_yaml(found->second.record()));
    if (!layer.keys.empty()) root.set(node.name, std::move(layer));
  }
  write_file(path, "# Statistics of activations, of " + graph.name + "\n" + to_text(root));
}

std::vector<std::string> file_observers() {
  std::vector<std::string> names;
  for (const auto* entry : observers().entries()) {
    const auto needs = entry->make()->needs();
    if (!needs.histogram && needs.decays.empty()) names.emplace_back(entry->name);
  }
  return names;
}

void check_file_observer(std::string_view name, const StatisticsNeeds& needs) {
  if (!needs.histogram && needs.decays.empty()) return;
  throw request_error("observer '{}' needs {}, which statistics files do not hold", name,
                      needs.histogram ? "a histogram" : "moving averages")
      .hint("from a file work: " + join_words(file_observers()))
      .hint("or leave the file out, so that calibration runs");
}

}  // namespace compress::quant
