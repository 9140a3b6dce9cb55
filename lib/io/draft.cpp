#include "io/draft.h"

#include "core/error.h"
#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <queue>
#include <unordered_map>

namespace compress::io {

std::string DraftNode::str() const {
  const auto shown = !name.empty() ? name : outputs.empty() ? std::string("?") : outputs.front();
  return fmt::format("node '{}' ({})", shown, op);
}

std::vector<std::string> DraftNode::reads() const {
  auto values = inputs;
  for (const auto& [attribute, body] : bodies) values.insert(values.end(), body->outer.begin(), body->outer.end());
  return values;
}

int Draft::readers(std::string_view value) const {
  int count = static_cast<int>(std::ranges::count(output_values.empty() ? outputs : output_values, value));
  for (const auto& node : nodes) count += static_cast<int>(std::ranges::count(node.inputs, value));
  return count;
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

double shortest(float value) {
  const auto text = fmt::format("{}", value);
  double number = value;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void sort_nodes(std::vector<DraftNode>& nodes) {
  const auto count = nodes.size();
  std::unordered_map<std::string_view, size_t> producer;
  for (size_t i = 0; i < count; ++i)
    for (const auto& output : nodes[i].outputs)
      if (!output.empty()) producer[output] = i;
  std::vector<std::vector<size_t>> followers(count);
  std::vector<int> waiting(count, 0);
  for (size_t i = 0; i < count; ++i)
    for (const auto& input : nodes[i].reads())
      if (const auto found = producer.find(input); found != producer.end()) {
        followers[found->second].push_back(i);
        ++waiting[i];
      }
  // The file's order is kept wherever it is possible: of the nodes that can run, the first in the file is next.
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < count; ++i)
    if (waiting[i] == 0) ready.push(i);
  std::vector<DraftNode> sorted;
  std::vector<bool> done(count, false);
  std::vector<size_t> order;
  while (!ready.empty()) {
    const auto next = ready.top();
    ready.pop();
    done[next] = true;
    order.push_back(next);
    for (const auto follower : followers[next])
      if (--waiting[follower] == 0) ready.push(follower);
  }
  if (order.size() < count) {
    const auto stuck = static_cast<size_t>(std::ranges::find(done, false) - done.begin());
    throw request_error("the graph has a cycle through {}", nodes[stuck].str())
        .hint("export the model again: ONNX graphs have no cycles");
  }
  for (const auto i : order) sorted.push_back(std::move(nodes[i]));
  nodes = std::move(sorted);
}

}  // namespace compress::io
