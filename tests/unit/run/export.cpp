#include "run/export.h"

#include "core/file.h"
#include "graph/text_form.h"
#include "io/onnx.h"
#include "support/check_error.h"
#include "support/temporary_folder.h"

#include <catch2/catch.hpp>

namespace compress::run {

namespace {

Graph recurrent() {
  return parse_graph("graph g(x: float[N,7,3]) -> (y = back)\n"
                     "parameter lstm.weight_ih_l0: float[20,3]\nparameter lstm.weight_hh_l0: float[20,5]\n"
                     "first = Transpose(x) perm=[1,0,2]\n"
                     "lstm = LSTM(first, %lstm.weight_ih_l0, %lstm.weight_hh_l0)\n"
                     "gelu = Gelu(lstm)\nback = Transpose(gelu) perm=[1,0,2]\n");
}

/// A linear layer whose input and weight are on grids.
Graph quantized(int64_t bits) {
  auto graph = parse_graph("graph g(x: float[N,4]) -> (y = fc)\n"
                           "parameter w: float[2,4]\n"
                           "parameter s: float[] fixed\nparameter z: float[] fixed\n"
                           "x.quantizer = FakeQuantize(x, %s, %z)\n"
                           "w.quantizer = FakeQuantize(%w, %s, %z)\n"
                           "fc = Gemm(x.quantizer, w.quantizer) transB=1\n");
  for (const auto* name : {"s2", "z2"})
    graph.add_parameter({.name = name, .value = graph.parameter("z").value.clone(), .trainable = false});
  for (const auto* name : {"s", "s2"}) graph.assign(name, graph.parameter("s").value.clone().fill_(0.125));
  auto& weight = graph.node("w.quantizer");
  weight.inputs = {"w", "s2", "z2"};
  for (const auto* name : {"x.quantizer", "w.quantizer"}) graph.node(name).attributes.set("bits", bits);
  graph.touch();
  return graph;
}

}  // namespace

TEST_CASE("export_model: a recurrent layer is floating point, and the file has the opset that it needs", "[run]") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "model.onnx";
  REQUIRE_FALSE(is_quantized(recurrent()));
  const auto file = export_model(recurrent(), {}, path);
  REQUIRE(file.opset == 20);
  REQUIRE(file.bytes == static_cast<int64_t>(std::filesystem::file_size(path)));
  REQUIRE(print_graph(io::import_onnx(path)).find("LSTM(") != std::string::npos);
}

TEST_CASE("export_model: integers need quantisers", "[run]") {
  const test::TemporaryFolder folder;
  test::require_error([&] { export_model(recurrent(), {.format = "onnx-qdq"}, folder.path() / "q.onnx"); },
                      "the format 'onnx-qdq' needs a quantised model, and this one has no quantisers",
                      "use the format 'onnx', or quantise first");
  test::require_error([&] { export_model(recurrent(), {.encodings = {"aimet"}}, folder.path() / "q.onnx"); },
                      "encodings describe quantisers, and this model has none", "quantise first");
  test::require_error([&] { export_model(recurrent(), {.format = "onx"}, folder.path() / "q.onnx"); },
                      "unknown export format 'onx'", "did you mean 'onnx'?",
                      "onnx, onnx-qdq, onnx-qoperator, onnx-float");
}

TEST_CASE("export_model: each format of a quantised model", "[run]") {
  const test::TemporaryFolder folder;
  const auto operators = [&](const char* format) {
    const auto path = folder.path() / (std::string(format) + ".onnx");
    export_model(quantized(8), {.format = format}, path);
    return print_graph(io::import_onnx(path));
  };
  using Catch::Contains;
  REQUIRE_THAT(operators("onnx-qdq"), Contains("QuantizeLinear(") && Contains("Gemm("));
  REQUIRE_THAT(operators("onnx-qoperator"), Contains("MatMulInteger("));
  REQUIRE_THAT(operators("onnx-float"), !Contains("QuantizeLinear(") && Contains("Gemm("));
  test::require_error([&] { export_model(quantized(8), {}, folder.path() / "f.onnx"); },
                      "the format 'onnx' is floating point, but the model is quantised",
                      "use the format 'onnx-qdq', or 'onnx-float' with encodings");
}

TEST_CASE("export_model: encodings lie beside the model", "[run]") {
  const test::TemporaryFolder folder;
  const auto file = export_model(quantized(8), {.format = "onnx-float", .encodings = {"aimet", "tensorrt"}},
                                 folder.path() / "model.onnx");
  REQUIRE(file.encodings.size() == 2);
  REQUIRE(file.encodings[0] == folder.path() / "model.encodings");
  REQUIRE(file.encodings[1] == folder.path() / "model.calibration.cache");
  for (const auto& path : file.encodings) REQUIRE(std::filesystem::file_size(path) > 20);
}

