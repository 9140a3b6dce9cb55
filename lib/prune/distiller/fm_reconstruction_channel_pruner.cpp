// Removes input channels, then fits the weights that stay, so that the layer puts out what it did before (He, Zhang,
// Sun 2017, https://arxiv.org/abs/1707.06168).
#include "core/random.h"
#include "prune/distiller/feature_map_points.h"
#include "prune/distiller/ranked.h"
#include "prune/watch.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>

#include <algorithm>

namespace compress::prune {

namespace {

/// What the fit leans on the present weights: what the points do not tell stays as it is. A share of the mean square of
/// the inputs.
constexpr double kLean = 1e-6;

class FmReconstructionChannelPruner final : public RankedPruner {
public:
  FmReconstructionChannelPruner() : RankedPruner({.criterion = "l1"}) {}

  void declare(Settings& settings) override {
    RankedPruner::declare(settings);
    settings.choice("magnitude_fn", magnitude_, {{"l1", Magnitude::l1}, {"l2", Magnitude::l2}},
                    "the norm that says which channels go");
    settings.optional("samples", samples_, "training images to fit to", at_least(1));
    settings.optional("points", points_, "positions of each image's feature map to fit to", at_least(1));
  }

  void bind(const Graph& graph, Problems& problems) override {
    RankedPruner::bind(graph, problems);
    if (!problems.empty()) return;
    if (composition().parts().granularity->axis() != 1)
      problems.add(
          request_error("'group_type' must be Channels (of linear layers Rows): the weights of the other inputs "
                        "make up for those that go"));
    for (const auto& name : parameters()) problems.capture([&] { PointwiseLayer(graph, name); });
  }

  void collect(train::State& state) override;
  void adjust(train::State& state) override;

private:
  enum class Magnitude { l1, l2 };

  std::unique_ptr<Criterion> criterion() const override {
    return criteria().make(magnitude_ == Magnitude::l1 ? "l1" : "l2");
  }
  void fit(train::State& state, const std::string& name);

  /// What a layer put out, batch by batch.
  struct Target {
    std::vector<at::Tensor> points, outputs;
    at::Tensor mask;  ///< before pruning
  };

  Magnitude magnitude_ = Magnitude::l1;
  int64_t samples_ = 512, points_ = 10;
  std::map<std::string, Target> targets_;
};

void FmReconstructionChannelPruner::collect(train::State& state) {
  targets_.clear();
  std::map<std::string, std::pair<std::string, PointwiseLayer>> layers;  // by output
  std::vector<std::string> values;
  for (const auto& name : parameters()) {
    PointwiseLayer layer(state.graph, name);
    targets_[name].mask = state.graph.parameter(name).mask;
    values.push_back(layer.output());
    layers.emplace(layer.output(), std::pair(name, layer));
  }
  watch_values(state, samples_, values, [&](std::string_view value, const at::Tensor& tensor) {
    const auto& [name, layer] = layers.at(std::string(value));
    auto& target = targets_.at(name);
    const auto key = random_key(state.seed, "feature map points " + name,
                                {static_cast<uint64_t>(state.step), static_cast<uint64_t>(target.points.size())});
    target.points.push_back(layer.choose_points(tensor, points_, key));
    target.outputs.push_back(layer.outputs_at(tensor, target.points.back()));
  });
}

/// Layer by layer, as data run through them: each is fitted to inputs that the layers before it make once pruned.
void FmReconstructionChannelPruner::adjust(train::State& state) {
  const at::NoGradGuard no_grad;
  for (const Node& node : state.graph.nodes())
    for (const auto& name : parameters()) {
      const auto target = targets_.find(name);
      if (target == targets_.end() || PointwiseLayer(state.graph, name).output() != node.output()) continue;
      const auto& mask = state.graph.parameter(name).mask;
      if (mask.defined() && !(target->second.mask.defined() && mask.equal(target->second.mask))) fit(state, name);
    }
  targets_.clear();
}

/// Least squares by the normal equations, as the change to the present weights of the channels that stay.
void FmReconstructionChannelPruner::fit(train::State& state, const std::string& name) {
  const PointwiseLayer layer(state.graph, name);
  const auto& target = targets_.at(name);
  const auto& parameter = state.graph.parameter(name);
  const auto present = layer.matrix_of((parameter.value.detach() * parameter.mask));  // [groups, outputs, features]
  const auto used = layer.matrix_of(parameter.mask).amax(1);                          // [groups, features]
  at::Tensor squares, products;
  size_t batch = 0;
  watch_values(state, samples_, {layer.input()}, [&](std::string_view, const at::Tensor& tensor) {
    const auto inputs = layer.inputs_at(tensor, target.points.at(batch)).transpose(0, 1) * used.unsqueeze(1);
    const auto outputs = target.outputs.at(batch++);
    const auto wanted = outputs.reshape({outputs.size(0), layer.groups(), -1}).transpose(0, 1);
    const auto missing = wanted - inputs.matmul(present.transpose(1, 2));
    const auto square = inputs.transpose(1, 2).matmul(inputs), product = inputs.transpose(1, 2).matmul(missing);
    squares = squares.defined() ? squares + square : square;
    products = products.defined() ? products + product : product;
  });
  const auto features = squares.size(1);
  const double lean = kLean * squares.diagonal(0, 1, 2).mean().item<double>();
  // Removed features have neither squares nor products: with the lean on the diagonal they stay zero.
  const auto lifted = squares + at::eye(features, squares.options()) * (lean > 0 ? lean : 1.0);
  const auto change = at::linalg_solve(lifted, products).transpose(1, 2);
  const auto fitted = layer.weight_of_matrix(present + change);
  state.graph.writable(name).copy_(fitted * parameter.mask);
}

}  // namespace

extern const Entry<Pruner> fm_reconstruction_channel_pruner;
const Entry<Pruner> fm_reconstruction_channel_pruner{
    "FMReconstructionChannelPruner",
    "removes the input channels of smallest norm and fits the other weights to what the layer put out before",
    make_component<Pruner, FmReconstructionChannelPruner>};

}  // namespace compress::prune
