#include "exec/batch_norm_loops.h"

#include "ops/parallel.h"
#include "ops/vectorised.h"

#include <algorithm>

namespace compress::exec {

namespace {

// Values are taken in blocks of whole rows; what is per channel is repeated to the length of a block, so that every
// loop runs over flat arrays of about a thousand numbers, whatever the number of channels.
constexpr int64_t kBlock = 1024;
constexpr int64_t kBlocksPerTask = 64;  // also how many floats are summed before going on in double

/// How an extent is cut into blocks and tasks: a function of the sizes alone, so that sums have the same order on any
/// number of threads.
struct Blocks {
  explicit Blocks(Extent extent)
      : length(extent.channels * std::max<int64_t>(1, kBlock / extent.channels)), total(extent.rows * extent.channels),
        tasks((total + length * kBlocksPerTask - 1) / (length * kBlocksPerTask)) {}

  /// body(offset, count) for every block of a task.
  template <class Body>
  void each(int64_t task, Body body) const {
    const int64_t end = std::min(total, (task + 1) * length * kBlocksPerTask);
    for (int64_t offset = task * length * kBlocksPerTask; offset < end; offset += length)
      body(offset, std::min(length, end - offset));
  }

  PerChannel repeat(const PerChannel& values) const {
    PerChannel repeated(static_cast<size_t>(length));
    for (auto to = repeated.begin(); to != repeated.end();) to = std::ranges::copy(values, to).out;
    return repeated;
  }

  int64_t length, total, tasks;
};

/// Two numbers per channel: a pair of rows for each task, to be joined in the tasks' order.
template <class Number>
class TaskRows {
public:
  TaskRows(const Blocks& blocks, int64_t channels)
      : channels_(static_cast<size_t>(channels)), values_(2 * static_cast<size_t>(blocks.tasks) * channels_) {}

protected:
  Number* rows(int64_t task) { return &values_[2 * static_cast<size_t>(task) * channels_]; }

  size_t channels_;
  std::vector<Number> values_;
};

class TaskSums : public TaskRows<double> {
public:
  using TaskRows::TaskRows;

  void set(int64_t task, const PerChannel& first, const PerChannel& second) {
    double* sums = rows(task);
    for (size_t i = 0; i < first.size(); i += channels_)
      for (size_t c = 0; c < channels_; ++c) {
        sums[c] += first[i + c];
        sums[channels_ + c] += second[i + c];
      }
  }

  GradientSums total() const {
    GradientSums total{std::vector<double>(channels_), std::vector<double>(channels_)};
    for (size_t i = 0; i < values_.size(); i += 2 * channels_)
      for (size_t c = 0; c < channels_; ++c) {
        total.gradient[c] += values_[i + c];
        total.product[c] += values_[i + channels_ + c];
      }
    return total;
  }
};

class TaskExtremes : public TaskRows<float> {
public:
  using TaskRows::TaskRows;

  void set(int64_t task, const PerChannel& low, const PerChannel& high) {
    float* values = rows(task);
    for (size_t c = 0; c < channels_; ++c) {
      values[c] = low[c];
      values[channels_ + c] = high[c];
    }
    for (size_t i = channels_; i < low.size(); ++i) {
      const auto c = i % channels_;
      values[c] = std::min(values[c], low[i]);
      values[channels_ + c] = std::max(values[channels_ + c], high[i]);
    }
  }

  ChannelExtremes total() const {
    const auto first = values_.begin();
    const auto size = static_cast<std::ptrdiff_t>(channels_);
    ChannelExtremes total{{first, first + size}, {first + size, first + 2 * size}};
    for (size_t i = 2 * channels_; i < values_.size(); i += 2 * channels_)
      for (size_t c = 0; c < channels_; ++c) {
        total.low[c] = std::min(total.low[c], values_[i + c]);
        total.high[c] = std::max(total.high[c], values_[i + channels_ + c]);
      }
    return total;
  }
};

COMPRESS_VECTORISED void add_moments(const float* __restrict x,
                                     const float* __restrict origin,
                                     float* __restrict sum,
                                     float* __restrict square,
                                     int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const float d = x[i] - origin[i];
    sum[i] += d;
    square[i] += d * d;
  }
}

COMPRESS_VECTORISED void add_moments_and_extremes(const float* __restrict x,
                                                  const float* __restrict origin,
                                                  float* __restrict sum,
                                                  float* __restrict square,
                                                  float* __restrict low,
                                                  float* __restrict high,
                                                  int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const float d = x[i] - origin[i];
    sum[i] += d;
    square[i] += d * d;
    low[i] = x[i] < low[i] ? x[i] : low[i];
    high[i] = x[i] > high[i] ? x[i] : high[i];
  }
}

