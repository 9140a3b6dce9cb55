#pragma once

#include "contract/op_example.h"

namespace compress::test {

/// x [time 3, batch 2, features 4], hidden size 5; weights and biases for `gates` gates.
inline std::vector<at::Tensor> recurrent_inputs(int64_t gates) {
  const int64_t hidden = 5, rows = gates * hidden;
  return {wild({3, 2, 4}), wild({rows, 4}, 1), wild({rows, hidden}, 2), wild({rows}, 3), wild({rows}, 4)};
}

/// The same with the further inputs, absent ones undefined: lengths, initial state(s), peephole.
inline std::vector<at::Tensor> recurrent_inputs(int64_t gates, const std::vector<at::Tensor>& further) {
  auto inputs = recurrent_inputs(gates);
  inputs.insert(inputs.end(), further.begin(), further.end());
  return inputs;
}

inline std::vector<OpExample> recurrent_examples() {
  const auto lengths = integers({3, 2}).to(at::kInt);
  const auto h = wild({2, 5}, 5), c = wild({2, 5}, 6), peephole = wild({15}, 7);
  const at::Tensor none;
  const auto lstm = recurrent_inputs(4), gru = recurrent_inputs(3), rnn = recurrent_inputs(1);
  const std::string lstm_all = "y, y:1, y:2 = LSTM(x, %w, %r, %b, %c, lengths, h, c0, %p) ";
  return {
      {"y = LSTM(x, %w, %r)", {lstm[0], lstm[1], lstm[2]}},
      {"y, y:1, y:2 = LSTM(x, %w, %r, %b, %c)", lstm},
      {"y, y:1, y:2 = LSTM(x, %w, %r, %b, %c, _, h, c0) direction=\"reverse\"", recurrent_inputs(4, {none, h, c})},
      {"y, y:1, y:2 = LSTM(x, %w, %r, %b, %c, lengths, h, c0)", recurrent_inputs(4, {lengths, h, c})},
      {lstm_all + "direction=\"reverse\"", recurrent_inputs(4, {lengths, h, c, peephole})},
      {lstm_all + "clip=0.3 input_forget=1", recurrent_inputs(4, {lengths, h, c, peephole})},
      {"y = LSTM(x, %w, %r, %b) activations=\"HardSigmoid(0.3;0.4),Softsign,ScaledTanh(0.5;2.0)\"",
       {lstm[0], lstm[1], lstm[2], lstm[3]}},
      {"y, y:1 = GRU(x, %w, %r, %b, %c)", gru},
      {"y, y:1 = GRU(x, %w, %r, %b, %c) linear_before_reset=1", gru},
      {"y, y:1 = GRU(x, %w, %r, %b, %c, lengths, h) linear_before_reset=1 direction=\"reverse\"",
       recurrent_inputs(3, {lengths, h})},
      {"y, y:1 = GRU(x, %w, %r, _, _, _, h) activations=\"Softplus,Affine(0.5;0.1)\" clip=2.0",
       {gru[0], gru[1], gru[2], none, none, none, h}},
      {"y, y:1 = RNN(x, %w, %r, %b, %c)", rnn},
      {"y, y:1 = RNN(x, %w, %r, %b, %c, lengths, h)", recurrent_inputs(1, {lengths, h})},
      {"y = RNN(x, %w, %r) activations=\"Relu\" direction=\"reverse\"", {rnn[0], rnn[1], rnn[2]}},
      {"y = RNN(x, %w, %r) activations=\"Elu(0.7)\"", {rnn[0], rnn[1], rnn[2]}},
      {"y = RNN(x, %w, %r) activations=\"LeakyRelu\"", {rnn[0], rnn[1], rnn[2]}},
      {"y = RNN(x, %w, %r) activations=\"ThresholdedRelu(0.25)\"", {rnn[0], rnn[1], rnn[2]}},
  };
}

inline std::vector<OpExample> product_examples() {
  const auto a = wild({2, 3, 4}), b = wild({2, 4, 5}, 1);
  return {
      {"y = MatMul(a, b)", {a, b}},
      {"y = MatMul(a, b)", {wild({2, 3, 4, 3}), wild({2, 3, 3, 2}, 1)}},
      {"y = MatMul(a, b)", {wild({2, 1, 4, 3}), wild({3, 3, 2}, 1)}},
      {"y = MatMul(a, b)", {wild({4}), b}},
      {"y = MatMul(a, b)", {a, wild({4}, 1)}},
      {"y = MatMul(a, b)", {wild({4}), wild({4}, 1)}},
      {"y = MatMul(%a, b)", {wild({5, 3}), wild({3, 4}, 1)}},
      {"y = MatMul(a, %b)", {wild({2, 3, 6, 4}), wild({3, 4, 2}, 1)}},
      {"y = MatMul(a, b)", {integers({1, 2, 3, 4}).reshape({2, 2}), integers({5, 6, 7, 8}).reshape({2, 2})}},
      {"y = Einsum(a, b) equation=\"bij,bjk->bik\"", {a, b}},
      {"y = Einsum(a, b) equation=\"bji, bkj -> bik\"", {wild({2, 4, 3}), wild({2, 5, 4}, 1)}},
      {"y = Einsum(a, %b) equation=\"...d,de->...e\"", {a, wild({4, 5}, 1)}},
      {"y = Einsum(a, b) equation=\"...ij,...jk\"", {wild({2, 1, 3, 4}), wild({5, 4, 2}, 1)}},
      {"y = Einsum(a) equation=\"bij->bi\"", {a}},
      {"y = Einsum(a) equation=\"bij->jbi\"", {a}},
      {"y = Einsum(a) equation=\"ii\"", {wild({4, 4})}},
      {"y = Einsum(a, b) equation=\"i,j\"", {wild({3}), wild({4}, 1)}},
      {"y = Einsum(a, b, c) equation=\"bi,bj,ij->b\"", {wild({2, 3}), wild({2, 4}, 1), wild({3, 4}, 2)}},
      {"y = Einsum(%w, a) equation=\"oi,bi->bo\"", {wild({5, 3}), wild({2, 3}, 1)}},
  };
}

inline std::vector<OpExample> attention_examples() {
  const auto q = wild({2, 4, 3, 6}), k = wild({2, 2, 5, 6}, 1), v = wild({2, 2, 5, 4}, 2);
  const auto mask = wild({3, 5}, 3), allowed = wild({2, 1, 3, 5}, 4).gt(-0.3);
  const auto past_k = wild({2, 2, 2, 6}, 5), past_v = wild({2, 2, 2, 4}, 6);
  const auto flat = wild({2, 3, 8});
  const std::string heads = "q_num_heads=4 kv_num_heads=2";
  return {
      {"y = Attention(q, k, v)", {q, k, v}},
      {"y = Attention(q, k, v, m) scale=0.3 softcap=2.0", {q, k, v, mask}},
      {"y, y:1, y:2, y:3 = Attention(q, k, v, m) is_causal=1", {q, k, v, mask}},
      {"y, y:1, y:2, y:3 = Attention(q, k, v, m) qk_matmul_output_mode=2", {q, k, v, mask}},
      {"y, y:1, y:2, y:3 = Attention(q, k, v, m, p, o) qk_matmul_output_mode=1 softcap=1.5 is_causal=1",
       {q, k, v, mask, past_k, past_v}},
      {"y, y:1, y:2, y:3 = Attention(q, k, v, m) qk_matmul_output_mode=3 softmax_precision=11", {q, k, v, allowed}},
      {"y = Attention(q, k, v, _, _, _, n) is_causal=1",
       {q, k, v, at::Tensor(), at::Tensor(), at::Tensor(), integers({5, 3})}},
      {"y = Attention(q, k, v) left_window_size=1 right_window_size=2", {q, k, v}},
      {"y = Attention(q, k, v) is_causal=1 " + heads, {flat, wild({2, 3, 4}, 1), wild({2, 3, 6}, 2)}},
      {"y, y:1, y:2 = Attention(q, k, v, _, p, o) " + heads,
       {flat, wild({2, 3, 4}, 1), wild({2, 3, 6}, 2), at::Tensor(), wild({2, 2, 1, 2}, 3), wild({2, 2, 1, 3}, 4)}},
  };
}

inline std::vector<OpExample> place_examples() {
  const auto x = wild({2, 2, 3, 6}), flat = wild({2, 3, 12}), cosines = wild({5, 3}, 1), sines = wild({5, 3}, 2);
  const auto places = integers({0, 4, 1, 2, 2, 3}).reshape({2, 3});
  const auto few = wild({2, 3, 2}, 3);
  return {
      {"y = RotaryEmbedding(x, %c, %s, places)", {x, cosines, sines, places}},
      {"y = RotaryEmbedding(x, %c, %s, places) interleaved=1 num_heads=2", {flat, cosines, sines, places}},
      {"y = RotaryEmbedding(x, c, s) rotary_embedding_dim=4", {x, few, wild({2, 3, 2}, 4)}},
      {"y = ExpandBatch(%token, x)", {wild({1, 3, 4}), wild({2, 5}, 1)}, {1}},
      {"y = ExpandBatch(v, x) axis=1", {wild({3, 1}), wild({2, 5}, 1)}, {1}},
  };
}

inline std::vector<OpExample> sequence_examples() {
  auto all = recurrent_examples();
  for (const auto& some : {product_examples(), attention_examples(), place_examples()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

}  // namespace compress::test
