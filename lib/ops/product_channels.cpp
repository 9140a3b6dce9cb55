#include "ops/product_channels.h"

#include "ops/shape.h"

#include <algorithm>

namespace compress::ops {

namespace {

/// Where a letter stands: input and axis.
using Places = std::vector<std::pair<size_t, int64_t>>;

Places places_of(const ProductAxes& axes, char letter) {
  Places places;
  for (size_t i = 0; i < axes.inputs.size(); ++i)
    for (size_t axis = 0; axis < axes.inputs[i].size(); ++axis)
      if (axes.inputs[i][axis] == letter) places.emplace_back(i, static_cast<int64_t>(axis));
  return places;
}

/// The channels of one letter: a value's decide; where no value has the letter, it is a parameter's own (output) axis.
Atoms letter_channels(ChannelFlow& flow, const Places& places) {
  const auto is_value = [&](const auto& place) { return !flow.is_parameter(place.first); };
  const auto tracked = std::ranges::find_if(
      places, [&](const auto& at) { return is_value(at) && !flow.axis(at.first, at.second).empty(); });
  if (tracked != places.end()) {
    const auto atoms = flow.axis(tracked->first, tracked->second);
    for (const auto& [i, axis] : places) flow.bind(i, axis, atoms);
    return atoms;
  }
  if (std::ranges::any_of(places, is_value)) {  // a value without channels: whatever meets it stays
    for (const auto& [i, axis] : places)
      if (flow.is_parameter(i)) flow.bind(i, axis, {});
    return {};
  }
  const auto atoms = flow.own_axis(places.front().first, places.front().second);
  for (const auto& [i, axis] : places) flow.bind(i, axis, atoms);
  return atoms;
}

}  // namespace

void product_channels(ChannelFlow& flow, const ProductAxes& axes) {
  ChannelMap map(axes.output.size());
  std::string done;
  for (size_t i = 0; i < axes.inputs.size(); ++i)
    for (size_t axis = 0; axis < axes.inputs[i].size(); ++axis) {
      const char letter = axes.inputs[i][axis];
      if (letter == kStretched)
        flow.block(flow.axis(i, static_cast<int64_t>(axis)), "one channel is spread over several");
      if (letter == kStretched || done.find(letter) != std::string::npos) continue;
      done += letter;
      const auto atoms = letter_channels(flow, places_of(axes, letter));
      if (const auto at = axes.output.find(letter); at != std::string::npos) map[at] = atoms;
    }
  flow.set_output(std::move(map));
}

std::string batch_letters(std::span<const int64_t> own, std::span<const int64_t> common) {
  std::string letters;
  for (auto k = own.size(); k-- > 0;) {  // k counts from the last axis
    const bool stretched = own[own.size() - 1 - k] == 1 && common[common.size() - 1 - k] != 1;
    letters += stretched ? kStretched : static_cast<char>('\x01' + k);
  }
  return letters;
}

ProductAxes matmul_axes(std::span<const int64_t> a, std::span<const int64_t> b) {
  const auto batch_of = [](std::span<const int64_t> shape) {
    return shape.first(shape.size() > 2 ? shape.size() - 2 : 0);
  };
  const auto common =
      broadcast(Shape(batch_of(a).begin(), batch_of(a).end()), Shape(batch_of(b).begin(), batch_of(b).end()));
  ProductAxes axes{.inputs = {batch_letters(batch_of(a), common), batch_letters(batch_of(b), common)},
                   .output = batch_letters(common, common)};
  axes.inputs[0] += a.size() > 1 ? "mk" : "k";
  axes.inputs[1] += b.size() > 1 ? "kn" : "k";
  if (a.size() > 1) axes.output += 'm';
  if (b.size() > 1) axes.output += 'n';
  return axes;
}

std::optional<ProductAxes> product_axes(const Node& node, std::span<const Shape> inputs) {
  if (node.op == "MatMul") return matmul_axes(inputs[0], inputs[1]);
  if (node.op == "Einsum") return einsum_axes(node, inputs);
  return std::nullopt;
}

}  // namespace compress::ops
