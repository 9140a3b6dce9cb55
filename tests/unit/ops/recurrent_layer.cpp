#include "ops/recurrent_layer.h"

#include "ops/channels.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <ATen/ops/cat.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

/// x [time, 2, 3] and the parameters of a layer of 4 hidden units.
std::vector<at::Tensor> layer(int64_t gates, int64_t time = 3) {
  return {wild({time, 2, 3}), wild({gates * 4, 3}, 1), wild({gates * 4, 4}, 2), wild({gates * 4}, 3),
          wild({gates * 4}, 4)};
}

std::vector<at::Tensor> run_layer(const std::string& text, const std::vector<at::Tensor>& inputs) {
  return run_op(node_of(text), inputs);
}

void require_infer_error(const std::string& text, const std::vector<at::Tensor>& inputs, const std::string& part) {
  const auto node = node_of(text);
  const auto infos = infos_of(inputs);
  require_error([&] { ops::op_of(node).infer({.node = node, .inputs = infos}); }, part);
}

}  // namespace

TEST_CASE("recurrent: the explicit steps compute what LibTorch's layers do", "[ops]") {
  // A clip far outside changes nothing but takes the explicit steps.
  for (const std::string op : {"LSTM", "GRU", "RNN"}) {
    const auto inputs = layer(op == "LSTM" ? 4 : op == "GRU" ? 3 : 1);
    const std::string more = op == "GRU" ? " linear_before_reset=1" : "";
    const auto fast = run_layer("y, y:1 = " + op + "(x, %w, %r, %b, %c)" + more, inputs);
    const auto steps = run_layer("y, y:1 = " + op + "(x, %w, %r, %b, %c) clip=1000.0" + more, inputs);
    for (size_t k = 0; k < fast.size(); ++k) require_close(fast[k], steps[k], 1e-12);
  }
}

TEST_CASE("recurrent: the reverse direction is the layer on the sequence turned round", "[ops]") {
  auto inputs = layer(4);
  const auto reversed = run_layer("y, y:1, y:2 = LSTM(x, %w, %r, %b, %c) direction=\"reverse\"", inputs);
  inputs[0] = inputs[0].flip(0);
  const auto forward = run_layer("y, y:1, y:2 = LSTM(x, %w, %r, %b, %c)", inputs);
  require_close(reversed[0], forward[0].flip(0), 1e-12);
  require_close(reversed[1], forward[1], 1e-12);
  require_close(reversed[2], forward[2], 1e-12);
}

TEST_CASE("recurrent: a shorter sequence ends early, in both directions", "[ops]") {
  for (const std::string direction : {"forward", "reverse"}) {
    auto inputs = layer(3);
    const std::string attributes = " linear_before_reset=1 direction=\"" + direction + "\"";
    auto short_inputs = inputs;
    short_inputs[0] = inputs[0].narrow(0, 0, 2);
    const auto alone = run_layer("y, y:1 = GRU(x, %w, %r, %b, %c)" + attributes, short_inputs);
    inputs.push_back(integers({3, 2}));
    const auto padded = run_layer("y, y:1 = GRU(x, %w, %r, %b, %c, n)" + attributes, inputs);
    require_close(padded[0].narrow(0, 0, 2).select(1, 1), alone[0].select(1, 1), 1e-12);
    REQUIRE(padded[0][2][1].count_nonzero().item<int64_t>() == 0);
    require_close(padded[1][1], alone[1][1], 1e-12);
  }
}

TEST_CASE("recurrent: sizes that do not fit are named", "[ops]") {
  auto inputs = layer(4);
  inputs[1] = wild({16, 2});
  require_infer_error("y = LSTM(x, %w, %r, %b, %c)", inputs, "weight_ih has shape 16x2, but the layer needs 16x3");
  inputs = layer(3);
  inputs[4] = wild({3});
  require_infer_error("y = GRU(x, %w, %r, %b, %c)", inputs, "bias_hh has shape 3, but the layer needs 12");
  inputs = layer(1);
  inputs[0] = wild({2, 3});
  require_infer_error("y = RNN(x, %w, %r, %b, %c)", inputs,
                      "needed are [time, batch, features] and [1 * hidden, hidden]");
}

TEST_CASE("recurrent: activations that do not exist or are too few are named", "[ops]") {
  require_error([] { run_layer("y = RNN(x, %w, %r, %b, %c) activations=\"Tang\"", layer(1)); },
                "activation 'Tang' is not supported", "did you mean 'Tanh'?");
  require_error([] { run_layer("y = RNN(x, %w, %r, %b, %c) activations=\"LeakyRelu(a)\"", layer(1)); },
                "activation 'LeakyRelu(a)' cannot be read");
  require_error([] { run_layer("y = LSTM(x, %w, %r, %b, %c) activations=\"Tanh\"", layer(4)); },
                "attribute 'activations' names 1 functions, it takes 3", "the default is Sigmoid,Tanh,Tanh");
}

TEST_CASE("recurrent: one hidden unit is a row of every gate, a column and an output", "[ops]") {
  const auto node = node_of("y, y:1, y:2 = LSTM(x, %w, %r, %b, %c)");
  const auto inputs = layer(4);
  const auto infos = infos_of(inputs), outputs = ops::op_of(node).infer({.node = node, .inputs = infos});
  ops::AtomPool pool;
  std::vector<ops::ChannelMap> maps;
  for (const auto& info : infos) maps.emplace_back(info.shape.size());
  maps[0][2] = pool.fresh(3);
  ops::ChannelFlow flow(node, pool, infos, outputs, maps, {false, true, true, true, true});
  ops::op_of(node).channels(flow);
  const auto& units = flow.input_maps()[2][1];
  REQUIRE(units.size() == 4);
  REQUIRE(flow.input_maps()[1][1] == maps[0][2]);
  for (size_t row = 0; row < 16; ++row)
    for (const size_t parameter : {1, 2, 3, 4}) REQUIRE(flow.input_maps()[parameter][0][row] == units[row % 4]);
  REQUIRE(flow.output_maps()[0][2] == units);
  REQUIRE(flow.output_maps()[2][1] == units);
}

TEST_CASE("recurrent: multiply-accumulates are those of both products at every step", "[ops]") {
  const auto node = node_of("y = LSTM(x, %w, %r)");
  const auto infos = infos_of({wild({5, 2, 3}), wild({16, 3}), wild({16, 4})});
  REQUIRE(ops::op_of(node).macs(node, infos, {}) == 5 * 2 * (16 * 3 + 16 * 4));
}
