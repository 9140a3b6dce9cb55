#include "prune/ranked_structure.h"

#include "core/random.h"
#include "graph/select.h"

#include <ATen/ops/tensor.h>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace compress::prune {

void RankedStructure::declare(Settings& settings) {
  settings.choice(
      "group_type", group_,
      {{"Filters", Group::filters}, {"3D", Group::filters}, {"Channels", Group::channels}, {"Rows", Group::rows}},
      "what is removed together: outputs (Filters), inputs (Channels; of linear layers Rows)", true);
  settings.required("weights", words_, "parameters to prune, by name or pattern");
  settings.choice("group_dependency", dependency_, {{"None", Dependency::none}, {"Leader", Dependency::leader}},
                  "Leader: the first parameter decides which structures go in all");
  settings.optional("kwargs", kwargs_, "Distiller's block shapes: only null, since Blocks is no group type here");
  settings.optional("noise", noise_, "probability of ranking by randomly scaled magnitudes", in(0, 1));
  settings.optional("group_size", group_size_, "the number of removed structures is a multiple of this", at_least(1));
  settings.choice("rounding_fn", rounding_,
                  {{"floor", Rounding::floor}, {"ceil", Rounding::ceil}, {"round", Rounding::round}},
                  "how a share becomes a number of structures");
}

void RankedStructure::bind(const Graph& graph, Problems& problems) {
  if (!kwargs_.is_null()) problems.add(request_error("'kwargs' describes blocks, which are no group type here"));
  require_words(words_, problems);
  names_ = select_parameters(graph, words_, problems);
  for (const auto& name : names_)
    problems.capture([&] { require_structures(name, graph.parameter(name).value.sizes(), group_); });
  if (dependency_ == Dependency::leader && problems.empty()) problems.capture([&] { check_leader(graph); });
}

void RankedStructure::check_leader(const Graph& graph) const {
  const auto axis = axis_of(group_);
  for (const auto& name : names_) {
    const auto have = graph.parameter(name).value.size(axis), lead = graph.parameter(names_.front()).value.size(axis);
    if (have != lead)
      throw request_error("'{}' cannot follow its leader '{}': it has {} structures, the leader {}", name,
                          names_.front(), have, lead);
  }
}

at::Tensor RankedStructure::ranked_map(const at::Tensor& weight,
                                       const std::string& name,
                                       double share,
                                       const Moment& moment) const {
  auto strengths = mean_l1(weight, group_);
  Random random(moment.seed, "pruner noise " + name,
                {static_cast<uint64_t>(moment.epoch), static_cast<uint64_t>(moment.step)});
  if (noise_ > 0 && random.chance(noise_)) {
    std::vector<float> factors(static_cast<size_t>(strengths.numel()));
    for (auto& factor : factors) factor = static_cast<float>(random.normal());
    strengths = strengths.mul(at::tensor(factors).to(strengths.device(), strengths.scalar_type()));
  }
  return rank_and_cut(strengths, structures_to_remove(strengths.numel(), share, group_size_, rounding_));
}

at::Tensor RankedStructure::leader_map(const Graph& graph, double share, const Moment& moment) {
  const auto& leader = names_.front();
  const auto& weight = graph.parameter(leader).value;
  const bool fits = leader_ && leader_->share == share && std::ssize(leader_->map) == weight.size(axis_of(group_));
  if (!fits) {
    const auto map = ranked_map(weight, leader, share, moment).to(at::kCPU, at::kFloat).contiguous();
    leader_ = LeaderMap{share, {map.const_data_ptr<float>(), map.const_data_ptr<float>() + map.numel()}};
  }
  return at::tensor(leader_->map).to(weight.device());
}

void RankedStructure::set_masks(Graph& graph, double share, const Moment& moment) {
  if (names_.empty()) return;
  const auto shared = dependency_ == Dependency::leader ? leader_map(graph, share, moment) : at::Tensor();
  for (const auto& name : names_) {
    const auto& weight = graph.parameter(name).value;
    const auto map = shared.defined() ? shared : ranked_map(weight, name, share, moment);
    set_mask(graph, name, expand_map(map, weight.sizes(), group_));
  }
}

void RankedStructure::apply(const Changes& changes) {
  follow(names_, changes);
  // A sliced leader has other structures at the same indices: it is ranked anew.
  const auto follows = [&](const Changes::Slice& slice) {
    return std::ranges::find(names_, slice.parameter) != names_.end();
  };
  if (std::ranges::any_of(changes.sliced, follows)) leader_.reset();
}

nlohmann::json RankedStructure::save() const {
  nlohmann::json state = {{"parameters", names_}};
  if (leader_) state["leader"] = {{"share", leader_->share}, {"map", leader_->map}};
  return state;
}

void RankedStructure::load(const nlohmann::json& state) {
  state.at("parameters").get_to(names_);
  leader_.reset();
  if (state.contains("leader"))
    leader_ = LeaderMap{state["leader"].at("share").get<double>(), state["leader"].at("map").get<std::vector<float>>()};
}

}  // namespace compress::prune
