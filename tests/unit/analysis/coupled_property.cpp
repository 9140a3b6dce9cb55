// The law of coupled channels on random networks: whatever no reader weighs can be cut out, in every group that nothing
// blocks.
#include "analysis/coupled_channels.h"
#include "core/random.h"
#include "ops/op.h"
#include "passes/remove_channels.h"
#include "support/random_graph.h"
#include "support/same_output.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>

#include <catch2/catch.hpp>

using namespace compress;
using analysis::ChannelGroup;
using analysis::CoupledChannels;

namespace {

constexpr double kTolerance = 1e-5;  // relative to max(1, max|y|): float32 sums in another order

/// Zeroes what makes and what reads a channel: then its content, whatever an activation made of it, matters to nobody.
void erase_channel(Graph& graph, const ChannelGroup& group, size_t channel) {
  for (size_t m = 0; m < group.members.size(); ++m) {
    const auto& [name, axis] = group.members[m];
    if (!graph.parameter(name).trainable) continue;
    for (const int64_t index : group.channels[channel].indices[m]) graph.writable(name).select(axis, index).zero_();
  }
}

/// Cuts out the channels for which `chosen` says so; they are erased in `graph` too, which stays whole. Null when there
/// are none.
template <class Choice>
std::optional<Graph> cut(Graph& graph, const CoupledChannels& channels, Choice chosen) {
  std::vector<bool> removed(channels.pool().size());
  bool any = false;
  for (size_t g = 0; g < channels.groups().size(); ++g) {
    const auto& group = channels.groups()[g];
    for (size_t c = 1; c < group.channels.size(); ++c) {  // the first stays: no layer may be empty
      if (!group.blocked.empty() || !chosen(g, c)) continue;
      removed[static_cast<size_t>(group.channels[c].root)] = any = true;
      erase_channel(graph, group, c);
    }
  }
  if (!any) return std::nullopt;
  for (size_t atom = 0; atom < removed.size(); ++atom)
    removed[atom] = removed[static_cast<size_t>(channels.pool().find(static_cast<ops::Atom>(atom)))];
  Graph smaller = graph.clone();
  passes::remove_channels(smaller, channels, removed);
  ops::verify(smaller);
  return smaller;
}

void require_same(const Graph& a, const Graph& b, uint64_t seed) {
  const at::Tensor x = test::random_input(a, 2, seed);
  REQUIRE(test::relative_difference(test::output_of(a, x), test::output_of(b, x)) <= kTolerance);
}

}  // namespace

TEST_CASE("coupled channels: on 100 random networks any free channels can be cut out together") {
  at::set_num_threads(1);
  int checked = 0;
  for (uint64_t seed = 5001; seed <= 5100; ++seed) {
    INFO("seed " << seed);
    Graph graph = test::random_graph(seed);
    Random random(seed, "coupled_property");
    const CoupledChannels channels(graph);
    const auto smaller = cut(graph, channels, [&](size_t, size_t) { return random.chance(0.4); });
    if (!smaller) continue;
    ++checked;
    require_same(graph, *smaller, seed);
  }
  REQUIRE(checked >= 95);
}

TEST_CASE("coupled channels: on random networks each free channel can be cut out alone") {
  at::set_num_threads(1);
  for (uint64_t seed = 6001; seed <= 6008; ++seed) {
    const Graph graph = test::random_graph(seed);
    const CoupledChannels channels(graph);
    for (size_t g = 0; g < channels.groups().size(); ++g)
      for (size_t c = 1; c < channels.groups()[g].channels.size(); ++c) {
        if (!channels.groups()[g].blocked.empty()) continue;
        INFO("seed " << seed << ", group " << g << ", channel " << c);
        Graph erased = graph.clone();
        const auto smaller =
            cut(erased, channels, [&](size_t group, size_t channel) { return group == g && channel == c; });
        require_same(erased, *smaller, seed);
      }
  }
}
