// Distiller's own tests of ranking and pruning, by its numbers (tests/golden/distiller_pruning.json).
#include "core/file.h"
#include "graph/select.h"
#include "passes/pass.h"
#include "prune/cut.h"
#include "prune/make_part.h"
#include "support/check_error.h"
#include "unit/prune/support.h"
#include "zoo.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/rand.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>

using namespace compress;
using namespace compress::prune;
using namespace compress::prune::fixtures;
using nlohmann::json;

namespace {

const json& golden() {
  static const auto all = json::parse(read_file("tests/golden/distiller_pruning.json"));
  return all;
}

const json& golden_case(const std::string& section, const std::string& name) {
  for (const auto& entry : golden().at(section))
    if (entry.at("name") == name) return entry;
  FAIL("there is no golden case " << name);
  return golden();
}

at::Tensor tensor_of(const json& nested) {
  std::vector<int64_t> shape;
  for (const auto* level = &nested; level->is_array(); level = &level->at(0))
    shape.push_back(static_cast<int64_t>(level->size()));
  std::vector<double> flat;
  const std::function<void(const json&)> collect = [&](const json& value) {
    if (!value.is_array()) return flat.push_back(value.get<double>());
    for (const auto& item : value) collect(item);
  };
  collect(nested);
  return at::tensor(flat).to(at::kFloat).view(shape);
}

/// Distiller's network with random weights and batch-norm as it begins; the huge linear layers of VGG hold one number
/// only.
Graph network(const json& entry) {
  std::string spec = entry.at("architecture");
  if (spec == "mobilenet") spec = "mobilenet_v1";
  auto graph = models::build_model(spec, std::nullopt);
  for (const Parameter& parameter : graph.parameters()) {
    const auto shape = parameter.value.sizes().vec();
    if (parameter.value.dim() < 2) continue;
    graph.assign(parameter.name,
                 parameter.value.numel() < 10'000'000 ? at::rand(shape) : at::full({}, 0.5).expand(shape));
  }
  return graph;
}

int64_t size_of(const Graph& graph, const std::string& layer, int64_t axis) {
  const auto name = select_parameters(graph, layer + ".weight").front();
  return graph.parameter(name).value.size(axis);
}

void thin(Graph& graph) {
  for (const Parameter& parameter : graph.parameters()) apply_mask(graph, parameter);
  passes::run(*passes::passes().make("thin"), "thin", graph);
}

std::string ranked_arguments(const std::string& group, double share, const std::string& weight) {
  return fmt::format("{{group_type: {}, desired_sparsity: {}, rounding_fn: floor, weights: [{}]}}", group, share,
                     weight);
}

}  // namespace

TEST_CASE("golden: ranking of channels", "[prune][golden]") {
  const auto& entry = golden_case("ranking", "channel_ranking_l1");
  Graph graph = small_graph();
  graph.assign("conv1.weight", tensor_of(entry.at("input")));
  const auto channels = make_part(analysis::granularities(), "channel");
  const auto strengths = make_part(criteria(), "magnitude")->strengths({graph, "conv1.weight", *channels, {}});
  REQUIRE(strengths.equal(tensor_of(entry.at("channel_mean_l1"))));
  const double share = entry.at("fraction_to_prune");
  REQUIRE(CountRule{}.removed(strengths.numel(), share) == entry.at("count_pruned"));
  REQUIRE(cut_share(strengths, share).equal(tensor_of(entry.at("expected_map"))));
}

TEST_CASE("golden: ranked channels of resnet20", "[prune][golden]") {
  const auto& entry = golden_case("ranking", "ranked_channel_pruning_resnet20_cifar");
  Graph graph = models::build_model("resnet20_cifar", 1);
  const auto layer = entry.at("layer").get<std::string>();
  REQUIRE(size_of(graph, layer, 1) == entry.at("input_channels_before"));
  bound_pruner(graph, "L1RankedStructureParameterPruner",
               ranked_arguments("Channels", entry.at("fraction_to_prune"), layer + ".weight"))
      ->set_masks(graph, {});
  const auto kept = kept_along(graph, layer + ".weight", 1);
  const auto removed = std::ranges::count(kept, 0);
  REQUIRE(removed == entry.at("expected_pruned_channels"));
  REQUIRE(static_cast<double>(removed) / static_cast<double>(kept.size()) ==
          entry.at("expected_channel_sparsity_of_mask_and_weight"));
}

TEST_CASE("golden: ranked filters go, exactly as many, and so do the channels of what reads them", "[prune][golden]") {
  for (const auto& entry : golden().at("pruning")) {
    if (!entry.at("name").get<std::string>().starts_with("ranked_filters_")) continue;
    INFO(entry.at("name"));
    Graph graph = network(entry);
    for (const auto& layer : entry.at("layers")) {
      const auto weight = layer.at("layer").get<std::string>() + ".weight";
      const auto pruner = bound_pruner(graph, "L1RankedStructureParameterPruner",
                                       ranked_arguments("Filters", entry.at("fraction_to_prune"), weight));
      pruner->set_masks(graph, {});
      const auto kept = kept_along(graph, pruner->parameters().front(), 0);
      REQUIRE(static_cast<int64_t>(kept.size()) == layer.at("filters_before"));
      REQUIRE(std::ranges::count(kept, 0) == layer.at("expected_removed"));
      REQUIRE(std::ranges::count(kept, 1) == layer.at("expected_filters_after"));
      REQUIRE(static_cast<double>(std::ranges::count(kept, 0)) / static_cast<double>(kept.size()) ==
              layer.at("expected_filter_sparsity").get<double>());
    }
    if (entry.at("architecture") == "vgg19") continue;  // thinned below, with its linear layer
    thin(graph);
    const auto& last = entry.at("layers").back();
    REQUIRE(size_of(graph, last.at("layer"), 0) == last.at("expected_filters_after"));
    REQUIRE(size_of(graph, last.at("next_layer"), 1) == last.at("expected_next_input_channels_after"));
  }
}

