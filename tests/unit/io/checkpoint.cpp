#include "io/checkpoint.h"

#include "core/file.h"
#include "graph/text_form.h"
#include "io/folder_exchange.h"
#include "io/onnx.h"
#include "io/zero_packing.h"
#include "support/check_error.h"
#include "support/random_graph.h"
#include "support/temporary_folder.h"
#include "support/tensors.h"

#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>
#include <sys/wait.h>

#include <unistd.h>

using namespace compress;
namespace fs = std::filesystem;

namespace {

io::Checkpoint sample(int64_t epoch, uint64_t seed = 1) {
  io::Checkpoint checkpoint{.graph = test::random_graph(seed),
                            .tensors = {{"optimizer/step", test::wild({2, 3})}},
                            .state = {{"epoch", epoch}}};
  test::random_masks(checkpoint.graph, test::MaskKind::filters, seed);
  return checkpoint;
}

void cut(const fs::path& file) {
  fs::resize_file(file, fs::file_size(file) - 3);
}

void flip(const fs::path& file) {
  auto bytes = read_file(file);
  bytes[bytes.size() / 2] ^= 1;
  write_file(file, bytes);
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.view(at::kInt).equal(b.view(at::kInt));
}

/// Makes the record fit files that a test has changed.
void seal_again(const fs::path& folder, int version = 2) {
  auto record = nlohmann::json::parse(read_file(folder / "state.json"));
  record.erase("checksum");
  record["version"] = version;
  for (auto& [name, file] : record["files"].items()) {
    const auto bytes = read_file(folder / name);
    file = {{"bytes", bytes.size()}, {"checksum", checksum(bytes)}};
  }
  record["checksum"] = checksum(record.dump());
  write_file(folder / "state.json", record.dump(1) + "\n");
}

}  // namespace

TEST_CASE("checkpoint: graph, masks, tensors and state come back bit by bit") {
  test::TemporaryFolder folder;
  const auto saved = sample(7);
  io::save_checkpoint(folder / "checkpoint", saved);
  const auto loaded = io::load_checkpoint(folder / "checkpoint");
  REQUIRE(print_graph(loaded.graph) == print_graph(saved.graph));
  REQUIRE(loaded.state == saved.state);
  REQUIRE(loaded.tensors.size() == 1);
  REQUIRE(loaded.tensors.at("optimizer/step").equal(saved.tensors.at("optimizer/step")));
  for (const auto& parameter : saved.graph.parameters()) {
    const auto& other = loaded.graph.parameter(parameter.name);
    REQUIRE(other.value.equal(parameter.value));
    REQUIRE(other.mask.defined() == parameter.mask.defined());
    if (other.mask.defined()) REQUIRE(other.mask.equal(parameter.mask));
  }
}

TEST_CASE("checkpoint: what is mostly zeros is stored packed and comes back bit by bit") {
  test::TemporaryFolder folder;
  io::Checkpoint saved{.graph = parse_graph("graph g(x: float[N,64]) -> (b)\nparameter a.weight: float[256,64]\n"
                                            "parameter b.weight: float[10,256]\na = Gemm(x, %a.weight) transB=1\n"
                                            "b = Gemm(a, %b.weight) transB=1\n"),
                       .state = {{"epoch", 1}}};
  auto& weight = saved.graph.parameter("a.weight");
  const auto mask = test::wild({256, 64}, 1).gt(0.9).to(at::kFloat);
  saved.graph.assign("a.weight", test::wild({256, 64}).to(at::kFloat));
  saved.graph.assign("b.weight", test::wild({10, 256}).to(at::kFloat));
  saved.tensors["optimizer/momentum/a.weight"] = test::wild({256, 64}, 2).to(at::kFloat).mul(mask);
  io::save_checkpoint(folder / "dense", saved);
  saved.graph.assign("a.weight", weight.value.mul(mask));  // a negative number times zero is -0
  weight.mask = mask;
  io::save_checkpoint(folder / "packed", saved);
  const auto loaded = io::load_checkpoint(folder / "packed");
  REQUIRE(print_graph(loaded.graph) == print_graph(saved.graph));
  REQUIRE(same_bits(loaded.graph.parameter("a.weight").value, weight.value));
  REQUIRE(loaded.graph.parameter("a.weight").trainable);
  REQUIRE(loaded.graph.parameter("a.weight").mask.equal(mask));
  REQUIRE(same_bits(loaded.graph.parameter("b.weight").value, saved.graph.parameter("b.weight").value));
  REQUIRE(same_bits(loaded.tensors.at("optimizer/momentum/a.weight"), saved.tensors.at("optimizer/momentum/a.weight")));
  REQUIRE(loaded.tensors.size() == 1);
  const auto size = [&](const char* name) { return fs::file_size(folder / name); };
  REQUIRE(size("packed/graph.onnx") < 10 * 256 * 4 + 2000);
  REQUIRE(size("packed/tensors.safetensors") < size("dense/graph.onnx") / 2);
  REQUIRE(size("dense/tensors.safetensors") < 20000);  // the optimiser's state is packed without a mask, too
}

