#include "ops/parallel.h"

#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>

namespace compress::ops {

/// at::parallel_for is a template that needs the compiler flags of LibTorch's thread library (OpenMP or its own pool).
/// A TensorIterator over one byte per task reaches the same threads through compiled code.
void run_tasks(int64_t tasks, const std::function<void(int64_t)>& task) {
  if (tasks <= 1) {
    if (tasks == 1) task(0);
    return;
  }
  const auto bytes = at::empty({tasks}, at::TensorOptions().dtype(at::kByte));
  auto iterator = at::TensorIterator::borrowing_nullary_op(bytes);
  const auto* base = static_cast<const char*>(bytes.const_data_ptr());
  iterator.for_each(
      [&](char** data, const int64_t*, int64_t columns, int64_t rows) {
        const int64_t first = data[0] - base;
        for (int64_t i = first; i < first + columns * rows; ++i) task(i);
      },
      /*grain_size=*/1);
}

}  // namespace compress::ops
