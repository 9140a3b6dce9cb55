#include "passes/contraction.h"

#include "ops/product_channels.h"
#include "ops/recurrent_layer.h"

#include <ATen/ops/ones.h>

namespace compress::passes {

namespace {

using analysis::CoupledChannels;

std::vector<ops::Atom> classes_of(const CoupledChannels& channels, const ops::Atoms& atoms) {
  std::vector<ops::Atom> roots;
  for (const auto atom : atoms) roots.push_back(channels.pool().find(atom));
  return roots;
}

/// Per index of an axis: is everything there known to be zero? Nothing is when the value is not known at all.
std::vector<bool> zero_along(const at::Tensor& value, int64_t axis, size_t size) {
  if (!value.defined()) return std::vector<bool>(size);
  const at::Tensor zero = value.transpose(0, axis).flatten(1).eq(0).all(1).contiguous();
  return std::vector<bool>(zero.const_data_ptr<bool>(), zero.const_data_ptr<bool>() + zero.numel());
}

/// What a recurrent layer reads: the features through weight_ih, its own units through weight_hh.
std::vector<Contraction> recurrent_sums(const Node& node, const CoupledChannels& channels, const KnownValues& known) {
  std::vector<Contraction> sums;
  for (const auto weight : {ops::kWeightInput, ops::kWeightHidden}) {
    const auto& name = node.inputs[weight];
    const auto& map = channels.map(name);
    if (map[1].empty() || !known.at(name).defined()) continue;
    const bool own = weight == ops::kWeightHidden;
    auto zero = zero_along(known.at(own ? node.output() : node.inputs[ops::kSequence]), 2, map[1].size());
    if (own && node.has_input(ops::kInitialHidden)) {
      const auto start = zero_along(known.at(node.inputs[ops::kInitialHidden]), 1, zero.size());
      for (size_t c = 0; c < zero.size(); ++c) zero[c] = zero[c] && start[c];
    }
    sums.push_back({&node, classes_of(channels, map[1]), classes_of(channels, map[0]),
                    known.at(name).ne(0).t().contiguous(), std::move(zero)});
  }
  return sums;
}

/// One letter of a product that the output does not have; a summand is zero where one factor is.
std::optional<Contraction> letter_sum(const Node& node,
                                      const ops::ProductAxes& axes,
                                      char letter,
                                      const CoupledChannels& channels,
                                      const KnownValues& known) {
  Contraction sum{.node = &node};
  for (size_t i = 0; i < axes.inputs.size(); ++i)
    for (size_t axis = 0; axis < axes.inputs[i].size(); ++axis) {
      const auto& atoms = channels.map(node.inputs[i])[axis];
      if (axes.inputs[i][axis] != letter || atoms.empty()) continue;
      if (sum.inputs.empty()) sum.inputs = classes_of(channels, atoms);
      const auto zero = zero_along(known.at(node.inputs[i]), static_cast<int64_t>(axis), atoms.size());
      sum.zero.resize(zero.size());
      for (size_t c = 0; c < zero.size(); ++c) sum.zero[c] = sum.zero[c] || zero[c];
    }
  if (sum.inputs.empty()) return std::nullopt;
  sum.reads = at::ones({std::ssize(sum.inputs), 1}, at::kBool);
  return sum;
}

std::vector<Contraction> product_sums(const Node& node,
                                      const ops::ProductAxes& axes,
                                      const CoupledChannels& channels,
                                      const KnownValues& known) {
  std::vector<Contraction> sums;
  std::string done = axes.output + ops::kStretched;
  for (const auto& input : axes.inputs)
    for (const char letter : input) {
      if (done.find(letter) != std::string::npos) continue;
      done += letter;
      if (auto sum = letter_sum(node, axes, letter, channels, known)) sums.push_back(std::move(*sum));
    }
  return sums;
}

/// Nothing is known of the numbers: every channel that comes in counts.
std::vector<Contraction> everything_read(const Node& node, const CoupledChannels& channels) {
  std::vector<Contraction> sums;
  for (const auto& input : node.inputs)
    for (const auto& atoms : channels.map(input))
      if (const auto count = std::ssize(atoms); count > 0)
        sums.push_back({.node = &node,
                        .inputs = classes_of(channels, atoms),
                        .outputs = {},
                        .reads = at::ones({count, 1}, at::kBool),
                        .zero = std::vector<bool>(atoms.size())});
  return sums;
}

}  // namespace

std::vector<Contraction> contractions_of(const Node& node, const CoupledChannels& channels, const KnownValues& known) {
  if (ops::recurrent_gates(node) > 0) return recurrent_sums(node, channels, known);
  if (node.op == "Attention") {  // each of query and key must be zero: heads may be shared, and keys have a past
    const std::string before = channels.map(node.inputs[0]).size() == 3 ? "bs" : "bhs";
    return product_sums(node, {.inputs = {before + 'q', before + 'k'}, .output = before}, channels, known);
  }
  std::vector<Shape> shapes;
  if (node.op != "MatMul" && node.op != "Einsum") return {};
  for (const auto& input : node.inputs) {
    if (!known.at(input).defined()) return everything_read(node, channels);
    shapes.push_back(known.at(input).sizes().vec());
  }
  const auto axes = ops::product_axes(node, shapes);
  return axes ? product_sums(node, *axes, channels, known) : std::vector<Contraction>{};
}

}  // namespace compress::passes
