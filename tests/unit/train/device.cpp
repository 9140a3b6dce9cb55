#include "support/check_error.h"
#include "train/trainer.h"

#include <ATen/Context.h>

#include <catch2/catch.hpp>

namespace compress::train {
namespace {

using compress::test::require_error;

TEST_CASE("device: cpu is there; nonsense lists what is known", "[train]") {
  REQUIRE(parse_device("cpu").is_cpu());
  for (const char* text : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda0", "cuda:1x", ""})
    require_error([&] { parse_device(text); }, fmt::format("unknown device '{}'", text), "known: cpu, cuda, cuda:N");
}

TEST_CASE("device: a GPU that is not there is an error before any work", "[train]") {
  if (at::hasCUDA()) {
    require_error([] { parse_device("cuda:99"); }, "device 'cuda:99': there are", "counted from 0");
    REQUIRE(parse_device("cuda").is_cuda());
  } else {
    require_error([] { parse_device("cuda"); }, "device 'cuda': LibTorch here finds no CUDA device",
                  "use cpu, or build with");
  }
}

}  // namespace
}  // namespace compress::train
