#include "passes/dead_channels.h"

#include "passes/contraction.h"
#include "passes/known_values.h"
#include "passes/linear_layer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

namespace compress::passes {

namespace {

using analysis::CoupledChannels;
using ops::Atom;

/// Two shares are the same when they differ by rounding only.
constexpr double kRounding = 1e-6;

enum class Content { zero, constant, unknown };

/// How a linear layer reads its input channels.
class Reader {
public:
  Reader(const Graph& graph, const Node& node, const CoupledChannels& channels, const KnownValues& known)
      : node_(node), x_(known.at(node.inputs[0])), weight_(known.at(node.inputs[1])) {
    const auto &in = channels.map(node.inputs[0]), &out = channels.map(node.output());
    axis_ = channel_axis(node, in.size());
    for (const Atom atom : in[axis_]) in_.push_back(channels.pool().find(atom));
    for (const Atom atom : out[channel_axis(node, out.size())]) out_.push_back(channels.pool().find(atom));
    for (size_t c = 0; c < in_.size(); ++c) channels_of_[in_[c]].push_back(static_cast<int64_t>(c));
    if (!in_.empty() && weight_.defined()) {
      reads_ = reads(node, static_cast<int64_t>(in_.size()), weight_);
      look_at_contents();
    }
    refusal_ = why_no_constants(graph);
  }

  explicit Reader(const Contraction& sum)
      : node_(*sum.node), reads_(sum.reads), in_(sum.inputs), out_(sum.outputs),
        refusal_("they are constant, but it has no bias") {
    for (size_t c = 0; c < in_.size(); ++c) {
      channels_of_[in_[c]].push_back(static_cast<int64_t>(c));
      content_.push_back(sum.zero[c] ? Content::zero : Content::unknown);
    }
  }

  const Node& node() const { return node_; }
  const std::map<Atom, std::vector<int64_t>>& classes() const { return channels_of_; }

  /// "" when the class can go as far as this layer is concerned; otherwise why not.
  std::string objection(Atom root, const std::vector<bool>& removed) {
    bool folds = false;
    for (const int64_t channel : channels_of_.at(root)) {
      if (content_.empty()) return "nothing is known of its weight";
      const Content content = content_[static_cast<size_t>(channel)];
      if (content == Content::zero || !matters(root, channel, removed)) continue;
      if (content == Content::unknown) return "it is read";
      folds = true;
    }
    if (!folds) return "";
    if (!refusal_.empty()) return refusal_;
    const auto& uniform = share_is_uniform(root);
    for (size_t o = 0; o < uniform.size(); ++o)
      if (!uniform[o] && stays(root, o, removed)) return "its padding makes their share differ from place to place";
    return "";
  }

  bool is_constant(Atom root) const {
    return !content_.empty() && std::ranges::none_of(channels_of_.at(root), [&](int64_t channel) {
      return content_[static_cast<size_t>(channel)] == Content::unknown;
    });
  }

  /// What the removed channels contribute to each output; undefined when it is nothing.
  at::Tensor constants(const std::vector<bool>& removed) const {
    std::vector<int64_t> gone;
    for (size_t c = 0; c < content_.size(); ++c)
      if (content_[c] == Content::constant && removed[static_cast<size_t>(in_[c])])
        gone.push_back(static_cast<int64_t>(c));
    if (gone.empty() || !refusal_.empty()) return {};
    const at::Tensor sum = share(gone).select(1, 0);
    return sum.count_nonzero().item<int64_t>() == 0 ? at::Tensor() : sum.contiguous();
  }

private:
  void look_at_contents() {
    if (!x_.defined()) {
      content_.assign(in_.size(), Content::unknown);
      return;
    }
    const at::Tensor rows = x_.transpose(0, static_cast<int64_t>(axis_)).flatten(1);
    const at::Tensor unknown = rows.isnan().any(1).contiguous(), nonzero = rows.ne(0).any(1).contiguous();
    for (size_t c = 0; c < in_.size(); ++c)
      content_.push_back(unknown.const_data_ptr<bool>()[c]   ? Content::unknown
                         : nonzero.const_data_ptr<bool>()[c] ? Content::constant
                                                             : Content::zero);
  }

  std::string why_no_constants(const Graph& graph) const {
    if (node_.op == "ConvBatchNormalization") return "they are constant, but a batch-norm is part of it";
    if (node_.op == "MatMul") return "they are constant, but it has no bias";
    if (node_.has_input(2) && !graph.find_parameter(node_.inputs[2]))
      return "they are constant, but its bias is computed";
    return "";
  }

  bool stays(Atom root, size_t output, const std::vector<bool>& removed) const {
    return out_.empty() || (out_[output] != root && !removed[static_cast<size_t>(out_[output])]);
  }

  /// Does an output that stays give the channel any weight?
  bool matters(Atom root, int64_t channel, const std::vector<bool>& removed) const {
    const auto outputs = static_cast<size_t>(reads_.size(1));
    const bool* const row = reads_.const_data_ptr<bool>() + static_cast<size_t>(channel) * outputs;
    for (size_t o = 0; o < outputs; ++o)
      if (row[o] && stays(root, o, removed)) return true;
    return false;
  }