TEST_CASE("golden: a share of 1 would remove all filters and is refused", "[prune][golden]") {
  for (const std::string name : {"prune_all_filters_ceiling", "prune_all_filters_floor"}) {
    const auto& entry = golden_case("pruning", name);
    const auto weight = entry.at("layer").get<std::string>() + ".weight";
    REQUIRE_THAT(compress::test::error_text([&] {
                   make_pruner("L1RankedStructureParameterPruner",
                               ranked_arguments("Filters", entry.at("fraction_to_prune"), weight));
                 }),
                 Catch::Contains("'desired_sparsity' must be a number in [0, 1)"));
  }
}

TEST_CASE("golden: arbitrary channels are removed by a mask, and so is what makes them", "[prune][golden]") {
  for (const auto& entry : golden().at("pruning")) {
    const auto name = entry.at("name").get<std::string>();
    if (!name.starts_with("arbitrary_channels_")) continue;
    INFO(name);
    Graph graph = network(entry);
    const auto weight = entry.at("layer").get<std::string>() + ".weight";
    const auto full_name = select_parameters(graph, weight).front();
    auto mask = at::ones_like(graph.parameter(full_name).value);
    for (const int64_t channel : entry.at("channels_to_remove")) mask.select(1, channel).zero_();
    REQUIRE(mask.mean().item<double>() == Approx(entry.at("expected_channel_density_of_mask").get<double>()));
    set_mask(graph, full_name, mask);
    thin(graph);
    const auto& after = entry.at("expected_after_thinning");
    REQUIRE(size_of(graph, entry.at("layer"), 1) == after.at("layer_input_channels"));
    REQUIRE(size_of(graph, entry.at("producer"), 0) == after.at("producer_output_channels"));
    if (!after.at("batch_norm_features").is_null()) {
      REQUIRE(size_of(graph, entry.at("batch_norm_between"), 0) == after.at("batch_norm_features"));
    }
  }
}

TEST_CASE("golden: filters before a linear layer take its inputs along", "[prune][golden]") {
  for (const std::string name : {"convolution_to_linear_vgg19", "convolution_to_linear_mobilenet"}) {
    INFO(name);
    const auto& entry = golden_case("pruning", name);
    Graph graph = network(entry);
    REQUIRE(size_of(graph, entry.at("next_linear"), 1) == entry.at("linear_inputs_before"));
    const auto layer = entry.at("layer").get<std::string>();
    bound_pruner(graph, "Pruner",
                 fmt::format("{{granularity: filter, amount: {}, weights: [{}.weight]}}",
                             entry.at("fraction_to_prune").get<double>(), layer))
        ->set_masks(graph, {});
    thin(graph);
    REQUIRE(size_of(graph, layer, 0) == entry.at("expected_filters_after"));
    REQUIRE(size_of(graph, entry.at("next_linear"), 1) == entry.at("expected_linear_inputs_after"));
  }
}

TEST_CASE("golden: a default threshold holds for every parameter", "[prune][golden]") {
  const auto& entry = golden_case("pruning", "magnitude_default_threshold");
  Graph graph = small_graph();
  auto weight = at::ones({3, 64, 32, 32});
  weight[1][4][17][31].fill_(0.2);
  graph.assign("conv1.weight", weight);
  bound_pruner(graph, "MagnitudeParameterPruner", "thresholds: {'*': 0.4}")->set_masks(graph, {});
  const auto sparsity = [](const at::Tensor& x) { return x.eq(0).to(at::kDouble).mean().item<double>(); };
  REQUIRE(sparsity(graph.parameter("conv1.weight").mask) ==
          Approx(entry.at("expected").at("mask_sparsity").get<double>()).margin(1e-6));
  graph.assign("conv1.weight", at::full({3, 64, 32, 32}, 0.3));
  apply_mask(graph, graph.parameter("conv1.weight"));
  REQUIRE(
      sparsity(graph.parameter("conv1.weight").value) ==
      Approx(entry.at("expected").at("mask_applied_to_tensor_filled_with_0.3_sparsity").get<double>()).margin(1e-6));
}

TEST_CASE("golden: rows of a linear layer are the stored columns", "[prune][golden]") {
  const auto& entry = golden_case("pruning", "rank_columns_of_matrix");
  auto graph = parse_graph("graph g(input: float[N,3]) -> (output = fc)\nparameter fc.weight: float[3,3]\n"
                           "fc = Gemm(input, %fc.weight) transB=1\n");
  graph.assign("fc.weight", tensor_of(entry.at("input")));
  bound_pruner(graph, "L1RankedStructureParameterPruner",
               ranked_arguments("Rows", entry.at("fraction_to_prune"), "fc.weight"))
      ->set_masks(graph, {});
  REQUIRE(graph.parameter("fc.weight").mask.equal(tensor_of(entry.at("expected_mask"))));
  const auto strengths = make_part(criteria(), "magnitude")
                             ->strengths({graph, "fc.weight", *make_part(analysis::granularities(), "column"), {}});
  REQUIRE(strengths.equal(tensor_of(entry.at("column_mean_l1"))));
}
