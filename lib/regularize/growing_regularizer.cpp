#include "analysis/structure_norm.h"
#include "core/error.h"
#include "regularize/groups.h"
#include "regularize/regularizer.h"
#include "train/follow_changes.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace compress::regularize {

namespace {

/// lambda / 2 * sum of w^2 over the weakest groups of each weight, where lambda grows by `step` every `every`
/// mini-batches up to `ceiling`: what is to be removed fades out instead of being cut. GReg-1 of Wang et al. 2021,
/// Neural Pruning via Growing Regularization.
class GrowingRegularizer final : public Regularizer {
public:
  void declare(Settings& settings) override {
    settings.required("weights", words_, "names or patterns of the weights");
    settings.custom(groups_field("group", groups_, "what fades out as a whole: filter, channel, row, element, ..."));
    settings.optional("share", share_,
                      "share of the groups of each weight that fades out: those of the smallest L1 norm",
                      Range{.low = 0, .high = 1, .open_low = true});
    settings.optional("start", start_, "lambda at first", at_least(0));
    settings.optional("step", step_, "what lambda grows by", above(0));
    settings.optional("every", every_, "mini-batches between two steps", at_least(1));
    settings.optional("ceiling", ceiling_, "lambda at last", above(0));
  }

  void check() const override {
    if (start_ > ceiling_)
      throw request_error("'start' ({}) is above 'ceiling' ({}): lambda could not grow", start_, ceiling_);
    if (groups_.parts.size() != 1)
      throw request_error("'group' must be of one kind: the weakest of several cannot be told apart");
  }

  void bind(const Graph& graph, Problems& problems) override {
    if (words_.empty()) problems.add(request_error("'weights' is empty: there is nothing to regularise"));
    names_ = select_parameters(graph, words_, problems);
    for (const auto& name : names_) problems.capture([&] { groups_.check(name, graph.parameter(name).value.sizes()); });
  }

  /// Chooses what fades out when training comes here first.
  void begin_minibatch(const Graph& graph, const Moment&) override {
    if (seen_++ > 0) return;
    const at::NoGradGuard no_grad;
    for (const auto& name : names_) chosen_[name] = weakest(graph.parameter(name).value.detach());
  }

  at::Tensor loss(const Graph& graph) const override {
    at::Tensor sum;
    for (const auto& name : names_) {
      const auto& value = graph.parameter(name).value;
      const auto& chosen = chosen_.at(name);
      sum = plus_term(sum, value.square().mul(chosen.to(value.options())).sum(), lambda() / 2);
    }
    return sum;
  }

  const std::vector<std::string>& parameters() const override { return names_; }
  void apply(const Changes& changes) override {
    follow(names_, changes);
    train::follow_changes(chosen_, changes);
  }
  train::Memory save() const override {
    return {.values = {{"parameters", names_}, {"seen", seen_}}, .tensors = chosen_};
  }
  void load(const train::Memory& memory) override {
    memory.values.at("parameters").get_to(names_);
    memory.values.at("seen").get_to(seen_);
    chosen_.clear();
    for (const auto& [name, tensor] : memory.tensors) chosen_[name] = tensor.clone();
  }

private:
  double lambda() const {
    const auto steps = std::max<int64_t>(seen_ - 1, 0) / every_;
    return std::min(ceiling_, start_ + step_ * static_cast<double>(steps));
  }

  /// 1 for the weights that fade out; of groups as weak as each other the first go.
  at::Tensor weakest(const at::Tensor& value) const {
    const auto norms = analysis::structure_norms(groups_.parts.front()->gather(value), analysis::Norm::l1);
    const auto count = static_cast<int64_t>(std::floor(share_ * static_cast<double>(norms.numel()) + 1e-9));
    auto map = at::zeros({norms.numel()}, value.options());
    map.index_fill_(0, norms.argsort(true).slice(0, 0, count), 1);
    return groups_.parts.front()->scatter(map, value.sizes()).contiguous(value.suggest_memory_format());
  }

  std::vector<std::string> words_;
  Groups groups_ = read_groups(Yaml::scalar("filter"), "group");
  double share_ = 0.5, start_ = 0, step_ = 1e-4, ceiling_ = 1;
  int64_t every_ = 10;
  std::vector<std::string> names_;
  std::map<std::string, at::Tensor> chosen_;  ///< by parameter, a 0/1 tensor of its shape
  int64_t seen_ = 0;                          ///< mini-batches begun
};

}  // namespace

extern const Entry<Regularizer> growing_regularizer;
const Entry<Regularizer> growing_regularizer{
    "GrowingRegularizer", "weight decay that grows on the weakest groups of each weight until they have faded out",
    make_component<Regularizer, GrowingRegularizer>};

}  // namespace compress::regularize
