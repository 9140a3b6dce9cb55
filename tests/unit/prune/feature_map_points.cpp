#include "prune/distiller/feature_map_points.h"

#include "exec/plan.h"
#include "prune/pruner.h"
#include "support/check_error.h"
#include "support/close.h"
#include "unit/prune/data_driven.h"
#include "unit/prune/support.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_lstsq.h>
#include <ATen/ops/stack.h>

using namespace compress;
using namespace compress::prune;
using namespace compress::prune::fixtures;
using compress::test::difference;
using compress::test::require_error;

namespace {

Graph one_layer(const std::string& input, const std::string& weight, const std::string& bias, const std::string& node) {
  auto graph = parse_graph("graph g(input: float" + input + ") -> (output = layer)\nparameter w: float" + weight +
                           "\nparameter b: float" + bias + "\nlayer = " + node + "\n");
  for (const auto& name : graph.parameter_names()) {
    const auto& value = graph.parameter(name).value;
    graph.assign(name, at::arange(value.numel()).mul(1.3).add(0.4).sin().view(value.sizes()).to(at::kFloat));
  }
  return graph;
}

/// Images of pseudo-random numbers.
class Waves final : public data::Dataset {
public:
  Waves(int64_t size, Shape shape) : size_(size), shape_(std::move(shape)) {}
  int64_t size() const override { return size_; }
  std::vector<data::FieldInfo> fields() const override { return {{"image", shape_, at::kFloat}}; }
  data::Batch batch(std::span<const int64_t> indices, const data::Draw&) const override {
    std::vector<at::Tensor> rows;
    int64_t numel = 1;
    for (const auto size : shape_) numel *= size;
    for (const auto index : indices)
      rows.push_back(at::arange(numel)
                         .add(static_cast<double>(index * 1000))
                         .mul(0.7)
                         .sin()
                         .mul(5)
                         .sin()
                         .to(at::kFloat)
                         .view(shape_));
    data::Batch batch;
    batch.fields["image"] = at::stack(rows);
    batch.size = static_cast<int64_t>(indices.size());
    return batch;
  }

private:
  int64_t size_;
  Shape shape_;
};

at::Tensor mask_values(const Graph& graph, const std::string& name) {
  return graph.parameter(name).value.detach() * graph.parameter(name).mask;
}

}  // namespace

TEST_CASE("feature map points: weights times what the kernel sees are the layer's outputs", "[prune]") {
  const std::vector<Graph> cases = [] {
    std::vector<Graph> all;
    all.push_back(one_layer("[N,4,7,6]", "[6,4,3,2]", "[6]",
                            "Conv(input, %w, %b) kernel_shape=[3,2] pads=[1,0,2,1] strides=[2,1] dilations=[1,2]"));
    all.push_back(one_layer("[N,4,7,6]", "[6,2,3,3]", "[6]", "Conv(input, %w, %b) kernel_shape=[3,3] group=2"));
    all.push_back(one_layer("[N,3,9]", "[2,3,4]", "[2]", "Conv(input, %w, %b) kernel_shape=[4] strides=[2]"));
    all.push_back(one_layer("[N,2,4,5,6]", "[3,2,2,3,1]", "[3]", "Conv(input, %w, %b) kernel_shape=[2,3,1]"));
    all.push_back(one_layer("[N,5]", "[3,5]", "[3]", "Gemm(input, %w, %b) transB=1 alpha=0.5 beta=2.0"));
    all.push_back(one_layer("[N,6,5]", "[5,3]", "[3]", "MatMul(input, %w)"));
    return all;
  }();
  for (const auto& graph : cases) {
    INFO(graph.node("layer").op << " " << graph.parameter("w").value.sizes());
    const auto& shape = graph.inputs.front().shape;
    const auto images = Waves(3, Shape(shape.begin() + 1, shape.end())).batch(std::vector<int64_t>{0, 1, 2}, {});
    const std::vector<at::Tensor> inputs{images.at("image")};
    const auto output = exec::Plan(graph).run(inputs).front();
    const PointwiseLayer layer(graph, "w");
    const auto points = layer.choose_points(output, 4, 7);
    const auto matrix = layer.matrix_of(graph.parameter("w").value);
    const auto made = layer.inputs_at(inputs.front(), points).transpose(0, 1).matmul(matrix.transpose(1, 2));
    REQUIRE(difference(made.transpose(0, 1).flatten(1), layer.outputs_at(output, points), 1e-5).empty());
    REQUIRE(layer.weight_of_matrix(matrix).to(at::kFloat).equal(graph.parameter("w").value));
  }
}

