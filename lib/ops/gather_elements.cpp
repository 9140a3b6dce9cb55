#include "core/text.h"
#include "ops/indices.h"
#include "ops/shape.h"

#include <ATen/ops/arange.h>

#include <algorithm>

/// Gather with one index per element (GatherElements) or per slice (GatherND).
namespace compress::ops {

namespace {

int64_t element_axis(const Node& node, size_t rank) {
  return axis_of(node.attributes.integer("axis", 0), static_cast<int64_t>(rank));
}

Kernel gather_elements_kernel(const Node& node) {
  return [node](Call& call) {
    const auto axis = element_axis(node, static_cast<size_t>(call.in(0).dim()));
    call.out() = call.in(0).gather(axis, indices_within(call.in(1), call.in(0).size(axis)));
  };
}

std::vector<ValueInfo> gather_elements_infer(const InferCall& call) {
  require_indices(call, 1);
  const auto &data = call.shape(0), &indices = call.shape(1);
  const auto axis = static_cast<size_t>(element_axis(call.node, data.size()));
  bool fits = data.size() == indices.size();
  for (size_t i = 0; fits && i < data.size(); ++i) fits = i == axis || indices[i] <= data[i];
  if (!fits)
    throw request_error("indices of shape {} do not fit data of shape {}", shape_text(indices), shape_text(data))
        .hint("they have as many axes, and along none but 'axis' are they longer");
  return {{.shape = indices, .type = call.in(0).type}};
}

void gather_elements_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto axis = element_axis(flow.node(), flow.shape(0).size());
  ChannelMap map = flow.map(0);
  for (int64_t i = 0; i < std::ssize(map); ++i) {
    auto& atoms = map[static_cast<size_t>(i)];
    if (i == axis || flow.shape(0)[static_cast<size_t>(i)] != flow.shape(1)[static_cast<size_t>(i)]) {
      flow.block(atoms, "channels are picked by index");
      flow.bind(1, i, {});
      atoms.clear();
    } else {
      flow.bind(1, i, atoms);
    }
  }
  flow.set_output(std::move(map));
}

/// How GatherND sees its data: batch axes, axes picked from, axes taken as a whole.
struct Parts {
  Shape batch, picked, rest;
  Shape places;  ///< what the indices have between the batch and the last axis
};

Parts parts_of(const Node& node, const Shape& data, const Shape& indices) {
  const auto batch = node.attributes.integer("batch_dims", 0);
  const auto depth = indices.empty() ? -1 : indices.back();
  if (batch < 0 || batch >= std::ssize(indices) || depth < 1 || batch + depth > std::ssize(data) ||
      !std::equal(data.begin(), data.begin() + batch, indices.begin()))
    throw request_error("indices of shape {} with batch_dims {} do not fit data of shape {}", shape_text(indices),
                        batch, shape_text(data))
        .hint("the batch axes are equal, and the last axis of the indices counts the axes to pick from");
  return {.batch = {data.begin(), data.begin() + batch},
          .picked = {data.begin() + batch, data.begin() + batch + depth},
          .rest = {data.begin() + batch + depth, data.end()},
          .places = {indices.begin() + batch, indices.end() - 1}};
}

Shape output_of(const Parts& parts) {
  auto shape = parts.batch;
  shape.insert(shape.end(), parts.places.begin(), parts.places.end());
  shape.insert(shape.end(), parts.rest.begin(), parts.rest.end());
  return shape;
}

Kernel gather_nd_kernel(const Node& node) {
  return [node](Call& call) {
    const auto& data = call.in(0);
    const auto parts = parts_of(node, shape_of(data), shape_of(call.in(1)));
    const auto batches = elements(parts.batch), picked = elements(parts.picked);
    const auto slices = joined_indices(call.in(1), parts.picked).reshape({batches, elements(parts.places)});
    const auto first = at::arange(batches, slices.options()).mul(picked).unsqueeze(1);
    const auto rows = data.reshape({batches * picked, elements(parts.rest)});
    call.out() = rows.index_select(0, slices.add(first).flatten()).reshape(output_of(parts));
  };
}

std::vector<ValueInfo> gather_nd_infer(const InferCall& call) {
  require_indices(call, 1);
  return {{.shape = output_of(parts_of(call.node, call.shape(0), call.shape(1))), .type = call.in(0).type}};
}

void gather_nd_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto parts = parts_of(flow.node(), flow.shape(0), flow.shape(1));
  const auto whole = std::ssize(parts.batch) + std::ssize(parts.picked);
  for (int64_t axis = 0; axis < whole; ++axis) flow.block(flow.axis(0, axis), "channels are picked by index");
  block_all_axes(flow, 1, "these are indices");
  ChannelMap map(parts.batch.size() + parts.places.size());
  map.insert(map.end(), flow.map(0).begin() + whole, flow.map(0).end());
  flow.set_output(std::move(map));
}

Op picking_op(std::string_view name, std::string_view doc, std::string_view attribute) {
  return {.name = name,
          .doc = doc,
          .min_inputs = 2,
          .max_inputs = 2,
          .since_opset = 11,
          .attributes = {{attribute, AttributeSpec::Type::integer}},
          .gradient = Gradient::yes,
          .macs = no_macs,
          .resize = keep_attributes,
          .quantization = Quantization::same_grid};
}

Op gather_elements_op() {
  auto op = picking_op("GatherElements", "picks one element along an axis for each index", "axis");
  op.kernel = gather_elements_kernel;
  op.infer = gather_elements_infer;
  op.channels = gather_elements_channels;
  return op;
}

Op gather_nd_op() {
  auto op = picking_op("GatherND", "picks elements or slices by lists of indices", "batch_dims");
  op.kernel = gather_nd_kernel;
  op.infer = gather_nd_infer;
  op.channels = gather_nd_channels;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily gather_elements{{gather_elements_op(), gather_nd_op()}};
}

}  // namespace compress::ops
