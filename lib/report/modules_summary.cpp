#include "analysis/cost.h"
#include "analysis/weight.h"
#include "core/text.h"
#include "report/module_tree.h"
#include "report/sheet.h"
#include "report/summary.h"

#include <algorithm>
#include <limits>
#include <set>

namespace compress::report {

namespace {

/// Fewer kinds than this are listed in a module's row for a person.
constexpr size_t kShownTypes = 3;

using TypeCounts = std::vector<std::pair<std::string, int64_t>>;

/// The most frequent first; equal ones as they are met.
TypeCounts types_of(const std::vector<const Node*>& nodes) {
  TypeCounts counts;
  for (const Node* node : nodes) {
    const auto found = std::ranges::find(counts, node->op, &TypeCounts::value_type::first);
    if (found == counts.end())
      counts.emplace_back(node->op, 1);
    else
      ++found->second;
  }
  std::ranges::stable_sort(counts, std::ranges::greater(), &TypeCounts::value_type::second);
  return counts;
}

std::string types_text(const TypeCounts& counts, size_t most) {
  std::vector<std::string> words;
  for (const auto& [type, count] : counts) {
    if (words.size() == most) {
      words.emplace_back("...");
      break;
    }
    words.push_back(fmt::format("{} {}", count, type));
  }
  return join(words, ", ");
}

class ModuleSheets {
public:
  ModuleSheets(const Graph& graph, int depth) : graph_(graph), depth_(depth) {
    for (auto& node : analysis::cost(graph).nodes) costs_.emplace(node.name, std::move(node));
    for (const auto* parameter : analysis::learned_parameters(graph)) learned_.insert(parameter);
    const Module root = module_tree(graph);
    row(root, 0);
    for (const auto& child : root.children) add(child, 1);
  }

  /// In JSON the types are an object.
  SummaryForms forms() const { return {.text = text_.text(), .json = {{"rows", json_}}, .sheet = csv_}; }

private:
  void add(const Module& module, int level) {
    row(module, level);
    if (level < depth_)
      for (const auto& child : module.children) add(child, level + 1);
  }

  void row(const Module& module, int level) {
    const auto nodes = module.nodes();
    int64_t macs = 0, parameters = 0;
    std::set<const Parameter*> counted;  // a tied weight counts once in each module that reads it
    for (const Node* node : nodes) {
      macs += costs_.at(node->name).macs;
      for (const auto& input : node->inputs)
        if (const auto* found = analysis::parameter_behind(graph_, input); learned_.contains(found))
          if (counted.insert(found).second) parameters += found->value.numel();
    }
    const bool leaf = module.node && nodes.size() == 1;
    const auto counts = types_of(nodes);
    const std::string name = module.path.empty() ? graph_.name : module.path;
    const std::string output = module.node ? shape_text(costs_.at(module.node->name).output) : "";
    text_.row({std::string(static_cast<size_t>(2 * level), ' ') + (level == 0 ? graph_.name : module.name),
               leaf ? module.node->op : types_text(counts, kShownTypes), output, parameters, macs});
    const std::string type = leaf ? module.node->op : types_text(counts, std::numeric_limits<size_t>::max());
    const auto count = static_cast<int64_t>(nodes.size());
    csv_.row({name, int64_t{level}, type, output, count, parameters, macs});
    auto types = nlohmann::json::object();
    for (const auto& [kind, times] : counts) types[kind] = times;
    json_.push_back({{"Name", name},
                     {"Level", level},
                     {"Types", types},
                     {"Nodes", count},
                     {"Parameters", parameters},
                     {"MACs", macs}});
    json_.back()["Output"] = module.node ? nlohmann::json(output) : nlohmann::json();
  }

  const Graph& graph_;
  int depth_;
  std::map<std::string, analysis::NodeCost, std::less<>> costs_;
  std::set<const Parameter*> learned_;
  Sheet text_{{{"Module"}, {"Type"}, {"Output"}, {"Parameters"}, {"MACs"}}};
  Sheet csv_{{{"Name"},
              {"Level"},
              {"Type"},
              {.name = "Output", .compared = Compared::by_people},
              {"Nodes"},
              {.name = "Parameters", .compared = Compared::by_people},
              {.name = "MACs", .compared = Compared::by_people}}};
  nlohmann::json json_ = nlohmann::json::array();
};

SummaryForms make_modules(const SummaryRequest& request) {
  return ModuleSheets(request.graph, request.depth.value_or(std::numeric_limits<int>::max())).forms();
}

}  // namespace

extern const Summary modules_summary;
const Summary modules_summary{.name = "modules",
                              .doc = "the tree of modules with their types, parameters and multiply-accumulates",
                              .files = {".txt", ".csv", ".json"},
                              .has_depth = true,
                              .make = make_modules};

}  // namespace compress::report
