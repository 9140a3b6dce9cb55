#include "io/checkpoint.h"

#include "core/file.h"
#include "graph/text_form.h"
#include "io/folder_exchange.h"
#include "support/check_error.h"
#include "support/random_graph.h"
#include "support/temporary_folder.h"
#include "support/tensors.h"

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
