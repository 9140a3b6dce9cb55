#include "run/export.h"

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
                      "the format 'onnx-qdq' needs a quantised model");
  test::require_error([&] { export_model(recurrent(), {.format = "onx"}, folder.path() / "q.onnx"); },
                      "unknown export format 'onx'", "did you mean 'onnx'?");
}

}  // namespace compress::run
