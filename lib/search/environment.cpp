#include "search/environment.h"

#include "passes/remove_channels.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numeric>

namespace compress::search {

std::array<double, Observation::kValues> Observation::values() const {
  const auto number = [](int64_t value) { return static_cast<double>(value); };
  return {number(index),   static_cast<double>(kind),
          number(outputs), number(inputs),
          number(height),  number(width),
          number(stride),  number(kernel),
          number(macs),    number(weights),
          reduced,         rest,
          previous};
}

Environment::Environment(const Graph& start, UnitOptions options, Resource resource, Importance importance)
    : options_(std::move(options)), resource_(resource), importance_(std::move(importance)), start_(start.clone()),
      graph_(start.clone()), start_size_(size_of(start)), size_(start_size_) {
  follow();
}

void Environment::follow() {
  channels_ = std::make_unique<analysis::CoupledChannels>(graph_);
  units_ = find_units(graph_, *channels_, options_);
}

double Environment::left(const Size& size) const {
  const auto before = start_size_.of(resource_);
  return before == 0 ? 1.0 : static_cast<double>(size.of(resource_)) / static_cast<double>(before);
}

/// The channels to remove, weakest first; one stays of each set that must not become empty.
std::vector<int> Environment::weakest(const Unit& unit, int64_t count) const {
  const auto& group = channels_->groups()[static_cast<size_t>(unit.group)];
  std::vector<double> strengths(group.channels.size());
  for (const auto& maker : unit.makers) {
    const auto values = importance_(graph_, maker).to(at::kCPU, at::kDouble).contiguous();
    const auto member = static_cast<size_t>(group.member(maker.parameter, maker.axis));
    for (size_t c = 0; c < strengths.size(); ++c) {
      const auto& indices = group.channels[c].indices[member];
      for (const auto index : indices)
        strengths[c] += values.const_data_ptr<double>()[index] / static_cast<double>(indices.size());
    }
  }
  std::vector<int> order(strengths.size()), chosen;
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](int channel) { return strengths[static_cast<size_t>(channel)]; });
  auto sets = unit.together;
  for (const int channel : order) {
    if (std::ssize(chosen) == count) break;
    const auto is_last = [channel](const auto& set) { return set.size() == 1 && set.front() == channel; };
    if (std::ranges::any_of(sets, is_last)) continue;
    for (auto& set : sets) std::erase(set, channel);
    chosen.push_back(channel);
  }
  return chosen;
}

Environment::Step Environment::step(size_t unit, int64_t channels) const {
  std::vector<int64_t> counts(units_.size());
  counts.at(unit) = channels;
  return step(counts);
}

Environment::Step Environment::step(const std::vector<int64_t>& channels) const {
  const at::NoGradGuard no_grad;
  const auto& pool = channels_->pool();
  std::vector<bool> roots(pool.size()), removed(pool.size());
  for (size_t u = 0; u < units_.size(); ++u) {
    const auto& unit = units_[u];
    if (channels.at(u) > unit.most)
      throw request_error("of the {} channels of '{}' at most {} may be removed, not {}", unit.channels, unit.name,
                          unit.most, channels[u]);
    if (channels[u] == 0) continue;
    for (const int channel : weakest(unit, channels[u])) {
      const auto& group = channels_->groups()[static_cast<size_t>(unit.group)];
      roots[static_cast<size_t>(group.channels[static_cast<size_t>(channel)].root)] = true;
    }
  }
  for (size_t atom = 0; atom < removed.size(); ++atom)
    removed[atom] = roots[static_cast<size_t>(pool.find(static_cast<ops::Atom>(atom)))];
  Step step{.graph = graph_.clone()};
  step.changes = passes::remove_channels(step.graph, *channels_, removed);
  step.size = size_of(step.graph);
  return step;
}

void Environment::take(Step step) {
  graph_ = std::move(step.graph);
  changes_.append(std::move(step.changes));
  size_ = step.size;
  follow();
}

void Environment::reset() {
  graph_ = start_.clone();
  size_ = start_size_;
  changes_ = {};
  follow();
}

/// The first of the allowed removals that `reaches` its end; -1 when none does. What it asks for never gets worse with
/// more channels.
template <class Reaches>
int64_t Environment::first_allowed(const Unit& unit, Reaches&& reaches) const {
  if (!reaches(unit.most)) return -1;
  int64_t below = 0, found = unit.most;
  while (below + 1 < found) {
    const int64_t middle = std::midpoint(below, found);
    (reaches(middle) ? found : below) = middle;
  }
  return unit.allowed(found);
}

int64_t Environment::channels_for(size_t unit, int64_t goal) const {
  return first_allowed(units_.at(unit), [&](int64_t count) { return step(unit, count).size.of(resource_) <= goal; });
}

int64_t Environment::least(size_t unit, int64_t goal, double share) const {
  std::vector<int64_t> counts(units_.size());
  for (size_t u = unit + 1; u < counts.size(); ++u) {
    const auto wanted = static_cast<int64_t>(share * static_cast<double>(units_[u].channels));
    counts[u] = std::min(units_[u].most, wanted);
  }
  const auto reaches = [&](int64_t count) {
    counts.at(unit) = count;
    return step(counts).size.of(resource_) <= goal;
  };
  if (reaches(0)) return 0;
  const auto found = first_allowed(units_[unit], reaches);
  return found < 0 ? units_[unit].most : found;
}

int64_t Environment::smallest() const {
  std::vector<int64_t> counts;
  for (const auto& unit : units_) counts.push_back(unit.most);
  return step(counts).size.of(resource_);
}

Observation Environment::observe(size_t unit, double previous_action) const {
  const auto& seen = units_.at(unit);
  Observation observation{.index = static_cast<int64_t>(unit),
                          .kind = seen.layer.kind,
                          .outputs = seen.layer.outputs,
                          .inputs = seen.layer.inputs,
                          .height = seen.layer.height,
                          .width = seen.layer.width,
                          .stride = seen.layer.stride,
                          .kernel = seen.layer.kernel,
                          .macs = seen.macs,
                          .weights = seen.weights,
                          .reduced = static_cast<double>(start_size_.macs - size_.macs),
                          .previous = previous_action};
  for (size_t behind = unit + 1; behind < units_.size(); ++behind)
    observation.rest += static_cast<double>(units_[behind].macs);
  return observation;
}

}  // namespace compress::search
