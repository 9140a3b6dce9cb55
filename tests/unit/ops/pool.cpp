#include "ops/shape.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <ATen/ops/full.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

at::Tensor counting_image(const Shape& shape) {
  return at::arange(ops::elements(shape), at::kDouble).reshape(shape);
}

}  // namespace

TEST_CASE("MaxPool: positions count through the whole input, without pads", "[ops]") {
  const auto x = counting_image({1, 2, 3, 4});  // each value is its own position
  for (const std::string attributes : {"kernel_shape=[2,2]", "kernel_shape=[2,2] pads=[1,1,1,1] strides=[2,2]",
                                       "kernel_shape=[3,3] pads=[2,0,0,2]", "kernel_shape=[2,2] dilations=[1,2]"}) {
    INFO(attributes);
    const auto outputs = run_op(node_of("y, y:1 = MaxPool(x) " + attributes), {x});
    REQUIRE(outputs[1].scalar_type() == at::kLong);
    require_close(outputs[1].to(at::kDouble), outputs[0], 0);
  }
  const auto columns = run_op(node_of("y, y:1 = MaxPool(x) kernel_shape=[3,4] storage_order=1"), {x})[1];
  REQUIRE(columns.flatten().equal(integers({11, 23})));
  const auto corner = run_op(node_of("y, y:1 = MaxPool(x) kernel_shape=[2,2] storage_order=1"), {x})[1];
  REQUIRE(corner.flatten()[0].item<int64_t>() == 4);  // row 1, column 1 of three rows
}

TEST_CASE("MaxPool: bytes are padded with what never wins", "[ops]") {
  const auto x = at::full({1, 1, 2, 2}, -100, at::kChar);
  const auto y = run_op(node_of("y = MaxPool(x) kernel_shape=[2,2] pads=[1,0,0,1]"), {x})[0];
  REQUIRE(y.equal(x));
}

TEST_CASE("MaxUnpool: undoes MaxPool", "[ops]") {
  const auto x = counting_image({2, 3, 4, 6});
  const auto pooled = run_op(node_of("y, y:1 = MaxPool(x) kernel_shape=[2,2] strides=[2,2]"), {x});
  const auto y = run_op(node_of("y = MaxUnpool(p, i) kernel_shape=[2,2] strides=[2,2]"), pooled)[0];
  REQUIRE(y.sizes() == x.sizes());
  require_close(y.masked_select(y.ne(0)), pooled[0].flatten(), 0);
}

TEST_CASE("AveragePool: a dilated window skips", "[ops]") {
  const auto x = counting_image({1, 1, 5});
  require_close(run_op(node_of("y = AveragePool(x) kernel_shape=[2] dilations=[3]"), {x})[0].flatten(),
                numbers({1.5, 2.5}), 1e-12);
}

TEST_CASE("LpPool: a window of zeros has the norm and the gradient 0", "[ops]") {
  auto x = numbers({0, 0, 3, -4}).reshape({1, 1, 4}).requires_grad_(true);
  const auto y = run_op(node_of("y = LpPool(x) kernel_shape=[2] strides=[2]"), {x})[0];
  require_close(y.flatten(), numbers({0, 5}), 1e-12);
  y.sum().backward();
  require_close(x.grad().flatten(), numbers({0, 0, 0.6, -0.8}), 1e-12);
}
