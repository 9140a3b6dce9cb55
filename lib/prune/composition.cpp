#include "prune/composition.h"

#include "core/log.h"
#include "core/random.h"
#include "graph/select.h"
#include "prune/cut.h"
#include "prune/memory_parts.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

namespace compress::prune {

namespace {

void say_left_out(const std::vector<std::string>& names, const Error& why) {
  log::info("[prune] {} parameter{} matched by a pattern left out ('{}'{}): {}", names.size(),
            names.size() == 1 ? "" : "s", names.front(), names.size() == 1 ? "" : ", ...", why.message());
}

}  // namespace

// ---- binding
// -----------------------------------------------------------------------------------------------------------------------

/// What the granularity or the criterion cannot judge.
void Composition::leave_out_unfit(const Graph& graph, Selection& selection, Problems& problems) const {
  std::vector<std::string> fit, left_out;
  std::optional<Error> first;
  for (const auto& name : selection.names) {
    Problems own;
    own.capture([&] { parts_.granularity->check(name, graph.parameter(name).value.sizes()); });
    if (own.empty()) parts_.criterion->bind(graph, {name}, *parts_.granularity, own);
    const bool exact = std::ranges::find(selection.exact, name) != selection.exact.end();
    if (own.empty())
      fit.push_back(name);
    else if (exact)
      for (const auto& error : own.errors()) problems.add(error);
    else {
      if (!first) first = own.errors().front();
      left_out.push_back(name);
    }
  }
  if (fit.empty() && first && problems.empty()) problems.add(*first);
  if (!fit.empty() && first) say_left_out(left_out, *first);
  selection.names = std::move(fit);
}

void Composition::bind(const Graph& graph, Selection selection, Problems& problems) {
  leave_out_unfit(graph, selection, problems);
  if (!problems.empty() || selection.names.empty()) return;
  weights_ = std::move(selection.names);
  parts_.dependency->bind(graph, weights_, selection.exact, *parts_.granularity, problems);
  if (!problems.empty()) return;
  parts_.criterion->bind(graph, weights_, *parts_.granularity, problems);
  if (parts_.amount) parts_.amount->bind(graph, weights_, problems);
  parameters_ = parts_.dependency->masked(graph);
}

// ---- masks
// -------------------------------------------------------------------------------------------------------------------------

void Composition::add_noise(std::vector<Unit>& units, const Moment& moment) const {
  if (parts_.noise == 0) return;
  for (auto& unit : units) {
    Random random(moment.seed, "pruner noise " + unit.name,
                  {static_cast<uint64_t>(moment.epoch), static_cast<uint64_t>(moment.step)});
    if (!random.chance(parts_.noise)) continue;
    std::vector<float> factors(static_cast<size_t>(unit.strengths.numel()));
    for (auto& factor : factors) factor = static_cast<float>(random.normal());
    unit.strengths = unit.strengths.mul(at::tensor(factors).to(unit.strengths.device(), unit.strengths.scalar_type()));
  }
}

/// A unit of one structure (a whole layer) may go; of several at least one stays.
void Composition::limit(const std::vector<Unit>& units, std::vector<at::Tensor>& maps) const {
  if (!parts_.limits) return;
  for (size_t i = 0; i < units.size(); ++i)
    if (units[i].strengths.numel() > 1) maps[i] = parts_.limits->apply(maps[i], units[i].strengths);
}

void Composition::set_masks(Graph& graph, const Moment& moment) {
  if (weights_.empty()) return;
  const at::NoGradGuard no_grad;
  auto units = parts_.dependency->units(graph, *parts_.criterion, moment);
  add_noise(units, moment);
  std::vector<at::Tensor> maps;
  if (const auto quota = parts_.granularity->quota()) {
    for (const auto& unit : units) maps.push_back(cut_quota(unit.strengths, quota->keep, quota->of));
  } else {
    const Measure measure = [&](const std::vector<at::Tensor>& tried) {
      auto limited = tried;
      limit(units, limited);
      return parts_.dependency->measure(graph, limited);
    };
    maps = parts_.amount->keep({graph, units, moment, measure});
    limit(units, maps);
  }
  for (const auto& [name, mask] : parts_.dependency->masks(graph, maps)) set_mask(graph, name, mask);
}

// ---- following the graph, checkpoints
// ----------------------------------------------------------------------------------------------

void Composition::apply(const Changes& changes) {
  follow(weights_, changes);
  follow(parameters_, changes);
  parts_.criterion->apply(changes);
  parts_.dependency->apply(changes);
  if (parts_.amount) parts_.amount->apply(changes);
}

train::Memory Composition::save() const {
  train::Memory memory{.values = {{"weights", weights_}, {"parameters", parameters_}}, .tensors = {}};
  keep_part(memory, "criterion", parts_.criterion->save());
  keep_part(memory, "dependency", parts_.dependency->save());
  if (parts_.amount) keep_part(memory, "amount", parts_.amount->save());
  return memory;
}

void Composition::load(const train::Memory& memory) {
  memory.values.at("weights").get_to(weights_);
  memory.values.at("parameters").get_to(parameters_);
  parts_.criterion->load(part_of(memory, "criterion"));
  parts_.dependency->load(part_of(memory, "dependency"));
  if (parts_.amount) parts_.amount->load(part_of(memory, "amount"));
}

// ---- a pruner of one composition
// ---------------------------------------------------------------------------------------------------

void ComposedPruner::check(const Moment& moment) const {
  const auto parts = assemble();
  if (parts.amount) parts.amount->check(moment);
}

void ComposedPruner::bind(const Graph& graph, Problems& problems) {
  composition_ = Composition(assemble());
  auto selection = select(graph, problems);
  if (problems.empty()) composition_.bind(graph, std::move(selection), problems);
}

}  // namespace compress::prune
