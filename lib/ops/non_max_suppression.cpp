#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <numeric>
#include <optional>

namespace compress::ops {

namespace {

struct Box {
  float top, left, bottom, right;
  float area() const { return (bottom - top) * (right - left); }
};

/// By two opposite corners [y, x, y, x] in any order, or by its centre [x, y, width, height].
Box box_of(const float* numbers, bool by_center) {
  if (by_center) {
    const auto half_width = numbers[2] / 2, half_height = numbers[3] / 2;
    return {numbers[1] - half_height, numbers[0] - half_width, numbers[1] + half_height, numbers[0] + half_width};
  }
  const auto [top, bottom] = std::minmax(numbers[0], numbers[2]);
  const auto [left, right] = std::minmax(numbers[1], numbers[3]);
  return {top, left, bottom, right};
}

/// Intersection over union.
float overlap(const Box& a, const Box& b) {
  const auto height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const auto width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (height <= 0 || width <= 0) return 0;
  const auto common = height * width;
  return common / (a.area() + b.area() - common);
}

struct Limits {
  int64_t count;  ///< most boxes of one class
  float overlap;  ///< a box that overlaps a better one more than this is dropped
  std::optional<float> score;
  bool by_center;
};

Limits limits_of(const Node& node) {
  Limits limits{.count = std::max<int64_t>(0, node.attributes.integer("max_output_boxes_per_class", 0)),
                .overlap = static_cast<float>(node.attributes.number("iou_threshold", 0)),
                .score = std::nullopt,
                .by_center = node.attributes.integer("center_point_box", 0) != 0};
  if (node.attributes.has("score_threshold"))
    limits.score = static_cast<float>(node.attributes.number("score_threshold", 0));
  return limits;
}

/// The boxes that stay, best first; of equal scores the first box.
std::vector<int64_t> selected(const std::vector<Box>& boxes, const float* scores, const Limits& limits) {
  std::vector<int64_t> order(boxes.size());
  std::iota(order.begin(), order.end(), 0);
  if (limits.score) std::erase_if(order, [&](int64_t i) { return !(scores[i] > *limits.score); });
  std::ranges::stable_sort(order, std::greater(), [&](int64_t i) { return scores[i]; });
  std::vector<int64_t> kept;
  for (const auto i : order) {
    if (std::ssize(kept) == limits.count) break;
    const auto covers = [&](int64_t k) {
      return overlap(boxes[static_cast<size_t>(k)], boxes[static_cast<size_t>(i)]) > limits.overlap;
    };
    if (std::ranges::none_of(kept, covers)) kept.push_back(i);
  }
  return kept;
}

Kernel non_max_suppression_kernel(const Node& node) {
  return [limits = limits_of(node)](Call& call) {
    const auto boxes = call.in(0).to(at::kCPU, at::kFloat).contiguous();
    const auto scores = call.in(1).to(at::kCPU, at::kFloat).contiguous();
    const auto batches = boxes.size(0), count = boxes.size(1), classes = scores.size(1);
    std::vector<int64_t> rows;
    for (int64_t batch = 0; batch < batches; ++batch) {
      std::vector<Box> candidates;
      for (int64_t i = 0; i < count; ++i)
        candidates.push_back(box_of(boxes.const_data_ptr<float>() + (batch * count + i) * 4, limits.by_center));
      for (int64_t c = 0; c < classes; ++c)
        for (const auto i :
             selected(candidates, scores.const_data_ptr<float>() + (batch * classes + c) * count, limits))
          rows.insert(rows.end(), {batch, c, i});
    }
    call.out() = at::tensor(rows, at::kLong).reshape({-1, 3}).to(call.in(0).device());
  };
}

std::vector<ValueInfo> non_max_suppression_infer(const InferCall& call) {
  const auto &boxes = call.shape(0), &scores = call.shape(1);
  if (boxes.size() != 3 || scores.size() != 3 || boxes[2] != 4 || boxes[0] != scores[0] || boxes[1] != scores[2])
    throw request_error("boxes of shape {} and scores of shape {} do not fit", shape_text(boxes), shape_text(scores))
        .hint("they must be [batch, boxes, 4] and [batch, classes, boxes]");
  const auto most = std::min(boxes[1], limits_of(call.node).count);
  return {{.shape = {boxes[0] * scores[1] * most, 3}, .type = at::kLong}};
}

}  // namespace

namespace families {
extern const OpFamily non_max_suppression{
    {{.name = "NonMaxSuppression",
      .doc = "the boxes of each class that no better one covers: [batch, class, box]",
      .min_inputs = 2,
      .max_inputs = 2,
      .since_opset = 10,
      .data_dependent = true,
      .attributes = {{"center_point_box", AttributeSpec::Type::integer},
                     {"iou_threshold", AttributeSpec::Type::number},
                     {"max_output_boxes_per_class", AttributeSpec::Type::integer},
                     {"score_threshold", AttributeSpec::Type::number}},
      .constant_inputs = {{.index = 2, .attribute = "max_output_boxes_per_class", .since_opset = 10, .scalar = true},
                          {.index = 3, .attribute = "iou_threshold", .since_opset = 10, .scalar = true},
                          {.index = 4, .attribute = "score_threshold", .since_opset = 10, .scalar = true}},
      .kernel = non_max_suppression_kernel,
      .gradient = Gradient::none,
      .infer = non_max_suppression_infer,
      .macs = no_macs,
      .channels = blocked,
      .resize = keep_attributes,
      .quantization = Quantization::none}}};
}

}  // namespace compress::ops
