#include "exec/plan.h"
#include "graph/text_form.h"
#include "passes/pass.h"
#include "quant/quantizer.h"
#include "support/check_error.h"
#include "support/tensors.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::require_error;
using compress::test::wild;

namespace {

/// Two convolutions with batch-norms; dropout between them must not draw.
Graph two_norms() {
  auto graph = parse_graph(R"(graph g(input: float[N,2,6,6]) -> (output = fc)
parameter conv1.weight: float[4,2,3,3]
parameter bn1.weight: float[4]
parameter bn1.bias: float[4]
parameter bn1.running_mean: float[4] fixed
parameter bn1.running_var: float[4] fixed
parameter conv2.weight: float[3,4,3,3]
parameter bn2.weight: float[3]
parameter bn2.bias: float[3]
parameter bn2.running_mean: float[3] fixed
parameter bn2.running_var: float[3] fixed
parameter fc.weight: float[2,3]
conv1 = Conv(input, %conv1.weight) kernel_shape=[3,3]
bn1 = BatchNormalization(conv1, %bn1.weight, %bn1.bias, %bn1.running_mean, %bn1.running_var)
relu1 = Relu(bn1)
drop = Dropout(relu1) ratio=0.5
conv2 = Conv(drop, %conv2.weight) kernel_shape=[3,3]
bn2 = BatchNormalization(conv2, %bn2.weight, %bn2.bias, %bn2.running_mean, %bn2.running_var)
pool = GlobalAveragePool(bn2)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight) transB=1
)");
  double seed = 0;
  for (const auto& name : graph.parameter_names()) {
    const auto sizes = graph.parameter(name).value.sizes().vec();
    const auto value = name.ends_with("var") ? test::wild_positive(sizes, ++seed) : wild(sizes, ++seed);
    graph.assign(name, value.to(at::kFloat));
  }
  return graph;
}

at::Tensor samples(int64_t count) {
  return wild({count, 2, 6, 6}, 3).add(0.5).to(at::kFloat);
}

Changes reestimate(Graph& graph, const at::Tensor& images, const std::string& settings) {
  const auto pass = passes::passes().make("reestimate_batchnorm");
  Settings declared;
  pass->declare(declared);
  declared.read(parse_yaml(settings, "recipe.yaml"), "the pass");
  const auto batch_size = pass->needs().batch_size;
  pass->look_at([&](const auto& consume) {
    for (int64_t i = 0; i < images.size(0); i += batch_size)
      consume({images.narrow(0, i, std::min(batch_size, images.size(0) - i))});
  });
  return passes::run(*pass, "reestimate_batchnorm", graph);
}

const at::Tensor& value(const Graph& graph, const std::string& name) {
  return graph.parameter(name).value;
}

/// Per channel over all samples and places.
at::Tensor mean_of(const at::Tensor& x) {
  return x.to(at::kDouble).mean({0, 2, 3});
}
at::Tensor variance_of(const at::Tensor& x) {
  return x.to(at::kDouble).transpose(0, 1).flatten(1).var(1, /*unbiased=*/true);
}

void require_close(const at::Tensor& got, const at::Tensor& wanted) {
  INFO(got << '\n' << wanted);
  REQUIRE(got.sub(wanted).abs().max().item<double>() < 1e-5);
}

}  // namespace

TEST_CASE("reestimate_batchnorm: statistics are those of all samples together") {
  auto graph = two_norms();
  const auto before = graph.clone();
  const auto images = samples(12);
  REQUIRE(reestimate(graph, images, "{samples: 12, batch_size: 4}").nodes_changed == 2);
  const auto conv1 = at::conv2d(images, value(graph, "conv1.weight"));
  require_close(value(graph, "bn1.running_mean"), mean_of(conv1));
  require_close(value(graph, "bn1.running_var"), variance_of(conv1));
  // The second sees what the first makes of each batch, as in training; dropout passes all.
  std::vector<at::Tensor> parts;
  for (const auto& part : conv1.split(4))
    parts.push_back(at::conv2d(at::batch_norm(part, value(graph, "bn1.weight"), value(graph, "bn1.bias"), {}, {},
                                              /*training=*/true, 0.1, 1e-5, false)
                                   .relu(),
                               value(graph, "conv2.weight")));
  require_close(value(graph, "bn2.running_mean"), mean_of(at::cat(parts)));
  require_close(value(graph, "bn2.running_var"), variance_of(at::cat(parts)));
  for (const auto& name : graph.parameter_names())
    if (name.find("running") == std::string::npos) REQUIRE(value(graph, name).equal(value(before, name)));
  REQUIRE(graph.parameter_names() == before.parameter_names());
  REQUIRE_FALSE(value(before, "bn1.running_mean").equal(value(graph, "bn1.running_mean")));
  REQUIRE((graph.node("bn1").attributes == before.node("bn1").attributes));
}

