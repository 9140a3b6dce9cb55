#include "analysis/channel_role.h"
#include "core/error.h"
#include "core/text.h"
#include "graph/select.h"
#include "regularize/coupled_terms.h"
#include "regularize/regularizer.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <set>

namespace compress::regularize {

namespace {

using analysis::ChannelGroup;
using analysis::CoupledChannels;

/// lambda * sum over channels of the L2 norm of everything that goes when the channel goes: the filters that make it,
/// its biases and batch-norm, the inputs that read it, all over the layers that a shortcut or concatenation couples.
/// Wen et al. 2016, Learning Structured Sparsity in Deep Neural Networks; over coupled groups as in Fang et al. 2023.
class StructuredSparsityRegularizer final : public Regularizer {
public:
  void declare(Settings& settings) override {
    settings.required("strength", strength_, "lambda", at_least(0));
    settings.optional("weights", words_, "names or patterns of weights whose output channels are meant; default: all");
    settings.optional("sqrt_size", sqrt_size_, "multiply each norm by the root of the number of weights in it");
  }

  void bind(const Graph& graph, Problems& problems) override {
    names_ = select_parameters(graph, words_, problems);
    if (!problems.empty()) return;
    const CoupledChannels channels(graph);
    for (const auto& word : words_) refuse_blocked(graph, channels, word, problems);
    refresh(graph, channels);
    if (problems.empty() && terms_.empty())
      problems.add(request_error("'weights' means no channels that could be removed"));
  }

  at::Tensor loss(const Graph& graph) const override {
    if (version_ != graph.version()) refresh(graph, CoupledChannels(graph));
    at::Tensor sum;
    for (const auto& term : terms_) {
      const auto norms = term.norms(graph);
      sum = plus_term(sum, sqrt_size_ ? norms.mul(term.sizes().sqrt()).sum() : norms.sum(), strength_);
    }
    return sum;
  }

  const std::vector<std::string>& parameters() const override { return names_; }
  void apply(const Changes& changes) override { follow(names_, changes); }
  train::Memory save() const override { return {.values = {{"parameters", names_}}, .tensors = {}}; }
  void load(const train::Memory& memory) override {
    memory.values.at("parameters").get_to(names_);
    version_.reset();
  }

private:
  /// True when one of these parameters makes the group's channels.
  static bool made_by(const Graph& graph, const ChannelGroup& group, const std::set<std::string>& names) {
    return std::ranges::any_of(group.members, [&](const analysis::ParameterAxis& member) {
      return names.contains(member.parameter) &&
             analysis::makes_channels(graph, graph.parameter(member.parameter), member.axis);
    });
  }

  /// What a pattern finds may be blocked, what is written out may not.
  static void
  refuse_blocked(const Graph& graph, const CoupledChannels& channels, const std::string& word, Problems& problems) {
    if (is_glob(word)) return;
    const auto named = select_parameters(graph, word);
    const std::set<std::string> names(named.begin(), named.end());
    for (const auto& group : channels.groups())
      if (!group.blocked.empty() && made_by(graph, group, names))
        problems.add(request_error("the channels of '{}' cannot be removed: {}", word, group.blocked));
  }

  void refresh(const Graph& graph, const CoupledChannels& channels) const {
    const std::set<std::string> names(names_.begin(), names_.end());
    terms_.clear();
    for (const auto& group : channels.groups())
      if (group.blocked.empty() && made_by(graph, group, names)) terms_.emplace_back(graph, group);
    version_ = graph.version();
  }

  double strength_ = 0;
  std::vector<std::string> words_{"*"};
  bool sqrt_size_ = false;
  std::vector<std::string> names_;
  // What follows from the graph, made anew when it has changed.
  mutable std::vector<CoupledTerm> terms_;
  mutable std::optional<uint64_t> version_;
};

}  // namespace

extern const Entry<Regularizer> structured_sparsity_regularizer;
const Entry<Regularizer> structured_sparsity_regularizer{
    "StructuredSparsityRegularizer",
    "adds lambda times the L2 norms of whole channels to the loss, over all layers that the graph couples",
    make_component<Regularizer, StructuredSparsityRegularizer>};

}  // namespace compress::regularize
