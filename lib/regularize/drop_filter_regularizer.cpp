#include "core/random.h"
#include "core/text.h"
#include "graph/select.h"
#include "regularize/regularizer.h"

#include <ATen/ops/ones.h>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace compress::regularize {

namespace {

/// Dropout of whole filters: in every n-th mini-batch each filter is left out with probability p, and the others count
/// 1 / (1 - p) times as much. Adds nothing to the loss and leaves no mask. Tian 2018, DropFilter.
class DropFilterRegularizer final : public Regularizer {
public:
  void declare(Settings& settings) override {
    settings.required("weights", words_, "names or patterns of the weights");
    settings.optional("p", p_, "probability that a filter is left out", half_open(0, 1));
    settings.optional("every", every_, "drop in every so many mini-batches only", at_least(1));
  }

  void bind(const Graph& graph, Problems& problems) override {
    if (words_.empty()) problems.add(request_error("'weights' is empty: there is nothing to drop"));
    names_ = select_parameters(graph, words_, problems);
    for (const auto& name : names_) {
      const auto sizes = graph.parameter(name).value.sizes();
      if (sizes.size() < 2)
        problems.add(request_error("'{}' has no filters: its shape is {}, and filters are those of a convolution or "
                                   "linear layer",
                                   name, shape_text(sizes)));
    }
  }

  void begin_minibatch(const Graph&, const Moment& moment) override { moment_ = moment; }
  at::Tensor loss(const Graph&) const override { return {}; }

  std::map<std::string, at::Tensor> forward_factors(const Graph& graph) const override {
    std::map<std::string, at::Tensor> factors;
    if (moment_.step % every_ != 0) return factors;
    for (const auto& name : names_) factors[name] = factor(name, graph.parameter(name).value);
    return factors;
  }
  bool changes_forward() const override { return true; }

  const std::vector<std::string>& parameters() const override { return names_; }
  void apply(const Changes& changes) override { follow(names_, changes); }
  train::Memory save() const override { return {.values = {{"parameters", names_}}, .tensors = {}}; }
  void load(const train::Memory& memory) override { memory.values.at("parameters").get_to(names_); }

private:
  /// One filter stays at least: a layer without any would make the network's output a constant.
  at::Tensor factor(const std::string& name, const at::Tensor& value) const {
    Random random(random_key(moment_.seed, "drop_filter " + name, {static_cast<uint64_t>(moment_.step)}));
    std::vector<float> kept(static_cast<size_t>(value.size(0)));
    for (auto& one : kept) one = random.chance(p_) ? 0.f : static_cast<float>(1 / (1 - p_));
    if (std::ranges::none_of(kept, [](float one) { return one > 0; }))
      kept[static_cast<size_t>(random.below(value.size(0)))] = static_cast<float>(1 / (1 - p_));
    auto numbers = at::ones({value.size(0)}, at::kFloat);
    std::ranges::copy(kept, numbers.mutable_data_ptr<float>());
    std::vector<int64_t> along(static_cast<size_t>(value.dim()), 1);
    along.front() = value.size(0);
    return numbers.to(value.options().requires_grad(false)).view(along);
  }

  std::vector<std::string> words_;
  double p_ = 0.1;
  int64_t every_ = 1;
  std::vector<std::string> names_;
  Moment moment_;
};

}  // namespace

extern const Entry<Regularizer> drop_filter_regularizer;
const Entry<Regularizer> drop_filter_regularizer{
    "DropFilterRegularizer",
    "leaves out random filters in each mini-batch (dropout of filters); adds nothing to the loss",
    make_component<Regularizer, DropFilterRegularizer>};

}  // namespace compress::regularize