// A comparison that is false for NaN keeps the NaN.
inline float limit(float v, Clamp clamp) {
  v = v < clamp.low ? clamp.low : v;
  return v > clamp.high ? clamp.high : v;
}

inline float gate(float gradient, float v, Clamp clamp) {
  return v >= clamp.gate_low && v <= clamp.gate_high ? gradient : 0.0f;
}

COMPRESS_VECTORISED void apply(const float* __restrict x,
                               const float* __restrict scale,
                               const float* __restrict shift,
                               float* __restrict y,
                               int64_t count,
                               Clamp clamp) {
  for (int64_t i = 0; i < count; ++i) y[i] = limit(x[i] * scale[i] + shift[i], clamp);
}

COMPRESS_VECTORISED void apply_rounded(const float* __restrict x,
                                       const float* __restrict scale,
                                       const float* __restrict shift,
                                       float* __restrict y,
                                       int64_t count,
                                       Clamp clamp,
                                       ops::Rounding rounding) {
  for (int64_t i = 0; i < count; ++i) y[i] = ops::nearest(limit(x[i] * scale[i] + shift[i], clamp), rounding);
}

COMPRESS_VECTORISED void apply_add(const float* __restrict x,
                                   const float* __restrict other,
                                   const float* __restrict scale,
                                   const float* __restrict shift,
                                   float* __restrict y,
                                   int64_t count,
                                   Clamp clamp) {
  for (int64_t i = 0; i < count; ++i) y[i] = limit(x[i] * scale[i] + shift[i] + other[i], clamp);
}

COMPRESS_VECTORISED void add_gated(const float* __restrict gradient,
                                   const float* __restrict x,
                                   const float* __restrict mean,
                                   const float* __restrict scale,
                                   const float* __restrict shift,
                                   Clamp clamp,
                                   float* __restrict sum,
                                   float* __restrict product,
                                   int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const float g = gate(gradient[i], x[i] * scale[i] + shift[i], clamp);
    sum[i] += g;
    product[i] += g * (x[i] - mean[i]);
  }
}

COMPRESS_VECTORISED void add_passed(const float* gradient,
                                    const float* __restrict y,
                                    const float* __restrict x,
                                    const float* __restrict mean,
                                    Clamp clamp,
                                    float* passed,
                                    float* __restrict sum,
                                    float* __restrict product,
                                    int64_t count) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) {
    const float g = gate(gradient[i], y[i], clamp);
    passed[i] = g;
    sum[i] += g;
    product[i] += g * (x[i] - mean[i]);
  }
}

struct LineTables {
  const float *mean, *a, *b, *c;
};

COMPRESS_VECTORISED void
line(const float* gradient, const float* __restrict x, LineTables t, float* dx, int64_t count) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) dx[i] = gradient[i] * t.a[i] + ((x[i] - t.mean[i]) * t.b[i] + t.c[i]);
}

COMPRESS_VECTORISED void gated_line(const float* gradient,
                                    const float* __restrict x,
                                    LineTables t,
                                    const float* __restrict scale,
                                    const float* __restrict shift,
                                    Clamp clamp,
                                    float* dx,
                                    int64_t count) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) {
    const float g = gate(gradient[i], x[i] * scale[i] + shift[i], clamp);
    dx[i] = g * t.a[i] + ((x[i] - t.mean[i]) * t.b[i] + t.c[i]);
  }
}

/// About the middle of each channel, from a few rows: sums of squares around it do not cancel.
PerChannel sample_mean(const float* x, Extent extent) {
  constexpr int64_t kRows = 32;
  const int64_t count = std::min(kRows, extent.rows), step = extent.rows / count;
  PerChannel mean(static_cast<size_t>(extent.channels));
  for (int64_t row = 0; row < count; ++row)
    for (int64_t c = 0; c < extent.channels; ++c) mean[c] += x[row * step * extent.channels + c];
  for (auto& value : mean) value /= static_cast<float>(count);
  return mean;
}

/// Sums around `origin` as mean and variance.
Moments moments_of(const TaskSums& sums, const PerChannel& origin, int64_t rows) {
  auto [mean, variance] = sums.total();
  for (size_t c = 0; c < mean.size(); ++c) {
    const double shift = mean[c] / static_cast<double>(rows);
    mean[c] = origin[c] + shift;
    variance[c] = std::max(0.0, variance[c] / static_cast<double>(rows) - shift * shift);
  }
  return {std::move(mean), std::move(variance)};
}

}  // namespace

Moments moments(const float* x, Extent extent) {
  const Blocks blocks(extent);
  const auto origin = sample_mean(x, extent), repeated = blocks.repeat(origin);
  TaskSums sums(blocks, extent.channels);
  ops::run_tasks(blocks.tasks, [&](int64_t task) {
    PerChannel sum(repeated.size()), square(repeated.size());
    blocks.each(task, [&](int64_t offset, int64_t count) {
      add_moments(x + offset, repeated.data(), sum.data(), square.data(), count);
    });
    sums.set(task, sum, square);
  });
  return moments_of(sums, origin, extent.rows);
}

