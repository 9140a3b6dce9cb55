#include "train/trainer.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <charconv>

namespace compress::train {

at::Device parse_device(const std::string& text) {
  if (text == "cpu") return at::kCPU;
  int index = 0;
  const std::string_view prefix = "cuda:";
  const bool numbered = text.starts_with(prefix);
  const char* const end = text.data() + text.size();
  const auto read =
      numbered ? std::from_chars(text.data() + prefix.size(), end, index) : std::from_chars_result{end, {}};
  if ((text != "cuda" && !numbered) || read.ec != std::errc() || read.ptr != end || index < 0)
    throw request_error("unknown device '{}'", text).hint("known: cpu, cuda, cuda:N");
  if (!at::hasCUDA())
    throw request_error("device '{}': LibTorch here finds no CUDA device", text)
        .hint("use cpu, or build with a CUDA LibTorch (-Dtorch_root=) on a machine with a driver");
  if (const auto count = static_cast<int>(at::getNumGPUs()); index >= count)
    throw request_error("device '{}': there are {} CUDA devices, counted from 0", text, count);
  return {at::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

void set_threads(int64_t threads) {
  if (threads > 0) at::set_num_threads(static_cast<int>(threads));
}

}  // namespace compress::train
