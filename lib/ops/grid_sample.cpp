#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/affine_grid_generator.h>
#include <ATen/ops/grid_sampler.h>

namespace compress::ops {

namespace {

/// LibTorch's number of the mode; "bilinear" and "bicubic" are the words of opset 16.
int64_t mode_number(std::string_view mode) {
  return mode == "nearest" ? 1 : mode.ends_with("cubic") ? 2 : 0;
}

int64_t padding_number(std::string_view mode) {
  return mode == "border" ? 1 : mode == "reflection" ? 2 : 0;
}

Kernel grid_sample_kernel(const Node& node) {
  const auto& attributes = node.attributes;
  return [mode = mode_number(attributes.text("mode", "linear")),
          padding = padding_number(attributes.text("padding_mode", "zeros")),
          align_corners = attributes.integer("align_corners", 0) != 0](Call& call) {
    call.out() = at::grid_sampler(call.in(0), call.in(1), mode, padding, align_corners);
  };
}

std::vector<ValueInfo> grid_sample_infer(const InferCall& call) {
  const auto &x = call.shape(0), &grid = call.shape(1);
  const auto axes = static_cast<int64_t>(x.size()) - 2;
  if (axes < 2 || axes > 3 || grid.size() != x.size() || grid[0] != x[0] || grid.back() != axes)
    throw request_error("a value of shape {} cannot be sampled by a grid of shape {}", shape_text(x), shape_text(grid))
        .hint("the grid is [batch, output sizes ..., one coordinate per spatial axis], over 2 or 3 spatial axes");
  if (axes == 3 && mode_number(call.node.attributes.text("mode", "linear")) == 2)
    throw request_error("mode 'cubic' samples images of 2 spatial axes only");
  Shape shape{x[0], x[1]};
  shape.insert(shape.end(), grid.begin() + 1, grid.end() - 1);
  return {{.shape = std::move(shape), .type = call.in(0).type}};
}

void grid_sample_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  block_other_axes(flow);
  for (int64_t axis = 0; axis < std::ssize(flow.shape(1)); ++axis) flow.bind(1, axis, {});
  ChannelMap map(flow.output_shape().size());
  map[1] = flow.axis(0, 1);
  flow.set_output(std::move(map));
}

void modern_mode_words(Graph&, Node& node) {
  const auto mode = node.attributes.text("mode", "linear");
  if (mode == "bilinear") node.attributes.erase("mode");
  if (mode == "bicubic") node.attributes.set("mode", "cubic");
}

Kernel affine_grid_kernel(const Node& node) {
  return [size = node.attributes.integers("size", {}),
          align_corners = node.attributes.integer("align_corners", 0) != 0](Call& call) {
    call.out() = at::affine_grid_generator(call.in(0), size, align_corners);
  };
}

std::vector<ValueInfo> affine_grid_infer(const InferCall& call) {
  const auto size = call.node.attributes.integers("size", {});
  const auto axes = static_cast<int64_t>(size.size()) - 2;
  if (axes < 2 || axes > 3 || call.shape(0) != Shape{size[0], axes, axes + 1})
    throw request_error("matrices of shape {} do not map the coordinates of a value of shape {}",
                        shape_text(call.shape(0)), shape_text(size));
  Shape shape{size[0]};
  shape.insert(shape.end(), size.begin() + 2, size.end());
  shape.push_back(axes);
  return {{.shape = std::move(shape), .type = call.in(0).type}};
}

Op grid_sample_op() {
  using enum AttributeSpec::Type;
  return {.name = "GridSample",
          .doc = "samples an image at the coordinates of a grid",
          .min_inputs = 2,
          .max_inputs = 2,
          .since_opset = 20,
          .attributes = {{"align_corners", integer},
                         {"mode", text, false, "linear|nearest|cubic|bilinear|bicubic"},
                         {"padding_mode", text, false, "zeros|border|reflection"}},
          .kernel = grid_sample_kernel,
          .gradient = Gradient::yes,
          .infer = grid_sample_infer,
          .macs = no_macs,
          .channels = grid_sample_channels,
          .resize = keep_attributes,
          .quantization = Quantization::none,
          .normalize = modern_mode_words};
}

Op affine_grid_op() {
  return {
      .name = "AffineGrid",
      .doc = "coordinates moved by a matrix of each sample, for GridSample",
      .since_opset = 20,
      .attributes = {{"align_corners", AttributeSpec::Type::integer}, {"size", AttributeSpec::Type::integers, true}},
      .constant_inputs = {{.index = 1, .attribute = "size", .since_opset = 20}},
      .kernel = affine_grid_kernel,
      .gradient = Gradient::yes,
      .infer = affine_grid_infer,
      .macs = no_macs,
      .channels = blocked,
      .resize = keep_attributes,
      .quantization = Quantization::none};
}

}  // namespace

namespace families {
extern const OpFamily grid_sample{{grid_sample_op(), affine_grid_op()}};
}

}  // namespace compress::ops