Moments moments(const float* x, Extent extent, ChannelExtremes& extremes) {
  const Blocks blocks(extent);
  const auto origin = sample_mean(x, extent), repeated = blocks.repeat(origin);
  TaskSums sums(blocks, extent.channels);
  TaskExtremes ends(blocks, extent.channels);
  ops::run_tasks(blocks.tasks, [&](int64_t task) {
    PerChannel sum(repeated.size()), square(repeated.size()), low = repeated, high = repeated;
    blocks.each(task, [&](int64_t offset, int64_t count) {
      add_moments_and_extremes(x + offset, repeated.data(), sum.data(), square.data(), low.data(), high.data(), count);
    });
    sums.set(task, sum, square);
    ends.set(task, low, high);
  });
  extremes = ends.total();
  return moments_of(sums, origin, extent.rows);
}

void normalize(const float* x, const float* other, float* y, Extent extent, const Affine& affine, Clamp clamp) {
  const Blocks blocks(extent);
  const auto scale = blocks.repeat(affine.scale), shift = blocks.repeat(affine.shift);
  ops::run_tasks(blocks.tasks, [&](int64_t task) {
    blocks.each(task, [&](int64_t offset, int64_t count) {
      if (other)
        apply_add(x + offset, other + offset, scale.data(), shift.data(), y + offset, count, clamp);
      else
        apply(x + offset, scale.data(), shift.data(), y + offset, count, clamp);
    });
  });
}

void normalize(const float* x, float* y, Extent extent, const Affine& affine, Clamp clamp, ops::Rounding rounding) {
  const Blocks blocks(extent);
  const auto scale = blocks.repeat(affine.scale), shift = blocks.repeat(affine.shift);
  ops::run_tasks(blocks.tasks, [&](int64_t task) {
    blocks.each(task, [&](int64_t offset, int64_t count) {
      apply_rounded(x + offset, scale.data(), shift.data(), y + offset, count, clamp, rounding);
    });
  });
}

GradientSums sum_gradient(
    const float* gradient, const float* x, Extent extent, const PerChannel& mean, const Affine& affine, Clamp clamp) {
  const Blocks blocks(extent);
  const auto means = blocks.repeat(mean), scale = blocks.repeat(affine.scale), shift = blocks.repeat(affine.shift);
  TaskSums sums(blocks, extent.channels);
  ops::run_tasks(blocks.tasks, [&](int64_t task) {
    PerChannel sum(means.size()), product(means.size());
    blocks.each(task, [&](int64_t offset, int64_t count) {
      add_gated(gradient + offset, x + offset, means.data(), scale.data(), shift.data(), clamp, sum.data(),
                product.data(), count);
    });
    sums.set(task, sum, product);
  });
  return sums.total();
}

GradientSums pass_gradient(const float* gradient,
                           const float* y,
                           const float* x,
                           float* passed,
                           Extent extent,
                           const PerChannel& mean,
                           Clamp clamp) {
  const Blocks blocks(extent);
  const auto means = blocks.repeat(mean);
  TaskSums sums(blocks, extent.channels);
  ops::run_tasks(blocks.tasks, [&](int64_t task) {
    PerChannel sum(means.size()), product(means.size());
    blocks.each(task, [&](int64_t offset, int64_t count) {
      add_passed(gradient + offset, y + offset, x + offset, means.data(), clamp, passed + offset, sum.data(),
                 product.data(), count);
    });
    sums.set(task, sum, product);
  });
  return sums.total();
}

void input_gradient(const float* gradient,
                    const float* x,
                    float* dx,
                    Extent extent,
                    const GradientLine& coefficients,
                    const Affine* gate,
                    Clamp clamp) {
  const Blocks blocks(extent);
  const auto mean = blocks.repeat(coefficients.mean), a = blocks.repeat(coefficients.a),
             b = blocks.repeat(coefficients.b), c = blocks.repeat(coefficients.c);
  const auto scale = gate ? blocks.repeat(gate->scale) : PerChannel(),
             shift = gate ? blocks.repeat(gate->shift) : PerChannel();
  const LineTables tables{mean.data(), a.data(), b.data(), c.data()};
  ops::run_tasks(blocks.tasks, [&](int64_t task) {
    blocks.each(task, [&](int64_t offset, int64_t count) {
      if (gate)
        gated_line(gradient + offset, x + offset, tables, scale.data(), shift.data(), clamp, dx + offset, count);
      else
        line(gradient + offset, x + offset, tables, dx + offset, count);
    });
  });
}

}  // namespace compress::exec
