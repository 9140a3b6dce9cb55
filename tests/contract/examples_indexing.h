#pragma once

#include "contract/op_example.h"
#include "support/tensors.h"

#include <string>
#include <vector>

namespace compress::test {

/// Reductions, searches and sums along axes.
inline std::vector<OpExample> reduction_examples() {
  const auto x = wild({2, 3, 4, 2}), positive = wild_positive({2, 3, 4});
  const auto empty = wild({2, 0, 3}), whole = integers({3, -1, 4, 1, -5, 9}).reshape({2, 3});
  std::vector<OpExample> examples;
  for (const std::string name : {"Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp"}) {
    const auto op = "y = Reduce" + name + "(x)";
    examples.push_back({op, {positive}});
    examples.push_back({op + " axes=[0,-1]", {positive}});
    examples.push_back({op + " axes=[2] keepdims=0", {positive}});
    examples.push_back({op + " axes=[] noop_with_empty_axes=1", {positive}});
    if (name != "Mean") examples.push_back({op + " axes=[1] keepdims=0", {empty}});
    for (const auto type : {at::kInt, at::kLong, at::kUInt32})
      examples.push_back({op + " axes=[1]", {whole.abs().to(type)}});
  }
  const auto more = std::vector<OpExample>{
      {"y = ReduceMax(x) axes=[1]", {whole.gt(2)}},
      {"y = ReduceMin(x) axes=[1]", {whole.gt(2)}},
      {"y = ReduceMax(x) axes=[1]", {empty.to(at::kChar)}},
      {"y = ReduceMean(x)", {at::scalar_tensor(2.5, at::kDouble)}},
      {"y = ArgMax(x) axis=2", {x}},
      {"y = ArgMax(x) keepdims=0", {x}},
      {"y = ArgMin(x) axis=-1 keepdims=0 select_last_index=1", {x}},
      {"y = ArgMax(x) axis=1", {whole.to(at::kUInt16)}},
      {"y, y:1 = TopK(x) k=2", {x}},
      {"y, y:1 = TopK(x) k=3 axis=2 largest=0", {x}},
      {"y, y:1 = TopK(x) k=2 axis=1 sorted=0", {x}},
      {"y, y:1 = TopK(x) k=2", {whole.abs().to(at::kUInt16)}},
      {"y = CumSum(x) axis=2", {x}},
      {"y = CumSum(x) axis=-2 exclusive=1", {x}},
      {"y = CumSum(x) axis=1 reverse=1", {x}},
      {"y = CumSum(x) axis=0 reverse=1 exclusive=1", {x}},
      {"y = CumSum(x) axis=1", {whole.to(at::kInt)}},
      {"y = Trilu(x)", {x}},
      {"y = Trilu(x) upper=0 k=1", {x}},
      {"y = Trilu(x) k=-2", {whole}},
      {"y = Trilu(x) k=9223372036854775807", {x}},
      {"y = NonMaxSuppression(a, b) max_output_boxes_per_class=2 iou_threshold=0.5",
       {numbers({0, 0, 1, 1, 5, 5, 6, 6}).reshape({1, 2, 4}), numbers({0.9, 0.8}).reshape({1, 1, 2})}},
  };
  examples.insert(examples.end(), more.begin(), more.end());
  return examples;
}

/// Operators that pick, write or make elements by index.
inline std::vector<OpExample> indexing_examples() {
  const auto x = wild({2, 3, 4});
  const auto lists = integers({0, 1, 1, -1}).reshape({2, 2});
  const auto same = integers({0, -1, 1, 1, 0, 2, 3, 0, 1, 2, 0, 3}).reshape({2, 3, 2});
  std::vector<OpExample> examples{
      {"y = Gather(x, i) axis=2", {x, integers({3, 0})}},
      {"y = Gather(%x, i)", {wild({5, 3}), integers({4, 0, -1, 4}).reshape({2, 2})}},
      {"y = Gather(%x, i) axis=1", {wild({5, 3}), integers({2, 0})}},
      {"y = Gather(x, i)", {x, at::scalar_tensor(1, at::kInt)}},
      {"y = GatherElements(x, %i) axis=2", {x, same}},
      {"y = GatherElements(x, i) axis=-1", {x, same}},
      {"y = GatherElements(x, %i)", {x, same.narrow(1, 0, 2).remainder(2)}},
      {"y = GatherND(x, %i)", {x, lists}},
      {"y = GatherND(x, i)", {x, integers({1, 0}).reshape({2, 1})}},
      {"y = GatherND(x, i) batch_dims=1", {x, lists}},
      {"y = GatherND(x, i) batch_dims=1", {x, integers({0, 2, 1, 1}).reshape({2, 2, 1})}},
      {"y = Scatter(x, i, u) axis=2",
       {x, integers({3, 1, 0}).reshape({1, 3, 1}).expand({2, 3, 1}), wild({2, 3, 1}, 1)}},
      {"y = ScatterElements(x, %i, u) axis=1",
       {x, integers({2, 0}).reshape({1, 2, 1}).expand({2, 2, 4}), wild({2, 2, 4}, 1)}},
      {"y = ScatterND(x, %i, u)", {x, integers({1}).reshape({1, 1}), wild({1, 3, 4}, 1)}},
      {"y = ScatterND(x, i, u)", {x, lists, wild({2, 4}, 1)}},
      {"y = Tile(x) repeats=[1,2,3]", {x}},
      {"y = Tile(x) repeats=[2,1,1]", {x.mul(9).to(at::kChar)}},
      {"y = Tile(x) repeats=[1,0,1]", {x}},
      {"y = OneHot(i, _, v) depth=4", {same, at::Tensor(), numbers({-1, 2})}},
      {"y = OneHot(i, _, %v) depth=3 axis=1", {integers({0, -1, 7}), at::Tensor(), numbers({0, 1})}},
      {"y = EyeLike(x)", {wild({3, 4})}},
      {"y = EyeLike(x) k=-1 dtype=6", {wild({3, 4})}},
      {"y = EyeLike(x) k=9", {wild({3, 4})}},
      {"y = Size(x)", {x}},
  };
  for (const std::string how : {"none", "add", "mul", "max", "min"}) {
    const auto words = " reduction=\"" + how + "\"";
    const auto unique = integers({1, 0, 3, 2, 0, 1}).reshape({2, 3, 1});
    examples.push_back({"y = ScatterElements(x, i, u) axis=2" + words, {x, unique, wild({2, 3, 1}, 1)}});
    examples.push_back({"y = ScatterND(x, i, u)" + words, {x, lists, wild({2, 4}, 1)}});
  }
  return examples;
}

}  // namespace compress::test
