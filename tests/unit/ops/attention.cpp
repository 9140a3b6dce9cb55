#include "ops/channels.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

void require_attention_error(const std::string& text, const std::vector<at::Tensor>& inputs, const std::string& part) {
  const auto node = node_of(text);
  const auto infos = infos_of(inputs);
  require_error([&] { ops::op_of(node).infer({.node = node, .inputs = infos}); }, part);
}

}  // namespace

TEST_CASE("attention: the fast kernel and the one that is spelt out agree", "[ops]") {
  const auto q = wild({2, 4, 3, 6}), k = wild({2, 2, 3, 6}, 1), v = wild({2, 2, 3, 5}, 2);
  for (const std::string causal : {"", " is_causal=1"}) {
    const auto fast = run_op(node_of("y = Attention(q, k, v)" + causal), {q, k, v});
    const auto spelt = run_op(node_of("y = Attention(q, k, v, m)" + causal), {q, k, v, at::zeros({1, 3}, at::kDouble)});
    require_close(fast[0], spelt[0], 1e-12);
  }
}

TEST_CASE("attention: three axes are the same as heads apart", "[ops]") {
  const auto q = wild({2, 4, 3, 6}), k = wild({2, 2, 5, 6}, 1), v = wild({2, 2, 5, 4}, 2);
  const auto flat = [](const at::Tensor& x) { return x.transpose(1, 2).flatten(2); };
  const auto apart = run_op(node_of("y = Attention(q, k, v)"), {q, k, v})[0];
  const auto joined =
      run_op(node_of("y = Attention(q, k, v) q_num_heads=4 kv_num_heads=2"), {flat(q), flat(k), flat(v)})[0];
  require_close(joined, flat(apart), 1e-12);
}

TEST_CASE("attention: a query that may look at nothing gives zeros", "[ops]") {
  const auto mask = integers({0, 0, 1, 0}).reshape({2, 2}).to(at::kBool);
  const auto y = run_op(node_of("y = Attention(q, k, v, m)"),
                        {wild({1, 1, 2, 3}), wild({1, 1, 2, 3}, 1), wild({1, 1, 2, 3}, 2), mask})[0];
  REQUIRE(y[0][0][0].count_nonzero().item<int64_t>() == 0);
  require_close(y[0][0][1], wild({1, 1, 2, 3}, 2)[0][0][0], 1e-12);
}

TEST_CASE("attention: a head that shrinks keeps its scale", "[ops]") {
  auto node = node_of("y = Attention(q, k, v)");
  const ops::ChannelMap q{{}, {}, {}, {0, 1, 2, 3}};
  const std::vector<const ops::ChannelMap*> inputs{&q, &q, &q};
  ops::op_of(node).resize(node, ops::Resize(inputs.data(), 3, &q, 1, {true, false, true, false}));
  REQUIRE(node.attributes.number("scale", 0) == 0.5);
}

TEST_CASE("attention: shapes and heads that do not fit are named", "[ops]") {
  const auto x = wild({2, 3, 8});
  require_attention_error("y = Attention(q, k, v)", {x, x, x}, "attribute 'q_num_heads' must be given");
  require_attention_error("y = Attention(q, k, v) q_num_heads=3 kv_num_heads=3", {x, x, x},
                          "8 channels cannot be shared out among 3 heads");
  require_attention_error("y = Attention(q, k, v)", {wild({2, 4, 3, 6}), wild({2, 3, 3, 6}), wild({2, 3, 3, 6})},
                          "do not fit together");
  require_attention_error("y = Attention(q, k, v)", {wild({2, 3}), wild({2, 3}), wild({2, 3})},
                          "must all have three or all four axes");
  require_error([] { run_op(node_of("y = Attention(q, k, v) qk_matmul_output_mode=4"), {}); }, "allowed are 0 to 3");
}
