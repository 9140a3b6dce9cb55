#include "run/weights.h"

#include "io/onnx.h"
#include "io/safetensors.h"
#include "support/captured_stderr.h"
#include "support/check_error.h"
#include "support/temporary_folder.h"
#include "zoo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>

#include <catch2/catch.hpp>

#include <fstream>
#include <limits>

namespace compress::run {

using test::require_error;

namespace {

const char* const kNetwork = "lenet5";

std::map<std::string, at::Tensor> tensors_of(const Graph& graph) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& parameter : graph.parameters()) tensors[parameter.name] = parameter.value;
  return tensors;
}

Graph network() {
  return models::build_model(kNetwork, 1);
}

/// A file with the weights of another seed, changed by `change`.
template <class Change>
std::filesystem::path weights_file(const test::TemporaryFolder& folder, Change&& change) {
  auto tensors = tensors_of(models::build_model(kNetwork, 2));
  change(tensors);
  const auto path = folder / "weights.safetensors";
  io::write_safetensors(path, {.tensors = tensors});
  return path;
}

bool has_weights_of(const Graph& graph, const Graph& other, const std::string& name) {
  return graph.parameter(name).value.equal(other.parameter(name).value);
}

}  // namespace

TEST_CASE("load_weights: safetensors and ONNX give every parameter its tensor", "[run]") {
  const test::TemporaryFolder folder;
  const auto wanted = models::build_model(kNetwork, 2);
  io::export_onnx(wanted, folder / "weights.onnx");
  for (const auto& path : {weights_file(folder, [](auto&) {}), folder / "weights.onnx"}) {
    INFO(path);
    auto graph = network();
    load_weights(graph, path, Match::strict);
    for (const auto& name : graph.parameter_names()) REQUIRE(has_weights_of(graph, wanted, name));
  }
}

TEST_CASE("load_weights: DataParallel's prefix and batch-norm's counters do not matter", "[run]") {
  const test::TemporaryFolder folder;
  auto tensors = tensors_of(models::build_model("resnet20_cifar", 2));
  std::map<std::string, at::Tensor> parallel;
  for (const auto& [name, tensor] : tensors) parallel["module." + name] = tensor;
  parallel["module.bn1.num_batches_tracked"] = at::ones({}, at::kLong);
  io::write_safetensors(folder / "a.safetensors", {.tensors = parallel});
  auto graph = models::build_model("resnet20_cifar", 1);
  load_weights(graph, folder / "a.safetensors", Match::strict);
  REQUIRE(graph.parameter("fc.weight").value.equal(tensors.at("fc.weight")));
}

TEST_CASE("load_weights: a graph without drawn weights takes a file's", "[run]") {
  const test::TemporaryFolder folder;
  auto graph = models::build_model(kNetwork, std::nullopt);
  load_weights(graph, weights_file(folder, [](auto&) {}), Match::strict);
  REQUIRE(has_weights_of(graph, models::build_model(kNetwork, 2), "fc1.weight"));
}

TEST_CASE("load_weights: strict lists what differs, with the nearest names", "[run]") {
  const test::TemporaryFolder folder;
  const auto path = weights_file(folder, [](auto& tensors) {
    auto renamed = tensors.extract("conv1.weight");
    renamed.key() = "conv_1.weight";
    tensors.insert(std::move(renamed));
    tensors["fc2.weight"] = at::ones({7, 500});
    tensors["extra"] = at::ones({1});
  });
  auto graph = network();
  require_error([&] { load_weights(graph, path, Match::strict); }, "do not fit the model",
                "the file lacks 'conv1.weight' (it has 'conv_1.weight')",
                "other shapes: 'fc2.weight' (10x500 in the model, 7x500 in the file)",
                "the model lacks 'conv_1.weight' (it has 'conv1.weight'), 'extra'", "with 'match: by_name'");
}

TEST_CASE("load_weights: by_name takes what fits and says what does not", "[run]") {
  const test::TemporaryFolder folder;
  const auto path = weights_file(folder, [](auto& tensors) {
    tensors.erase("conv2.bias");
    tensors["fc2.weight"] = at::ones({7, 500});
    tensors["extra"] = at::ones({1});
  });
  auto graph = network();
  const auto text = test::captured_stderr([&] { load_weights(graph, path, Match::by_name); });
  const auto first = network(), second = models::build_model(kNetwork, 2);
  REQUIRE(has_weights_of(graph, second, "conv1.weight"));
  REQUIRE(has_weights_of(graph, first, "conv2.bias"));
  REQUIRE(has_weights_of(graph, first, "fc2.weight"));
  REQUIRE(text.find("lacks conv2.bias: they stay as they are") != std::string::npos);
  REQUIRE(text.find("has other shapes, left out: 'fc2.weight'") != std::string::npos);
  REQUIRE(text.find("the model lacks extra of") != std::string::npos);
  REQUIRE(text.find("loaded 6 of 8 parameters") != std::string::npos);
}

TEST_CASE("load_weights: files that cannot be used", "[run]") {
  const test::TemporaryFolder folder;
  auto graph = network();
  require_error([&] { load_weights(graph, folder / "no.safetensors", Match::strict); }, "do not exist");
  std::ofstream(folder / "model.pth") << "x";
  require_error([&] { load_weights(graph, folder / "model.pth", Match::strict); },
                "neither .safetensors nor .onnx nor a run directory", "tools/convert_checkpoint.py");
  require_error([&] { load_weights(graph, folder.path(), Match::strict); }, "holds no checkpoint");
  io::write_safetensors(folder / "other.safetensors", {.tensors = {{"a", at::ones({2})}}});
  require_error([&] { load_weights(graph, folder / "other.safetensors", Match::by_name); }, "no tensor of",
                "fits a parameter of the model");
  const auto path = weights_file(folder, [](auto& tensors) {
    tensors["fc2.bias"] = at::ones({10}).mul(std::numeric_limits<double>::quiet_NaN());
  });
  require_error([&] { load_weights(graph, path, Match::strict); }, "the tensor 'fc2.bias'", "no finite numbers");
}

}  // namespace compress::run
