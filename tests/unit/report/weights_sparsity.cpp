#include "report/weights_sparsity.h"

#include "graph/text_form.h"

#include <ATen/core/Tensor.h>

#include <catch2/catch.hpp>

using namespace compress;

TEST_CASE("weights_sparsity: the columns of Distiller's weights_sparsity.csv") {
  Graph graph = parse_graph("graph g(x: float[N,4]) -> (a)\nparameter w: float[2,4]\nparameter b: float[2]\n"
                            "a = Gemm(x, %w, %b) transB=1\n");
  graph.writable("w").select(1, 0).fill_(1);
  REQUIRE(report::weights_sparsity(graph).csv() ==
          "parameter,shape,volume,sparse volume,sparsity level\nw,2x4,8,2,75\n");
}
