// Training that stops after an epoch and goes on elsewhere ends with the same bits, whatever the policies keep.
#include "train/trainer.h"
#include "unit/schedule/support.h"

#include <ATen/ops/arange.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;

namespace {

const char* const kRecipe = R"(
data: {name: synthetic_mnist, batch_size: 32, limits: {train: 96, validation: 32}, prefetch: 0}
training: {epochs: 4, optimizer: {class: SGD, lr: 0.01, momentum: 0.9}}
pruners:
  filters: {class: L1RankedStructureParameterPruner_AGP, group_type: Filters, initial_sparsity: 0.2, final_sparsity: 0.5, weights: [conv1.weight, conv2.weight],
            group_dependency: Leader, noise: 0.5}
  fine: {class: AutomatedGradualPruner, initial_sparsity: 0.1, final_sparsity: 0.5, weights: [fc.weight]}
regularizers:
  l1: {class: L1Regularizer, reg_regims: {'conv*.weight': 0.001}}
passes:
  remove: {class: thin}
distillers:
  teacher: {class: KnowledgeDistillation, teacher: self, teacher_epoch: 0}
lr_schedulers:
  steps: {class: StepLR, step_size: 1, gamma: 0.8}
policies:
  - {distiller: {instance_name: teacher}, starting_epoch: 1, ending_epoch: 4}
  - {pruner: {instance_name: filters}, starting_epoch: 0, ending_epoch: 3}
  - {pruner: {instance_name: fine, args: {use_double_copies: true, mask_on_forward_only: true, keep_mask: true}}, starting_epoch: 0, ending_epoch: 3}
  - {pass: {instance_name: remove}, epochs: [2]}
  - {regularizer: {instance_name: l1}, starting_epoch: 1, ending_epoch: 4}
  - {lr_scheduler: {instance_name: steps}, starting_epoch: 0, ending_epoch: 2}
)";

Graph small_network() {
  auto graph = parse_graph(R"(graph small(input: float[N,1,28,28]) -> (output = fc)
parameter conv1.weight: float[8,1,3,3]
parameter conv2.weight: float[8,8,3,3]
parameter fc.weight: float[10,8]
parameter fc.bias: float[10]
conv1 = Conv(input, %conv1.weight) kernel_shape=[3,3] strides=[3,3]
relu1 = Relu(conv1)
conv2 = Conv(relu1, %conv2.weight) kernel_shape=[3,3]
relu2 = Relu(conv2)
pool = GlobalAveragePool(relu2)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)");
  for (const auto& name : graph.parameter_names()) {
    const auto& value = graph.parameter(name).value;
    graph.assign(name, at::arange(value.numel()).mul(0.7).sin().mul(0.3).view(value.sizes()));
  }
  return graph;
}

/// What a checkpoint holds.
struct Checkpoint {
  Graph graph{"none"};
  std::map<std::string, at::Tensor> optimizer;
  train::Memory scheduler;
};

/// Trains to the end, from a checkpoint of epoch 1 or from the beginning; fills `checkpoint` on the way.
Graph train_network(const Checkpoint* from, Checkpoint* checkpoint) {
  const auto recipe = recipe_of(kRecipe);
  const auto data = data::open_splits(recipe.data, 1);
  const auto scheduler = recipe.bind(small_network(), no_model);
  const auto optimizer = train::make_optimizer(recipe.training.optimizer);
  const auto task = train::make_task({}, "classification");
  auto graph = from ? from->graph.clone() : small_network();
  if (from) {
    optimizer->bind(graph);
    optimizer->load_state(from->optimizer);
    scheduler->load(from->scheduler);
  }
  train::Trainer trainer(graph, data, *task, *optimizer, *scheduler, recipe.training, recipe.epochs(),
                         recipe.data.batch_size, 0);
  trainer.after_epoch = [&](const train::State& state) {
    if (!checkpoint || state.epoch != 1) return;
    checkpoint->graph = state.graph.clone();
    for (const auto& [name, tensor] : state.optimizer.state()) checkpoint->optimizer[name] = tensor.clone();
    checkpoint->scheduler = scheduler->save();
    checkpoint->scheduler.values = nlohmann::json::parse(checkpoint->scheduler.values.dump());
  };
  trainer.run(from ? 2 : 0);
  return graph;
}

void require_same_bits(const Graph& a, const Graph& b) {
  REQUIRE(a.parameter_names() == b.parameter_names());
  for (const Parameter& parameter : a.parameters()) {
    INFO(parameter.name);
    REQUIRE(parameter.value.equal(b.parameter(parameter.name).value));
    REQUIRE(parameter.mask.defined() == b.parameter(parameter.name).mask.defined());
    if (parameter.mask.defined()) REQUIRE(parameter.mask.equal(b.parameter(parameter.name).mask));
  }
}

}  // namespace

TEST_CASE("resume: training that goes on from a checkpoint ends with the same bits", "[schedule]") {
  Checkpoint checkpoint;
  const auto whole = train_network(nullptr, &checkpoint);
  REQUIRE(whole.parameter("conv1.weight").value.size(0) < 8);
  REQUIRE(whole.parameter("fc.weight").mask.defined());
  require_same_bits(whole, train_network(&checkpoint, nullptr));
}

TEST_CASE("resume: same seed, same masks and weights", "[schedule]") {
  require_same_bits(train_network(nullptr, nullptr), train_network(nullptr, nullptr));
}
