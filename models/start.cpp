#include "start.h"

#include "core/random.h"
#include "ops/parallel.h"
#include "ops/shape.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

namespace compress::models {

namespace {

double fan_of(const Start& start, const Shape& shape, int64_t groups) {
  const auto outputs = shape[0], inputs = ops::elements(shape) / outputs,
             area = shape.size() == 4 ? shape[2] * shape[3] : 1;
  switch (start.fan) {
  case Start::Fan::in: return static_cast<double>(inputs);
  case Start::Fan::out: return static_cast<double>(outputs * area);
  case Start::Fan::group_out: return static_cast<double>(outputs / groups * area);
  default: return 1;
  }
}

/// The values are a function of the key alone, whatever the number of threads: each part of the stream is drawn from
/// its own place.
at::Tensor drawn(const Shape& shape, const Start& start, double fan, uint64_t key) {
  constexpr int64_t kPart = 1 << 16;
  auto value = at::empty(shape, at::kFloat);
  auto* data = value.data_ptr<float>();
  const auto count = value.numel();
  const bool normal = start.draw == Start::Draw::normal;
  const double scale = normal ? std::sqrt(start.factor / fan) : std::sqrt(start.factor) / std::sqrt(fan);
  ops::run_tasks((count + kPart - 1) / kPart, [&](int64_t part) {
    Random random(key);
    random.skip(static_cast<uint64_t>(part * kPart) * (normal ? 2 : 1));
    for (auto i = part * kPart; i < std::min(count, (part + 1) * kPart); ++i)
      data[i] = static_cast<float>(normal ? scale * random.normal() : random.uniform(-scale, scale));
  });
  return value;
}

/// Zeros of a shape that share one element.
at::Tensor shape_only(const Shape& shape) {
  return at::zeros({}, at::kFloat).expand(shape);
}

}  // namespace

at::Tensor initial_weight(const Shape& shape, int64_t groups, const Start& start, Seed seed, const std::string& name) {
  if (!seed) return shape_only(shape);
  return drawn(shape, start, fan_of(start, shape, groups), random_key(*seed, "init/" + name));
}

at::Tensor initial_bias(int64_t size, int64_t inputs, const Start& start, Seed seed, const std::string& name) {
  if (!seed || !start.draw_bias) return at::zeros({size}, at::kFloat);
  return drawn({size}, kDefaultStart, static_cast<double>(inputs), random_key(*seed, "init/" + name));
}

}  // namespace compress::models