TEST_CASE("FMReconstructionChannelPruner: what stays makes up for a channel that said nothing new", "[prune]") {
  auto graph = one_layer("[N,2,4,4]", "[3,2,3,3]", "[3]", "Conv(input, %w, %b) kernel_shape=[3,3] pads=[1,1,1,1]");
  Training training(graph, std::make_shared<NumberedImages>(40));  // channel 1 is minus channel 0
  const auto images = NumberedImages(5).batch(std::vector<int64_t>{0, 3}, {});
  const std::vector<at::Tensor> inputs{images.at("image")};
  const auto before = exec::Plan(graph).run(inputs).front();
  const auto pruner = bound_pruner(graph, "FMReconstructionChannelPruner",
                                   "{group_type: Channels, desired_sparsity: 0.5, weights: [w], samples: 40}");
  const at::NoGradGuard no_grad;
  pruner->collect(training.state);
  pruner->set_masks(graph, {});
  pruner->adjust(training.state);
  REQUIRE(mask_values(graph, "w").equal(graph.parameter("w").value));
  REQUIRE(graph.parameter("w").mask.sum().item<float>() == 27);
  REQUIRE(difference(exec::Plan(graph).run(inputs).front(), before, 2e-3).empty());
}

TEST_CASE("FMReconstructionChannelPruner: the fit is the least-squares one", "[prune]") {
  auto graph = one_layer("[N,4]", "[3,4]", "[3]", "Gemm(input, %w, %b) transB=1");
  const auto original = graph.parameter("w").value.clone();
  Training training(graph, std::make_shared<Waves>(64, Shape{4}));
  const auto pruner =
      bound_pruner(graph, "FMReconstructionChannelPruner",
                   "{group_type: Rows, desired_sparsity: 0.5, weights: [w], samples: 64, magnitude_fn: l2}");
  const at::NoGradGuard no_grad;
  pruner->collect(training.state);
  pruner->set_masks(graph, {});
  pruner->adjust(training.state);
  std::vector<int64_t> all(64);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
  const auto inputs = Waves(64, {4}).batch(all, {}).at("image").to(at::kDouble);
  const auto used = graph.parameter("w").mask[0].nonzero().flatten();
  REQUIRE(used.numel() == 2);
  const auto expected =
      std::get<0>(at::linalg_lstsq(inputs.index_select(1, used), inputs.matmul(original.t().to(at::kDouble))));
  REQUIRE(difference(graph.parameter("w").value.index_select(1, used).t(), expected, 1e-4).empty());
}

TEST_CASE("FMReconstructionChannelPruner: refuses filters and weights of other layers", "[prune]") {
  const auto graph = one_layer("[N,4]", "[3,4]", "[3]", "Gemm(input, %w, %b) transB=1");
  require_error(
      [&] {
        bound_pruner(graph, "FMReconstructionChannelPruner",
                     "{group_type: Filters, desired_sparsity: 0.5, weights: [w]}");
      },
      "'group_type' must be Channels");
  const auto up = one_layer("[N,4,3,3]", "[4,2,2,2]", "[2]", "ConvTranspose(input, %w, %b) kernel_shape=[2,2]");
  require_error(
      [&] {
        bound_pruner(up, "FMReconstructionChannelPruner",
                     "{group_type: Channels, desired_sparsity: 0.5, weights: [w]}");
      },
      "'w' is not the weight of a convolution or linear layer (but of node 'layer' (ConvTranspose))");
}
