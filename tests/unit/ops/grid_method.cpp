#include "ops/grid_method.h"

#include "core/file.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace compress;
using namespace compress::ops;
using namespace compress::test;

namespace {

at::Tensor floats(const nlohmann::json& json) {
  if (json.is_array()) return numbers(json.get<std::vector<double>>()).to(at::kFloat);
  return at::scalar_tensor(json.get<double>(), at::kFloat);
}

/// A FakeQuantize of the method, with inputs "x", "s", "z" and the method's own.
Node quantizer_of(const std::string& method, const nlohmann::json& attributes) {
  Node node{.name = "q", .op = "FakeQuantize", .inputs = {"x", "s", "z"}};
  node.attributes.set("method", method);
  for (const auto& [name, value] : attributes.items()) node.attributes.set(name, value.get<int64_t>());
  for (const auto& input : grid_method(method).inputs) node.inputs.emplace_back(input.name);
  return node;
}

/// Value, scale, zero point and the method's own inputs of a golden case, all of which take gradients.
std::vector<at::Tensor> inputs_of(const nlohmann::json& test) {
  const auto& parameters = test.at("parameters");
  const auto shape = test.at("shape").get<Shape>();
  const auto first = parameters.empty() ? at::scalar_tensor(1, at::kFloat) : floats(*parameters.begin());
  std::vector<at::Tensor> inputs{floats(test.at("x")).reshape(shape), first.new_ones(first.sizes()),
                                 first.new_zeros(first.sizes())};
  if (parameters.contains("scale")) inputs[1] = floats(parameters.at("scale"));
  for (const auto& input : grid_method(test.at("method").get<std::string>()).inputs)
    inputs.push_back(floats(parameters.at(std::string(input.name))));
  for (size_t i = 0; i < inputs.size(); ++i)
    if (i != 2) inputs[i].set_requires_grad(true);
  return inputs;
}

at::Tensor gradient_of(const at::Tensor& tensor) {
  return tensor.grad().defined() ? tensor.grad() : tensor.detach().mul(0);
}

std::vector<ValueInfo> infos_for(const Node& node, const Shape& own = {}) {
  std::vector<ValueInfo> infos{{{2, 3}}, {{}}, {{}}};
  while (infos.size() < node.inputs.size()) infos.push_back({own});
  return infos;
}

void infer_quantizer(const Node& node, const std::vector<ValueInfo>& infos) {
  op_of(node).infer({.node = node, .inputs = infos});
}

}  // namespace

TEST_CASE("grid methods: values and gradients are those of the papers' formulas under PyTorch's autograd", "[ops]") {
  for (const auto& test : nlohmann::json::parse(read_file("tests/golden/grid_methods.json"))) {
    INFO(test.at("method") << " " << test.at("attributes"));
    const auto node = quantizer_of(test.at("method"), test.at("attributes"));
    const auto inputs = inputs_of(test);
    const at::AutoGradMode gradients(true);
    const auto y = run_op(node, inputs, Mode::train)[0];
    require_close(y.flatten(), floats(test.at("y")), 1e-6);
    y.backward(floats(test.at("gradient")).reshape(y.sizes()));
    require_close(gradient_of(inputs[0]).flatten(), floats(test.at("dx")), 2e-6);
    for (size_t i = 1; i < inputs.size(); ++i) {
      const auto name = i == 1 ? "scale" : i == 2 ? "" : std::string(grid_method(node).inputs[i - 3].name);
      if (!test.at("d").contains(name)) continue;
      INFO(name);
      require_close(gradient_of(inputs[i]).flatten(), floats(test.at("d").at(name)), 1e-5);
    }
  }
}

TEST_CASE("grid methods: a scale that learning pushed to or below 0 still rounds, and can come back", "[ops]") {
  const auto node = quantizer_of("lsq", {{"bits", 4}});
  auto scale = at::scalar_tensor(-0.5, at::kFloat);
  scale.set_requires_grad(true);
  const auto y =
      run_op(node, {numbers({0.3, -0.7}).to(at::kFloat), scale, at::scalar_tensor(0, at::kFloat)}, Mode::train)[0];
  REQUIRE(y.isfinite().all().item<bool>());
  y.sum().backward();
  REQUIRE(scale.grad().item<double>() != 0);
}

TEST_CASE("grid methods: a range keeps 0, whatever its ends learned", "[ops]") {
  const auto node = quantizer_of("trained_range", {{"bits", 4}, {"signed", 0}, {"symmetric", 0}});
  const auto number = [](double value) { return at::scalar_tensor(value, at::kFloat); };
  const auto x = numbers({0, 1, 2, 3}).to(at::kFloat);
  const at::Tensor inputs[] = {x, number(1), number(0), number(0.5), number(3)};
  const at::Tensor* pointers[] = {&inputs[0], &inputs[1], &inputs[2], &inputs[3], &inputs[4]};
  const auto result = settled(node, pointers);
  REQUIRE(result.grid.zero_point.item<double>() == 0);
  REQUIRE(result.grid.scale.item<float>() == Approx(3.0 / 15));
}

