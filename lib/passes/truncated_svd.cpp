// A layer whose weight is nearly of low rank becomes two thinner layers behind each other.
#include "analysis/weight.h"
#include "core/log.h"
#include "core/text.h"
#include "passes/low_rank.h"
#include "passes/pass.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_svd.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace compress::passes {

namespace {

/// A way to factorise a layer, with the rank that it takes.
struct Truncation {
  std::unique_ptr<Factorization> way;
  at::Tensor left, values, right;  ///< the singular value decomposition, in double precision
  int64_t rank = 0, full_rank = 0;
  double energy = 0;  ///< kept share of the sum of squared singular values
};

class TruncatedSvd final : public Pass {
public:
  void declare(Settings& settings) override {
    settings.optional("layers", layers_, "names or patterns of linear and convolutional nodes");
    settings.optional("energy", energy_,
                      "rank: the lowest that keeps this share of the sum of squared singular values; absent, as ratio "
                      "and rank: 0.95",
                      Range{.low = 0, .high = 1, .open_low = true});
    settings.optional("ratio", ratio_, "rank: this share of the full rank",
                      Range{.low = 0, .high = 1, .open_low = true});
    settings.optional("rank", rank_, "the rank itself, up to the full one", at_least(1));
    settings.choice(
        "convolution", scheme_,
        {{"auto", ConvScheme::automatic}, {"channel", ConvScheme::channel}, {"spatial", ConvScheme::spatial}},
        "k x k becomes k x k and 1 x 1 (channel), or k x 1 and 1 x k (spatial); auto: what costs less");
  }

  void bind(const Graph& graph, const OpenModel&, Problems& problems) override {
    problems.capture([&] { check(); });
    for (const auto& word : layers_) problems.capture([&] { require_match(graph, word); });
  }

  Changes run(Graph& graph) override {
    check();
    const at::NoGradGuard no_grad;
    Changes changes;
    std::vector<std::string> skipped;
    const auto infos = ops::infer(graph, 1);
    for (const auto& name : chosen(graph)) {
      Node& node = graph.node(name);
      Problems why;
      if (!why.capture([&] { factorize(graph, node, infos, changes); }))
        skipped.push_back(fmt::format("{} ({})", name, why.errors().front().message()));
    }
    if (!skipped.empty()) log::info("[truncated_svd] skipped: {}", fmt::join(skipped, "; "));
    if (changes.empty()) log::warning("[truncated_svd] no layer was factorised");
    return changes;
  }

private:
  void check() const {
    if (energy_.has_value() + ratio_.has_value() + rank_.has_value() > 1)
      throw request_error("'{}' and '{}' both decide the rank: give one of energy, ratio and rank",
                          energy_ ? "energy" : "ratio", rank_ ? "rank" : "ratio");
  }

  static bool is_candidate(const Graph& graph, const Node& node) {
    return (node.op == "Conv" || node.op == "Gemm" || node.op == "MatMul") && analysis::weight_of(graph, node);
  }

  static std::vector<std::string> candidates(const Graph& graph) {
    std::vector<std::string> names;
    for (const Node& node : graph.nodes())
      if (is_candidate(graph, node)) names.push_back(node.name);
    return names;
  }

  static void require_match(const Graph& graph, const std::string& word) {
    const auto names = candidates(graph);
    if (std::ranges::none_of(names, [&](const auto& name) { return glob_match(word, name); }))
      throw request_error("'{}' matches no linear or convolutional node of '{}'", word, graph.name)
          .hint(did_you_mean(word, names));
  }

  std::vector<std::string> chosen(const Graph& graph) const {
    auto names = candidates(graph);
    if (layers_.empty()) return names;
    for (const auto& word : layers_) require_match(graph, word);
    std::erase_if(names, [&](const auto& name) {
      return std::ranges::none_of(layers_, [&](const auto& word) { return glob_match(word, name); });
    });
    return names;
  }

