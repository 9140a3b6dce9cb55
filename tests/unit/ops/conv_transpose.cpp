#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

at::Tensor transposed(const std::string& attributes) {
  const auto x = numbers({1, 2, 3}).reshape({1, 1, 3}), w = numbers({1, 10, 100, 1000}).reshape({1, 1, 4});
  return run_op(node_of("y = ConvTranspose(x, %w) strides=[2] " + attributes), {x, w})[0].flatten();
}

}  // namespace

// Expected values: ONNX Runtime 1.31.1, opset 11, for the whole result and the stated output shapes; the other cases
// follow from the whole result by ONNX's text.
TEST_CASE("ConvTranspose: a stated output shape crops more in front, or extends behind", "[ops]") {
  require_close(transposed(""), numbers({1, 10, 102, 1020, 203, 2030, 300, 3000}), 0);
  require_close(transposed("output_shape=[7]"), numbers({10, 102, 1020, 203, 2030, 300, 3000}), 0);
  require_close(transposed("output_shape=[5]"), numbers({102, 1020, 203, 2030, 300}), 0);
  require_close(transposed("output_shape=[9]"), numbers({1, 10, 102, 1020, 203, 2030, 300, 3000, 0}), 0);
  require_close(transposed("output_shape=[1,1,5] auto_pad=\"SAME_UPPER\""), numbers({10, 102, 1020, 203, 2030}), 0);
}

TEST_CASE("ConvTranspose: auto_pad gives the input's size times the strides", "[ops]") {
  require_close(transposed("auto_pad=\"SAME_UPPER\""), numbers({10, 102, 1020, 203, 2030, 300}), 0);
  require_close(transposed("auto_pad=\"VALID\" pads=[1,1]"), transposed(""), 0);
}

TEST_CASE("ConvTranspose: uneven pads crop as the stated ones do", "[ops]") {
  require_close(transposed("pads=[1,0]"), transposed("").slice(0, 1), 0);
  require_close(transposed("pads=[0,3]"), transposed("").slice(0, 0, 5), 0);
}
