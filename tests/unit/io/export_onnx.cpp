#include "core/file.h"
#include "graph/text_form.h"
#include "io/onnx.h"
#include "support/check_error.h"
#include "support/random_graph.h"
#include "support/temporary_folder.h"

#include <catch2/catch.hpp>
#include <onnx/onnx_pb.h>

using namespace compress;

namespace {

onnx::ModelProto exported(const Graph& graph, io::ExportOptions options = {}) {
  onnx::ModelProto model;
  REQUIRE(model.ParseFromString(io::export_onnx_bytes(graph, options)));
  return model;
}

void require_same(const Graph& a, const Graph& b) {
  REQUIRE(print_graph(a) == print_graph(b));
  REQUIRE(a.metadata == b.metadata);
  for (const auto& parameter : a.parameters()) REQUIRE(parameter.value.equal(b.parameter(parameter.name).value));
}

Graph parsed(const std::string& nodes, const std::string& outputs = "y = n") {
  return parse_graph("graph g(x: float[N,2,4,4]) -> (" + outputs + ")\n" + nodes);
}

}  // namespace

TEST_CASE("export: export and import give back the same graph, whatever the opset") {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    INFO("seed " << seed);
    // A graph built here need not be canonical; one that was imported is, and stays what it is.
    const auto graph = io::import_onnx_bytes(io::export_onnx_bytes(test::random_graph(seed)), "once.onnx");
    for (const int opset : {13, 17, 18, 21})
      require_same(graph, io::import_onnx_bytes(io::export_onnx_bytes(graph, {.opset = opset}), "twice.onnx"));
  }
}

TEST_CASE("export: the exact reader gives back any graph, canonical or not") {
  test::TemporaryFolder folder;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    auto graph = test::random_graph(seed);
    graph.metadata["note"] = "kept";
    io::export_onnx(graph, folder / "g.onnx", {.opset = 21});
    require_same(graph, io::read_onnx_exactly(folder / "g.onnx"));
  }
}

TEST_CASE("export: numbers that 32 bits cannot hold, trainable flags and outputs of any kind survive") {
  test::TemporaryFolder folder;
  auto graph = parsed("parameter w: float[2,2,1,1] fixed\nparameter unread: float[3]\na = Identity(x)\nb = "
                      "LeakyRelu(a) alpha=0.1234567890123456\n"
                      "n = Conv(b, %w) kernel_shape=[1,1]\n",
                      "y = n, z = n, again = x, c = w");
  graph.parameter("w").value.fill_(0.5);
  io::export_onnx(graph, folder / "g.onnx");
  require_same(graph, io::read_onnx_exactly(folder / "g.onnx"));
}

TEST_CASE("export: outputs have the outside's names, values the nodes', the batch is N") {
  const auto model = exported(parsed("n = Relu(x)\n"));
  REQUIRE(model.graph().node(0).name() == "n");
  REQUIRE(model.graph().node(0).output(0) == "y");
  REQUIRE(model.graph().input(0).type().tensor_type().shape().dim(0).dim_param() == "N");
  REQUIRE(model.graph().output(0).type().tensor_type().shape().dim(0).dim_param() == "N");
  REQUIRE(model.graph().output(0).type().tensor_type().shape().dim(1).dim_value() == 2);
  REQUIRE(model.producer_name() == "compress");
  REQUIRE(model.opset_import(0).version() == 17);
}

TEST_CASE("export: each opset has constants where it wants them") {
  const auto graph = parsed("n = ReduceMean(x) axes=[2,3] keepdims=0\n");
  const auto before = exported(graph, {.opset = 17}), after = exported(graph, {.opset = 18});
  REQUIRE(before.graph().node(0).input_size() == 1);
  REQUIRE(after.graph().node(0).input_size() == 2);
  REQUIRE(after.graph().initializer(0).name() == "n.axes");
  REQUIRE(after.ir_version() == 8);
  REQUIRE(exported(graph, {.opset = 21}).ir_version() == 10);
}

TEST_CASE("export: without an opset, 17 or the oldest that has all that the graph uses") {
  const auto opset = [](const Graph& graph) { return exported(graph, {}).opset_import(0).version(); };
  REQUIRE(opset(parsed("n = Relu(x)\n")) == 17);
  REQUIRE(opset(parsed("n = Gelu(x)\n")) == 20);
  REQUIRE(opset(parsed("n = Pad(x) pads=[0,0,1,1,0,0,1,1] mode=\"wrap\"\n")) == 19);
}

TEST_CASE("export: an opset that lacks the operator, and opsets out of range, are errors") {
  const auto smooth = parsed("n = Resize(x) scales=[1,1,0.5,0.5] mode=\"linear\" antialias=1\n");
  test::require_error([&] { io::export_onnx_bytes(smooth, {.opset = 17}); },
                      "attribute 'antialias' exists in ONNX since opset 18, the file shall have opset 17",
                      "export with opset 18 or later");
  const auto wrapped = parsed("n = Pad(x) pads=[0,0,1,1,0,0,1,1] mode=\"wrap\"\n");
  test::require_error([&] { io::export_onnx_bytes(wrapped, {.opset = 17}); },
                      "attribute 'mode' = 'wrap' exists in ONNX since opset 19");
  test::require_error([] { io::export_onnx_bytes(parsed("n = HardSwish(x)\n"), {.opset = 13}); }, "since opset 14",
                      "the file shall have opset 13");
  test::require_error([] { io::export_onnx_bytes(parsed("n = Relu(x)\n"), {.opset = 12}); },
                      "cannot export ONNX opset 12", "13 to 28");
}

TEST_CASE("export: our own operators need permission") {
  const auto graph =
      parse_graph("graph g(x: float[N,2]) -> (y = q)\nparameter s: float[] fixed\nparameter z: float[] fixed\n"
                  "q = FakeQuantize(x, %s, %z)\n");
  test::require_error([&] { io::export_onnx_bytes(graph); }, "(FakeQuantize)", "has no form in ONNX");
  REQUIRE(exported(graph, {.own_operators = true}).opset_import(1).domain() == "compress");
}

TEST_CASE("export: tensors above the limit go to a file beside") {
  test::TemporaryFolder folder;
  const auto graph = io::import_onnx_bytes(io::export_onnx_bytes(test::random_graph(1)), "once.onnx");
  io::export_onnx(graph, folder / "m.onnx", {.largest = 100});
  REQUIRE(std::filesystem::exists(folder / "m.onnx.data"));
  require_same(graph, io::import_onnx(folder / "m.onnx"));
  test::require_error([&] { io::export_onnx_bytes(graph, {.largest = 100}); }, "one ONNX file can hold 100");
}

TEST_CASE("export: external data may be asked for, and leaves small tensors in the model") {
  test::TemporaryFolder folder;
  const auto graph = io::import_onnx_bytes(
      io::export_onnx_bytes(parse_graph("graph g(x: float[N,40]) -> (y = n)\nparameter w: float[40,40]\nparameter b: "
                                        "float[40]\nn = Gemm(x, %w, %b) transB=1\n")),
      "once.onnx");
  io::export_onnx(graph, folder / "m.onnx", {.external_data = true});
  REQUIRE(std::filesystem::file_size(folder / "m.onnx.data") == 6400);
  require_same(graph, io::import_onnx(folder / "m.onnx"));
  std::filesystem::rename(folder / "m.onnx.data", folder / "other");
  test::require_error([&] { io::import_onnx(folder / "m.onnx"); }, "m.onnx.data", "does not exist");
}