TEST_CASE("export_model: what cannot be written leaves no file, and the one that was there", "[run]") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "model.onnx";
  test::require_error(
      [&] {
        export_model(quantized(6), {.format = "onnx-qdq", .encodings = {"aimet", "tensorrt"}}, path);
      },
      "TensorRT's calibration cache has 8 bits, but 'x' has 6");
  test::require_error([&] { export_model(quantized(16), {.format = "onnx-qdq", .opset = 17}, path); },
                      "works with integers of 16 bits, which ONNX has since opset 21; the file shall have opset 17");
  REQUIRE(std::filesystem::is_empty(folder.path()));
  export_model(quantized(8), {.format = "onnx-qdq"}, path);
  const auto size = std::filesystem::file_size(path);
  REQUIRE_THROWS_AS(export_model(quantized(16), {.format = "onnx-qdq", .opset = 17}, path), Error);
  REQUIRE(std::filesystem::file_size(path) == size);
  REQUIRE(export_model(quantized(16), {.format = "onnx-qdq"}, path).opset == 21);
}

TEST_CASE("export_model: encodings that cannot be written leave the model that was there, and its encodings", "[run]") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "model.onnx";
  const auto with = [](std::vector<std::string> encodings) {
    return schedule::ExportConfig{.format = "onnx-float", .encodings = std::move(encodings)};
  };
  export_model(quantized(8), with({"aimet"}), path);
  const auto model = read_file(path), encodings = read_file(folder.path() / "model.encodings");
  std::filesystem::create_directory(folder.path() / "model.calibration.cache");
  auto other = quantized(8);
  other.assign("s", other.parameter("s").value.mul(2));
  test::require_error(
      [&] {
        export_model(other, with({"aimet", "tensorrt"}), path);
      },
      "cannot write '", "model.calibration.cache': it is a folder");
  REQUIRE(read_file(path) == model);
  REQUIRE(read_file(folder.path() / "model.encodings") == encodings);
  auto late = with({"aimet"});
  late.format = "onnx-qdq";
  late.opset = 17;
  REQUIRE_THROWS_AS(export_model(quantized(16), late, path), Error);
  REQUIRE(read_file(folder.path() / "model.encodings") == encodings);
  const auto files = std::distance(std::filesystem::directory_iterator(folder.path()), {});
  REQUIRE(files == 3);
}

TEST_CASE("export_model: nothing but the model and its encodings is written or replaced", "[run]") {
  const test::TemporaryFolder folder;
  for (const char* name : {"model.encodings.new", "model.onnx.new", "model.onnx.part"})
    write_file(folder.path() / name, name);
  for (int i = 0; i < 2; ++i)
    export_model(quantized(8), {.format = "onnx-float", .encodings = {"aimet"}}, folder.path() / "model.onnx");
  REQUIRE(read_file(folder.path() / "model.encodings.new") == "model.encodings.new");
  const auto files = std::distance(std::filesystem::directory_iterator(folder.path()), {});
  REQUIRE(files == 5);
}

TEST_CASE("export_model: encodings in a folder that is not there", "[run]") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "none" / "model.onnx";
  test::require_error([&] { export_model(quantized(8), {.format = "onnx-float", .encodings = {"aimet"}}, path); },
                      "cannot write '", "none/model.encodings': there is no folder '");
}

TEST_CASE("export_model: an opset that a grid needs anyway has 4-bit integers, too", "[run]") {
  const test::TemporaryFolder folder;
  auto graph = quantized(16);
  graph.node("w.quantizer").attributes.set("bits", int64_t{4});
  graph.touch();
  export_model(graph, {.format = "onnx-qdq"}, folder.path() / "model.onnx");
  const auto again = io::import_onnx(folder.path() / "model.onnx");
  REQUIRE(again.node("w.quantizer").attributes.integer("bits", 8) == 4);
}

TEST_CASE("export: encodings are checked with the recipe", "[run]") {
  schedule::ExportConfig config{.format = "onnx-float", .encodings = {"aimet", "tensort"}};
  test::require_error([&] { config.check(); }, "unknown form of encodings 'tensort'", "did you mean 'tensorrt'?");
  config = {.encodings = {"aimet"}};
  test::require_error([&] { config.check(); }, "encodings go with a format for quantised models, not with 'onnx'",
                      "use onnx-float or onnx-qdq");
}

}  // namespace compress::run