  /// [outputs, places]: W x with all but some input channels set to zero.
  at::Tensor share(const std::vector<int64_t>& channels) const {
    const auto axis = static_cast<int64_t>(axis_);
    const at::Tensor indices = at::tensor(channels, at::kLong);
    at::Tensor x = x_.new_zeros(x_.sizes());
    x.index_copy_(axis, indices, x_.index_select(axis, indices).nan_to_num(0));
    const at::Tensor y = linear_part(node_, x, weight_);
    return y.transpose(0, static_cast<int64_t>(channel_axis(node_, static_cast<size_t>(y.dim())))).flatten(1);
  }

  const std::vector<bool>& share_is_uniform(Atom root) {
    const auto [found, fresh] = uniform_.try_emplace(root);
    if (!fresh) return found->second;
    const at::Tensor all = share(channels_of_.at(root)), high = all.amax(1), low = all.amin(1);
    const at::Tensor uniform = (high - low).le(high.abs().clamp_min(1) * kRounding).contiguous();
    found->second.assign(uniform.const_data_ptr<bool>(), uniform.const_data_ptr<bool>() + uniform.numel());
    return found->second;
  }

  const Node& node_;
  at::Tensor x_, weight_, reads_;
  size_t axis_ = 0;
  std::vector<Atom> in_, out_;  ///< the class of each channel
  std::map<Atom, std::vector<int64_t>> channels_of_;
  std::vector<Content> content_;
  std::map<Atom, std::vector<bool>> uniform_;  ///< per output; found when asked
  std::string refusal_;                        ///< why a constant other than zero cannot be taken over
};

/// A layer whose weight is a matrix or a convolution's, not a product of several.
bool has_matrix(const Node& node, const CoupledChannels& channels) {
  if (!is_linear_layer(node)) return false;
  return node.op != "MatMul" || (channels.map(node.inputs[1]).size() == 2 && channels.map(node.inputs[0]).size() > 1);
}

class Search {
public:
  Search(const Graph& graph, const CoupledChannels& channels) : channels_(channels), removed_(channels.pool().size()) {
    const KnownValues known(graph);
    for (const Node& node : graph.nodes()) {
      if (has_matrix(node, channels))
        readers_.emplace_back(graph, node, channels, known);
      else
        for (const auto& sum : contractions_of(node, channels, known)) readers_.emplace_back(sum);
    }
    for (size_t r = 0; r < readers_.size(); ++r)
      for (const auto& [root, indices] : readers_[r].classes())
        if (channels.pool().blocked(root).empty()) readers_of_[root].push_back(r);
  }

  DeadChannels run() {
    DeadChannels dead;
    for (bool found = true; found;) {
      found = false;
      for (const auto& [root, readers] : readers_of_)
        if (!removed_[static_cast<size_t>(root)] && is_dead(root, readers)) {
          removed_[static_cast<size_t>(root)] = found = true;
          ++dead.classes;
        }
    }
    for (const auto& reader : readers_)
      if (const at::Tensor constants = reader.constants(removed_); constants.defined())
        dead.constants[reader.node().name] = constants;
    dead.notes = notes();
    for (size_t atom = 0; atom < removed_.size(); ++atom)
      removed_[atom] = removed_[static_cast<size_t>(channels_.pool().find(static_cast<Atom>(atom)))];
    dead.removed = std::move(removed_);
    return dead;
  }

private:
  bool is_dead(Atom root, const std::vector<size_t>& readers) {
    return std::ranges::all_of(readers, [&](size_t r) { return readers_[r].objection(root, removed_).empty(); });
  }

  /// Constant channels that stay, counted by reader and reason.
  std::vector<std::string> notes() {
    std::map<std::pair<std::string, std::string>, int> counts;
    for (const auto& [root, readers] : readers_of_) {
      if (removed_[static_cast<size_t>(root)]) continue;
      for (const size_t r : readers) {
        const std::string why = readers_[r].is_constant(root) ? readers_[r].objection(root, removed_) : "";
        if (!why.empty()) ++counts[{ops::describe(readers_[r].node()), why}];
      }
    }
    std::vector<std::string> lines;
    for (const auto& [key, count] : counts)
      lines.push_back(fmt::format("{} constant input channels of {} stay: {}", count, key.first, key.second));
    return lines;
  }

  const CoupledChannels& channels_;
  std::vector<bool> removed_;  ///< by root until run() ends
  std::vector<Reader> readers_;
  std::map<Atom, std::vector<size_t>> readers_of_;  ///< of the classes that nothing blocks
};

}  // namespace

DeadChannels find_dead_channels(const Graph& graph, const CoupledChannels& channels) {
  const at::NoGradGuard no_grad;
  return Search(graph, channels).run();
}

}  // namespace compress::passes