TEST_CASE("grid methods: learned scales obey the rule of powers of two", "[ops]") {
  auto node = quantizer_of("pact", {{"bits", 4}, {"signed", 0}});
  node.attributes.set("scale_rule", std::string("power_of_two"));
  const auto number = [](double value) { return at::scalar_tensor(value, at::kFloat); };
  const at::Tensor inputs[] = {numbers({0.3, 9}).to(at::kFloat), number(1), number(0), number(6)};
  const at::Tensor* pointers[] = {&inputs[0], &inputs[1], &inputs[2], &inputs[3]};
  REQUIRE(settled(node, pointers).grid.scale.item<double>() == 0.5);
}

TEST_CASE("grid methods: one bit of DoReFa is the sign and the mean magnitude of what is not masked", "[ops]") {
  const auto node = quantizer_of("dorefa", {{"bits", 1}});
  const auto w = numbers({0.5, 0, -1.5, 0, 1}).to(at::kFloat);
  const std::vector<at::Tensor> inputs{w, at::scalar_tensor(1, at::kFloat), at::scalar_tensor(0, at::kFloat)};
  require_close(run_op(node, inputs)[0], numbers({1, 0, -1, 0, 1}), 0);
}

TEST_CASE("grid methods: DoReFa's signed grid is for parameters", "[ops]") {
  const auto node = quantizer_of("dorefa", {{"bits", 4}});
  const at::Tensor scale = at::scalar_tensor(1, at::kFloat), zero_point = at::scalar_tensor(0, at::kFloat);
  const at::Tensor* pointers[] = {nullptr, &scale, &zero_point};
  require_error([&] { settled(node, pointers); },
                "method 'dorefa' transforms weights, but what 'q' quantises is no parameter",
                "give values an unsigned grid (signed=0)");
}

TEST_CASE("grid methods: NEMO's weights have 2^Q integers around 0", "[ops]") {
  const auto node = quantizer_of("pact_asymmetric", {{"bits", 8}, {"signed", 0}, {"symmetric", 0}});
  const auto number = [](double value) { return at::scalar_tensor(value, at::kFloat); };
  const at::Tensor inputs[] = {numbers({-0.3, 0.9}).to(at::kFloat), number(1), number(0), number(0.3), number(0.9)};
  const at::Tensor* pointers[] = {&inputs[0], &inputs[1], &inputs[2], &inputs[3], &inputs[4]};
  REQUIRE(settled(node, pointers).grid.zero_point.item<double>() == 64);  // -64 ... 191
}

TEST_CASE("grid methods: names, inputs and attributes are checked", "[ops]") {
  require_error([] { grid_method("lqs"); }, "unknown method 'lqs'", "lsq");
  const auto node = [](const std::string& text) { return node_of("y = FakeQuantize(x, %s, %z" + text); };
  const auto infer = [](const Node& some) { infer_quantizer(some, infos_for(some)); };
  require_error([&] { infer(node(") method=\"pact\"")); }, "method 'pact' needs the input alpha");
  require_error([&] { infer(node(") method=\"trained_range\"")); }, "needs the inputs range_min and range_max");
  require_error([&] { infer(node(", %a)")); }, "method 'fixed' takes three inputs");
  require_error([&] { infer(node(") ema_decay=0.9")); },
                "'ema_decay' is one of method 'ema', but the method is 'fixed'");
  require_error([&] { infer(node(", %a) method=\"pact\" signed=1")); }, "unsigned with zero point 0",
                "pact_asymmetric");
  require_error([&] { infer(node(", %a, %b) method=\"pact_asymmetric\"")); }, "symmetric=0");
  require_error([&] { infer(node(", %o) method=\"lsq_plus\"")); }, "offset, but the grid is symmetric", "'lsq'");
  require_error([&] { infer(node(") method=\"lsq\" format=\"float8_e4m3\"")); }, "the format is 'float8_e4m3'");
  require_error([&] { infer(node(") method=\"lsq\" slot=0")); }, "method 'lsq' has no slots");
  require_error([&] { infer(node(") method=\"wrpn\" symmetric=0")); }, "'wrpn' has a range of its own");
  require_error([&] { infer(node(") method=\"dorefa\" bits=16")); }, "integers of 17 bits", "1 to 15");
  require_error([&] { infer(node(") method=\"dorefa\" bits=1 signed=0")); }, "one bit is for weights");
  require_error([&] { infer(node(") method=\"wrpn\" bits=1")); }, "bits");
  require_error([&] { infer(node(", %a, %b, %c) method=\"ema\" ema_decay=1.0")); }, "attribute 'ema_decay' is 1",
                "allowed is (0, 1)");
  const auto pact = node(", %a) method=\"pact\" signed=0");
  require_error([&] { infer_quantizer(pact, infos_for(pact, {7})); },
                "input 3 has shape 7, but 1 number(s) are needed");
  REQUIRE_NOTHROW(infer(node(") method=\"dorefa\" bits=1")));
}
