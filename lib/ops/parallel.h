#pragma once

#include <cstdint>
#include <functional>

namespace compress::ops {

/// Runs task(0) ... task(tasks-1) on LibTorch's own threads.
void run_tasks(int64_t tasks, const std::function<void(int64_t)>& task);

}  // namespace compress::ops
