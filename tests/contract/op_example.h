#pragma once

#include "support/run_op.h"
#include "support/tensors.h"

#include <set>
#include <string>
#include <vector>

namespace compress::test {

/// One call of an operator: a node in text form with its inputs, in double precision.
struct OpExample {
  std::string text;
  std::vector<at::Tensor> inputs;
  std::set<size_t> constants = {};  ///< inputs without gradient (statistics, ranges)
  ops::Mode mode = ops::Mode::eval;
};

}  // namespace compress::test
