#include "analysis/granularity.h"
#include "core/error.h"
#include "core/text.h"

#include <fmt/ranges.h>

#include <vector>

namespace compress::analysis {

namespace {

class Block final : public Granularity {
public:
  void declare(Settings& settings) override {
    settings.required("shape", shape_,
                      "sizes of a block along the weight's axes (outputs, inputs, height, width); 1 for those left out",
                      at_least(1));
  }

  void check(std::string_view parameter, at::IntArrayRef shape) const override {
    if (shape_.size() > shape.size())
      throw request_error("blocks of 'shape' [{}] have more axes than '{}', whose shape is {}", fmt::join(shape_, ", "),
                          parameter, shape_text(shape));
    for (size_t axis = 0; axis < shape_.size(); ++axis)
      if (shape[axis] % shape_[axis] != 0)
        throw request_error(
            "'{}' cannot be cut into blocks of 'shape' [{}]: axis {} of its shape {} is no multiple of {}", parameter,
            fmt::join(shape_, ", "), axis, shape_text(shape), shape_[axis]);
  }

  at::Tensor gather(const at::Tensor& weight) const override {
    const auto axes = weight.dim();
    return weight.reshape(split_sizes(weight.sizes()))
        .permute(blocks_first(axes))
        .flatten(axes, 2 * axes - 1)
        .flatten(0, axes - 1);
  }

  at::Tensor scatter(const at::Tensor& numbers, at::IntArrayRef shape) const override {
    const auto sizes = split_sizes(shape);
    auto along = sizes;
    for (size_t i = 1; i < along.size(); i += 2) along[i] = 1;
    return numbers.reshape(along).expand(sizes).reshape(shape);
  }

private:
  int64_t size(size_t axis) const { return axis < shape_.size() ? shape_[axis] : 1; }

  /// Each axis as two: blocks, and what is within a block.
  std::vector<int64_t> split_sizes(at::IntArrayRef shape) const {
    std::vector<int64_t> sizes;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      sizes.push_back(shape[axis] / size(axis));
      sizes.push_back(size(axis));
    }
    return sizes;
  }

  static std::vector<int64_t> blocks_first(int64_t axes) {
    std::vector<int64_t> order;
    for (int64_t axis = 0; axis < axes; ++axis) order.push_back(2 * axis);
    for (int64_t axis = 0; axis < axes; ++axis) order.push_back(2 * axis + 1);
    return order;
  }

  std::vector<int64_t> shape_;
};

}  // namespace

extern const Entry<Granularity> block_granularity;
const Entry<Granularity> block_granularity{
    "block", "a block of neighbouring weights: shape [4, 2] takes 2 inputs of 4 outputs, at each position of a kernel",
    make_component<Granularity, Block>};

}  // namespace compress::analysis
