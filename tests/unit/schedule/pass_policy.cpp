#include "passes/pass.h"
#include "support/check_error.h"
#include "train/trainer.h"
#include "unit/prune/coupled_networks.h"
#include "unit/schedule/support.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;

namespace {

const std::string kRecipe = R"(
data: {name: synthetic_mnist, batch_size: 32, limits: {train: 96, validation: 32}, prefetch: 0}
training: {epochs: 3, optimizer: {class: SGD, lr: 0.01, momentum: 0.9}}
passes:
  statistics: {class: reestimate_batchnorm, samples: 64, batch_size: 32}
  remove: {class: thin}
pruners:
  filters: {class: L1RankedStructureParameterPruner, group_type: Filters, desired_sparsity: 0.5, weights: [conv.weight]}
policies:
  - {pruner: {instance_name: filters}, epochs: [1]}
)";

Graph network() {
  auto graph = parse_graph(R"(graph small(input: float[N,1,28,28]) -> (output = fc)
parameter conv.weight: float[8,1,3,3]
parameter bn.weight: float[8]
parameter bn.bias: float[8]
parameter bn.running_mean: float[8] fixed
parameter bn.running_var: float[8] fixed
parameter fc.weight: float[10,8]
parameter fc.bias: float[10]
conv = Conv(input, %conv.weight) kernel_shape=[3,3] strides=[3,3]
bn = BatchNormalization(conv, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var)
relu = Relu(bn)
pool = GlobalAveragePool(relu)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)");
  for (const auto& name : graph.parameter_names()) {
    const auto& value = graph.parameter(name).value;
    graph.assign(name,
                 at::arange(value.numel()).mul(0.7).sin().mul(0.3).add(name == "bn.running_var").view(value.sizes()));
  }
  return graph;
}

struct Stop {
  Graph graph{"none"};
  std::map<std::string, at::Tensor> optimizer;
  train::Memory scheduler;
};

/// Trains with further policies, from `stop` when that is given; notes the state behind the first epoch there.
Graph trained(const std::string& policies, Stop* note = nullptr, const Stop* from = nullptr) {
  const auto recipe = recipe_of(kRecipe + policies);
  const auto data = data::open_splits(recipe.data, 1);
  auto graph = network();
  const auto scheduler = recipe.bind(graph, no_model);
  const auto optimizer = train::make_optimizer(recipe.training.optimizer);
  const auto task = train::make_task({}, "classification");
  train::Trainer trainer(graph, data, *task, *optimizer, *scheduler, recipe.training, recipe.epochs(),
                         recipe.data.batch_size, 0);
  if (from) {
    graph = from->graph.clone();
    optimizer->bind(graph);
    optimizer->load_state(from->optimizer);
    scheduler->load(from->scheduler);
  }
  trainer.after_epoch = [&](const train::State& state) {
    if (!note || state.epoch != 0) return;
    note->graph = state.graph.clone();
    for (const auto& [name, tensor] : state.optimizer.state()) note->optimizer[name] = tensor.clone();
    note->scheduler = scheduler->save();
  };
  trainer.run(from ? 1 : 0);
  return trainer.result();
}

const std::string kAtEnd = "  - {pass: {instance_name: statistics}}\n";
const std::string kThinned = "  - {pass: {instance_name: remove}, epochs: [2]}\n";

bool same(const Graph& a, const Graph& b, const std::string& name) {
  return a.parameter(name).value.equal(b.parameter(name).value);
}

}  // namespace

TEST_CASE("pass policy: batch-norms take their statistics from training samples, when training has ended",
          "[schedule]") {
  const auto with = trained(kAtEnd), without = trained("");
  REQUIRE(same(with, without, "conv.weight"));
  REQUIRE(same(with, without, "bn.weight"));
  REQUIRE_FALSE(same(with, without, "bn.running_mean"));
  REQUIRE_FALSE(same(with, without, "bn.running_var"));
}

TEST_CASE("pass policy: the same statistics whenever the run was stopped, thinned or not", "[schedule]") {
  for (const auto& policies :
       {kAtEnd, kThinned + kAtEnd, "  - {pass: {instance_name: statistics}, epochs: [1, 2]}\n" + kThinned}) {
    INFO(policies);
    Stop stop;
    const auto whole = trained(policies, &stop), resumed = trained(policies, nullptr, &stop);
    for (const auto& name : whole.parameter_names()) {
      INFO(name);
      REQUIRE(same(whole, resumed, name));
    }
  }
}

TEST_CASE("pass policy: statistics taken anew do not delay the choice of the best epoch", "[schedule]") {
  const auto settled = [](const std::string& policies) {
    return recipe_of(kRecipe + policies).bind(network(), no_model)->first_settled_epoch();
  };
  REQUIRE(settled("  - {pass: {instance_name: statistics}, epochs: [2]}\n") == 1);
  REQUIRE(settled(kThinned) == 2);
}

TEST_CASE("pass policy: thinning what coupled layers lose by maps of their own is refused before training",
          "[schedule]") {
  const auto recipe = [](const std::string& arguments, const std::string& last) {
    return recipe_of(
        "pruners:\n"
        "  filters: {class: L1RankedStructureParameterPruner, desired_sparsity: 0.5, group_type: Filters, " +
        arguments + "}\npasses:\n  remove: {class: thin}\npolicies:\n" +
        "  - {pruner: {instance_name: filters}, epochs: [0]}\n" + last);
  };
  const auto graph = prune::fixtures::coupled_network("residual");
  const std::string thins = "  - {pass: {instance_name: remove}, epochs: [1]}\n";
  compress::test::require_error([&] { recipe("weights: [a.weight, c.weight]", thins).bind(graph, no_model); },
                                "recipe.yaml:6:5", "pruner 'filters' prunes what pass 'remove'",
                                "'a.weight' and 'c.weight' make the same channels",
                                "but each is pruned by a map of its own", "'group_dependency: Leader'");
  recipe("weights: [a.weight, c.weight], group_dependency: Leader", thins).bind(graph, no_model);
  recipe("weights: [b.weight]", thins).bind(graph, no_model);
  recipe("weights: [a.weight, c.weight]", "").bind(graph, no_model);  // masks alone may be any
}
