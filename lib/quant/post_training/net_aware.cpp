#include "quant/post_training/net_aware.h"

#include "ops/op.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

namespace compress::quant {
namespace {

constexpr double kUnbounded = std::numeric_limits<double>::infinity();

/// What the readers of a value are.
struct Readers {
  std::set<std::string> kinds;
  std::optional<Extremes> range;  ///< of all of them, when they agree
  bool others = false;            ///< somebody sees the whole range
};

class ReaderFinder {
public:
  explicit ReaderFinder(const Graph& graph) : graph_(graph) {}

  Readers of(const std::string& value) const {
    Readers readers;
    visit(value, readers);
    return readers;
  }

private:
  void visit(const std::string& value, Readers& readers) const {
    const auto consumers = graph_.consumers(value);
    readers.others = readers.others || graph_.is_output(value) || consumers.empty();
    for (const auto* node : consumers) {
      if (ops::op_of(*node).quantization == ops::Quantization::same_grid) {
        for (int k = 0; k < node->outputs; ++k)
          if (k == 0 || !graph_.consumers(node->output(k)).empty()) visit(node->output(k), readers);
      } else {
        note(*node, readers);
      }
    }
  }

  static void note(const Node& node, Readers& readers) {
    const auto range = seen_by(node);
    if (!range) {
      readers.others = true;
      return;
    }
    readers.kinds.insert(node.op);
    if (!readers.range) readers.range = range;
    if (readers.range->low != range->low || readers.range->high != range->high) {
      const bool saturating =
          readers.kinds.size() == 2 && readers.kinds.contains("Tanh") && readers.kinds.contains("Sigmoid");
      readers.range = saturating ? Extremes{-6, 6} : Extremes{-kUnbounded, kUnbounded};
    }
  }

  static std::optional<Extremes> seen_by(const Node& node) {
    if (node.op == "Relu") return Extremes{0, kUnbounded};
    if (node.op == "Clip")
      return Extremes{std::min(node.attributes.number("min", -kUnbounded), 0.0),
                      std::max(node.attributes.number("max", kUnbounded), 0.0)};
    if (node.op == "Tanh") return Extremes{-4, 4};
    if (node.op == "Sigmoid") return Extremes{-6, 6};
    return std::nullopt;
  }

  const Graph& graph_;
};

}  // namespace

std::map<std::string, Extremes> telling_ranges(const Graph& graph) {
  const ReaderFinder finder(graph);
  std::map<std::string, Extremes> ranges;
  const auto add = [&](const std::string& value) {
    const auto readers = finder.of(value);
    if (!readers.others && readers.range && (readers.range->low > -kUnbounded || readers.range->high < kUnbounded))
      ranges.emplace(value, *readers.range);
  };
  for (const auto& input : graph.inputs) add(input.name);
  for (const auto& node : graph.nodes())
    for (int k = 0; k < node.outputs; ++k) add(node.output(k));
  return ranges;
}

void make_net_aware(const Graph& graph, Statistics& statistics) {
  for (const auto& [value, range] : telling_ranges(graph))
    if (const auto found = statistics.find(value); found != statistics.end()) found->second.clip(range);
}

}  // namespace compress::quant
