#include "ops/product_channels.h"

#include "support/run_op.h"

#include <catch2/catch.hpp>

#include <functional>

using namespace compress;
using namespace compress::ops;
using namespace compress::test;

namespace {

/// A product of values (or parameters, with '%') of these shapes; the maps of values are given.
struct Product {
  Node node;
  AtomPool pool;
  std::vector<ChannelMap> maps;
  std::vector<ChannelMap> inputs, outputs;

  Product(const std::string& text, const std::vector<Shape>& shapes, const std::function<void(Product&)>& prepare)
      : node(node_of(text)) {
    std::vector<ValueInfo> infos;
    for (const auto& shape : shapes) {
      infos.push_back({.shape = shape});
      maps.emplace_back(shape.size());
    }
    prepare(*this);
    ChannelFlow flow(node, pool, infos, op_of(node).infer({.node = node, .inputs = infos}), maps, parameters_of(text));
    op_of(node).channels(flow);
    inputs = flow.input_maps();
    outputs = flow.output_maps();
  }
};

}  // namespace

TEST_CASE("product: the axis that two values are summed over is one", "[ops]") {
  Product p("y = MatMul(a, b)", {{2, 3, 5, 4}, {2, 3, 4, 5}}, [](Product& p) {
    p.maps[0][3] = p.pool.fresh(4);
    p.maps[1][2] = p.pool.fresh(4);
  });
  for (size_t k = 0; k < 4; ++k) REQUIRE(p.pool.find(p.inputs[0][3][k]) == p.pool.find(p.inputs[1][2][k]));
  REQUIRE(p.pool.blocked(p.inputs[0][3][0]).empty());
  for (const auto& atoms : p.outputs[0]) REQUIRE(atoms.empty());
}

TEST_CASE("product: batch axes and free axes run through", "[ops]") {
  Product p("y = MatMul(a, b)", {{2, 3, 5, 4}, {2, 3, 4, 6}}, [](Product& p) {
    p.maps[0][1] = p.pool.fresh(3);
    p.maps[1][1] = p.pool.fresh(3);
    p.maps[1][3] = p.pool.fresh(6);
  });
  REQUIRE(p.outputs[0][1] == p.inputs[0][1]);
  REQUIRE(p.pool.find(p.inputs[1][1][2]) == p.pool.find(p.inputs[0][1][2]));
  REQUIRE(p.outputs[0][3] == p.inputs[1][3]);
}

TEST_CASE("product: channels that meet an axis without any, or are spread over several, are blocked", "[ops]") {
  Product one_side("y = MatMul(a, b)", {{2, 5, 4}, {2, 4, 5}}, [](Product& p) { p.maps[0][2] = p.pool.fresh(4); });
  REQUIRE(one_side.pool.blocked(one_side.inputs[0][2][0]).find("they meet axis 1 of 'b', which carries none") !=
          std::string::npos);
  Product spread("y = MatMul(a, b)", {{2, 1, 5, 4}, {2, 3, 4, 5}}, [](Product& p) { p.maps[0][1] = p.pool.fresh(1); });
  REQUIRE(spread.pool.blocked(spread.inputs[0][1][0]).find("one channel is spread over several") != std::string::npos);
}

TEST_CASE("product: a parameter's free axis makes channels, its shared axis follows the value", "[ops]") {
  Product p("y = Einsum(x, %w) equation=\"btgi,gio->btgo\"", {{2, 7, 3, 4}, {3, 4, 5}}, [](Product& p) {
    p.maps[0][2] = p.pool.fresh(3);
    p.maps[0][3] = p.pool.fresh(4);
  });
  REQUIRE(p.inputs[1][0] == p.inputs[0][2]);
  REQUIRE(p.inputs[1][1] == p.inputs[0][3]);
  REQUIRE(p.outputs[0][3] == p.inputs[1][2]);
  REQUIRE(p.pool.blocked(p.inputs[1][2][0]).empty());
}
