#include "core/text.h"
#include "graph/graph.h"

#include <algorithm>

namespace compress {

namespace {

template <class List>
bool contains_name(const List& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void unshare(Parameter& parameter) {
  const bool requires_grad = parameter.value.requires_grad();
  parameter.value = parameter.value.detach().clone().set_requires_grad(requires_grad);
  parameter.sharing.own();
}

}  // namespace

void Changes::append(Changes other) {
  for (auto& [from, to] : other.renamed) {
    for (auto& slice : sliced)
      if (slice.parameter == from) slice.parameter = to;
    if (contains_name(added, from)) {
      std::ranges::replace(added, from, to);
      continue;
    }
    const auto earlier = std::ranges::find(renamed, from, &std::pair<std::string, std::string>::second);
    if (earlier != renamed.end())
      earlier->second = to;
    else
      renamed.emplace_back(from, to);
  }
  for (auto& name : other.removed) {
    std::erase_if(sliced, [&](const Slice& slice) { return slice.parameter == name; });
    if (std::erase(added, name) == 0) removed.push_back(std::move(name));
  }
  for (auto& slice : other.sliced)
    if (!contains_name(added, slice.parameter)) sliced.push_back(std::move(slice));
  for (auto& name : other.added) added.push_back(std::move(name));
  nodes_changed += other.nodes_changed;
}

const Parameter* Graph::find_parameter(std::string_view name) const {
  const auto found = parameter_index_.find(name);
  return found == parameter_index_.end() ? nullptr : found->second;
}

Parameter* Graph::find_parameter(std::string_view name) {
  return const_cast<Parameter*>(std::as_const(*this).find_parameter(name));
}

const Parameter& Graph::parameter(std::string_view name) const {
  if (const Parameter* found = find_parameter(name)) return *found;
  throw request_error("'{}' has no parameter '{}'", this->name, name).hint(did_you_mean(name, parameter_names()));
}

Parameter& Graph::parameter(std::string_view name) {
  return const_cast<Parameter&>(std::as_const(*this).parameter(name));
}

std::vector<std::string> Graph::parameter_names() const {
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters()) names.push_back(parameter.name);
  return names;
}

Parameter& Graph::add_parameter(Parameter parameter) {
  claim(parameter.name);
  auto& owned = parameters_.emplace_back(std::make_unique<Parameter>(std::move(parameter)));
  parameter_index_.emplace(owned->name, owned.get());
  touch();
  return *owned;
}

void Graph::erase_parameter(std::string_view name) {
  const Parameter& gone = parameter(name);
  if (const auto readers = consumers(name); !readers.empty())
    throw run_error("cannot remove parameter '{}': node '{}' reads it", name, readers.front()->name);
  parameter_index_.erase(parameter_index_.find(name));
  std::erase_if(parameters_, [&](const auto& parameter) { return parameter.get() == &gone; });
  touch();
}

void Graph::rename_parameter(std::string_view from, std::string to) {
  Parameter& renamed = parameter(from);
  if (renamed.name == to) return;
  claim(to);
  const std::string old = renamed.name;
  parameter_index_.erase(old);
  renamed.name = std::move(to);
  parameter_index_.emplace(renamed.name, &renamed);
  replace_uses(old, renamed.name);
}

std::vector<std::string> Graph::erase_unused_parameters() {
  Index<bool> read;
  for (const Node& node : nodes())
    for (const auto& input : node.inputs) read[input] = true;
  for (const auto& output : outputs) read[output.value] = true;
  std::vector<std::string> gone;
  for (const auto& name : parameter_names())
    if (!read.contains(name)) gone.push_back(name);
  for (const auto& name : gone) erase_parameter(name);
  return gone;
}

at::Tensor& Graph::writable(std::string_view name) {
  Parameter& found = parameter(name);
  if (found.sharing.shared()) {
    unshare(found);
    touch();
  }
  return found.value;
}

void Graph::assign(std::string_view name, at::Tensor value) {
  Parameter& found = parameter(name);
  found.value = std::move(value);
  found.sharing.own();
  touch();
}

void Graph::own_storage() {
  for (const Parameter& parameter : parameters()) writable(parameter.name);
}

}  // namespace compress