TEST_CASE("checkpoint: a model whose tensors are packed beside it is no model of its own, and says so") {
  test::TemporaryFolder folder;
  auto graph = parse_graph("graph g(x: float[N,64]) -> (a)\nparameter w: float[64,64]\na = Gemm(x, %w) transB=1\n");
  io::save_checkpoint(folder / "c", {.graph = std::move(graph)});
  test::require_error([&] { io::import_onnx(folder / "c/graph.onnx"); },
                      "tensor 'w' is kept packed in the checkpoint, not in this file", "open the folder of the run");
  const auto load = [&](const at::Tensor& w) { io::read_onnx_exactly(folder / "c/graph.onnx", {{"w", w}}); };
  test::require_error(
      [&] {
        load(at::zeros({64, 63}));
      },
      "tensor 'w' is kept elsewhere with shape 64x63", "do not belong together");
  test::require_error([&] { load(at::zeros({64, 64}, at::kDouble)); }, "type Double");
  io::write_safetensors(folder / "c/tensors.safetensors",
                        io::pack_zeros({{"parameter/w", at::zeros({64, 64})}, {"parameter/v", at::zeros({1})}}));
  seal_again(folder / "c");
  test::require_error([&] { io::load_checkpoint(folder / "c"); }, "'parameter/v', which fits no parameter");
}

TEST_CASE("checkpoint: another version of the form is refused") {
  test::TemporaryFolder folder;
  io::save_checkpoint(folder / "c", sample(1));
  seal_again(folder / "c", 1);
  test::require_error([&] { io::load_checkpoint(folder / "c"); }, "has version 1, this program reads 2",
                      "use the version of compress that wrote it");
}

TEST_CASE("checkpoint: names that stand for the graph's tensors are refused") {
  test::TemporaryFolder folder;
  for (const std::string name : {"mask/x", "parameter/x", "packed/x"})
    test::require_error(
        [&] {
          io::save_checkpoint(folder / "c", {.graph = test::random_graph(1), .tensors = {{name, at::zeros({1})}}});
        },
        "the name '" + name + "' is kept for");
}

TEST_CASE("checkpoint: our own operators are saved") {
  test::TemporaryFolder folder;
  io::Checkpoint saved{
      .graph = parse_graph("graph g(x: float[N,2]) -> (y = q)\nparameter s: float[] fixed\nparameter z: float[] fixed\n"
                           "q = FakeQuantize(x, %s, %z) bits=4\n")};
  io::save_checkpoint(folder / "c", saved);
  REQUIRE(print_graph(io::load_checkpoint(folder / "c").graph) == print_graph(saved.graph));
}

TEST_CASE("checkpoint: a new one takes the place of the old one, and leaves nothing beside it") {
  test::TemporaryFolder folder;
  io::save_checkpoint(folder / "c", sample(1));
  io::save_checkpoint(folder / "c", sample(2));
  REQUIRE(io::load_checkpoint(folder / "c").state["epoch"] == 2);
  REQUIRE(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("checkpoint: what is missing, cut or damaged is named, with what to do") {
  for (const std::string name : {"graph.onnx", "tensors.safetensors", "state.json"}) {
    INFO(name);
    test::TemporaryFolder folder;
    const auto load = [&] { io::load_checkpoint(folder / "c"); };
    io::save_checkpoint(folder / "c", sample(1));
    flip(folder / ("c/" + name));
    test::require_error(load, name, "damaged", "use another checkpoint");
    io::save_checkpoint(folder / "c", sample(1));
    cut(folder / ("c/" + name));
    test::require_error(load, name, "use another checkpoint");
    fs::remove(folder / ("c/" + name));
    test::require_error(load, name, "use another checkpoint");
  }
  test::require_error([] { io::load_checkpoint("no/such"); }, "there is no checkpoint 'no/such'");
}

TEST_CASE("checkpoint: a stop between two renames loses nothing") {
  test::TemporaryFolder folder;
  io::save_checkpoint(folder / "c", sample(1));
  fs::rename(folder / "c", folder / "c.old");
  REQUIRE(io::load_checkpoint(folder / "c").state["epoch"] == 1);
}

TEST_CASE("checkpoint: whenever the process is killed, the old or the new one is there") {
  test::TemporaryFolder folder;
  io::save_checkpoint(folder / "c", sample(0));
  for (const int microseconds : {500, 2000, 4000, 8000, 15000}) {
    const auto child = ::fork();
    if (child == 0) {
      for (int64_t epoch = 1;; ++epoch) io::save_checkpoint(folder / "c", sample(epoch));
    }
    ::usleep(static_cast<useconds_t>(microseconds));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(io::load_checkpoint(folder / "c").state["epoch"].is_number_integer());
  }
}