TEST_CASE("reestimate_batchnorm: the same samples give the same bits; what is left over of a batch is not used") {
  auto once = two_norms(), twice = two_norms();
  reestimate(once, samples(12), "{samples: 12, batch_size: 4}");
  reestimate(twice, at::cat({samples(12), samples(3)}), "{samples: 15, batch_size: 4}");
  reestimate(twice, samples(12), "{samples: 12, batch_size: 4}");
  for (const auto& name : once.parameter_names()) REQUIRE(value(once, name).equal(value(twice, name)));
}

TEST_CASE("reestimate_batchnorm: a thinned network") {
  auto graph = two_norms();
  for (const char* name : {"conv1.weight", "bn1.weight", "bn1.bias"}) graph.writable(name).narrow(0, 1, 2).zero_();
  passes::run(*passes::passes().make("thin"), "thin", graph);
  REQUIRE(value(graph, "conv1.weight").size(0) == 2);
  const auto images = samples(8);
  reestimate(graph, images, "{samples: 8, batch_size: 8}");
  const auto conv1 = at::conv2d(images, value(graph, "conv1.weight"));
  require_close(value(graph, "bn1.running_mean"), mean_of(conv1));
  require_close(value(graph, "bn1.running_var"), variance_of(conv1));
}

TEST_CASE("reestimate_batchnorm: a batch-norm that runs twice gets the statistics of both") {
  auto graph = parse_graph(R"(graph g(input: float[N,2,4,4]) -> (output = sum)
parameter conv.weight: float[2,2,1,1]
parameter bn.weight: float[2]
parameter bn.bias: float[2]
parameter bn.running_mean: float[2] fixed
parameter bn.running_var: float[2] fixed
bn = BatchNormalization(input, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var)
conv = Conv(input, %conv.weight) kernel_shape=[1,1]
again = BatchNormalization(conv, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var)
sum = Add(bn, again)
)");
  graph.assign("conv.weight", wild({2, 2, 1, 1}).to(at::kFloat));
  const auto images = wild({6, 2, 4, 4}).to(at::kFloat);
  reestimate(graph, images, "{samples: 6, batch_size: 6}");
  const auto both = at::cat({images, at::conv2d(images, value(graph, "conv.weight"))});
  require_close(value(graph, "bn.running_mean"), mean_of(both));
  require_close(value(graph, "bn.running_var"), variance_of(both));
}

TEST_CASE("reestimate_batchnorm: convolution and batch-norm of quantisation-aware training, with their scale") {
  auto graph = two_norms();
  const auto quantizer = quant::quantizers().make("QuantAwareTrainRangeLinearQuantizer");
  Settings bits;
  quantizer->declare(bits);
  bits.read(parse_yaml("{bits_activations: 8, bits_weights: 8, num_bits_inputs: 32}", "recipe.yaml"), "the quantizer");
  quantizer->prepare(graph, {.batches = {}});
  REQUIRE(graph.node("conv1").op == "ConvBatchNormalization");
  const auto node = graph.node("conv1");
  // The scale of a folded weight is proportional to its factor, gamma / sqrt(variance + epsilon).
  const auto scale_without_variance = [&](const at::Tensor& images) {
    reestimate(graph, images, "{samples: 8, batch_size: 8}");
    const auto conv1 = at::conv2d(images, value(graph, "conv1.weight"));
    REQUIRE(value(graph, "bn1.running_mean").sub(mean_of(conv1)).abs().max().item<double>() < 0.05);
    REQUIRE(value(graph, "bn1.running_var").div(variance_of(conv1)).sub(1).abs().max().item<double>() < 0.05);
    return value(graph, node.inputs.at(7)).mul(value(graph, "bn1.running_var").add(1e-5).sqrt());
  };
  const auto first = scale_without_variance(samples(8)), second = scale_without_variance(samples(8).mul(2));
  require_close(first, second);
  REQUIRE(first.min().item<double>() > 0);
}

TEST_CASE("reestimate_batchnorm: what it cannot do is said") {
  auto graph = two_norms();
  const auto pass = passes::passes().make("reestimate_batchnorm");
  REQUIRE(pass->needs().samples == 4096);
  REQUIRE_FALSE(pass->compresses());
  require_error([&] { passes::run(*pass, "reestimate_batchnorm", graph); },
                "the pass looks at training samples, and there is no data set", "running pass 'reestimate_batchnorm'");
  auto linear =
      parse_graph("graph g(input: float[N,2]) -> (output = bn)\nparameter w: float[2]\nparameter b: float[2]\n"
                  "parameter m: float[2] fixed\nparameter v: float[2] fixed\n"
                  "bn = BatchNormalization(input, %w, %b, %m, %v)\n");
  require_error(
      [&] {
        reestimate(linear, wild({2, 2}).to(at::kFloat), "{samples: 2, batch_size: 1}");
      },
      "batch-norm 'bn' sees one number for each channel", "a larger 'batch_size'");
  auto none = parse_graph("graph g(input: float[N,2]) -> (output = r)\nr = Relu(input)\n");
  REQUIRE(reestimate(none, wild({2, 2}).to(at::kFloat), "{}").empty());
}