  Truncation truncate(std::unique_ptr<Factorization> way, const at::Tensor& weight) const {
    Truncation plan{.way = std::move(way)};
    std::tie(plan.left, plan.values, plan.right) = at::linalg_svd(plan.way->matrix(weight).to(at::kDouble), false);
    const auto energies = plan.values.square().cumsum(0);
    const double all = energies[-1].item<double>();
    if (!(all > 0)) throw request_error("its weight is zero");
    plan.full_rank = plan.values.size(0);
    const double wanted = energy_.value_or(0.95) * all;
    if (rank_)
      plan.rank = std::min(*rank_, plan.full_rank);
    else if (ratio_)
      plan.rank = std::max<int64_t>(1, std::llround(*ratio_ * static_cast<double>(plan.full_rank)));
    else
      plan.rank = std::min(energies.lt(wanted * (1 - 1e-12)).count_nonzero().item<int64_t>() + 1, plan.full_rank);
    plan.energy = energies[plan.rank - 1].item<double>() / all;
    return plan;
  }

  void factorize(Graph& graph, Node& node, const ops::Infos& infos, Changes& changes) const {
    auto ways = factorizations(graph, node, infos, scheme_);
    const Parameter& parameter = graph.parameter(node.inputs[1]);
    const auto& mask = parameter.mask;
    const auto weight = mask.defined() ? parameter.value.detach().mul(mask) : parameter.value.detach();
    std::optional<Truncation> best;
    for (auto& way : ways) {
      auto other = truncate(std::move(way), weight);
      if (!best || other.way->macs(other.rank) < best->way->macs(best->rank)) best = std::move(other);
    }
    const auto before = ops::op_of(node).macs(node, ops::input_infos(node, infos), ops::output_infos(node, infos));
    const auto after = best->way->macs(best->rank);
    if (after >= before)
      throw request_error("rank {} of {} would cost {} MACs instead of {}", best->rank, best->full_rank,
                          with_commas(after), with_commas(before));
    replace(graph, node, *best, changes);
    log::info("[truncated_svd] {}: rank {} of {}, {:.2f} % of the energy, {} -> {} MACs{}", node.name, best->rank,
              best->full_rank, 100 * best->energy, with_commas(before), with_commas(after),
              mask.defined() ? "; its mask is dropped, the factors are dense" : "");
  }

  /// The layer keeps its name, its bias and its output; the inserted one stands before it.
  static void replace(Graph& graph, Node& node, const Truncation& plan, Changes& changes) {
    const std::string name = node.inputs[1];
    const auto like = graph.parameter(name).value.options().requires_grad(false);
    const auto roots = plan.values.narrow(0, 0, plan.rank).sqrt();
    const auto left = plan.left.narrow(1, 0, plan.rank).mul(roots);
    const auto right = plan.right.narrow(0, 0, plan.rank).mul(roots.unsqueeze(1));
    Node first = plan.way->split(node);
    first.name = graph.unique_name(node.name + ".low_rank");
    const auto& weight = graph.add_parameter({.name = graph.unique_name(first.name + ".weight"),
                                              .value = plan.way->first_weight(right).to(like).contiguous()});
    first.inputs = {node.inputs[0], weight.name};
    node.inputs[0] = graph.insert_before(node, std::move(first)).name;
    const bool trainable = graph.parameter(name).trainable;
    graph.parameter(weight.name).trainable = trainable;
    graph.parameter(name).mask = at::Tensor();
    graph.assign(name, plan.way->second_weight(left).to(like).contiguous());
    graph.touch();
    changes.removed.push_back(name);
    changes.added.insert(changes.added.end(), {weight.name, name});
    changes.nodes_changed += 2;
  }

  std::vector<std::string> layers_;
  std::optional<double> energy_, ratio_;
  std::optional<int64_t> rank_;
  ConvScheme scheme_ = ConvScheme::automatic;
};

}  // namespace

extern const Entry<Pass> truncated_svd{"truncated_svd",
                                       "splits layers whose weight is nearly of low rank into two thinner ones",
                                       make_component<Pass, TruncatedSvd>};

}  // namespace compress::passes
