#include "quant/statistics/value_statistics.h"

#include "core/error.h"
#include "ops/parallel.h"
#include "ops/vectorised.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace compress::quant {

namespace {

/// [samples, numbers of a sample], dense. How a sample lies in memory does not matter, so channels-last needs no copy.
at::Tensor rows(const at::Tensor& batch) {
  const auto value = batch.detach().to(at::kCPU, at::kFloat);
  const int64_t samples = value.dim() == 0 ? 1 : value.size(0), numbers = value.numel() / samples;
  if (value.dim() == 4 && value.is_contiguous(at::MemoryFormat::ChannelsLast))
    return value.as_strided({samples, numbers}, {numbers, 1});
  return value.contiguous().view({samples, numbers});
}

/// Partial results side by side, which the compiler turns into vectors.
constexpr size_t kLanes = 16;

/// Tasks for several threads hold at least so many numbers.
constexpr int64_t kGrain = 16384;

struct Sums {
  std::array<float, kLanes> low, high;
  std::array<double, kLanes> sum{}, squares{};  ///< of the distances from a pivot
};

COMPRESS_VECTORISED
void sum_up(const float* x, int64_t n, float pivot, Sums& sums) {
  Sums lanes = sums;  // local, so that the compiler need not fear that x lies in it
  for (int64_t i = 0; i < n; i += static_cast<int64_t>(kLanes))
    for (size_t j = 0; j < kLanes; ++j) {
      const float number = x[i + static_cast<int64_t>(j)];
      lanes.low[j] = number < lanes.low[j] ? number : lanes.low[j];
      lanes.high[j] = number > lanes.high[j] ? number : lanes.high[j];
      const double distance = static_cast<double>(number) - static_cast<double>(pivot);
      lanes.sum[j] += distance;
      lanes.squares[j] += distance * distance;
    }
  sums = lanes;
}

template <class T>
double total(const std::array<T, kLanes>& lanes) {
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

}  // namespace

StatisticsNeeds& StatisticsNeeds::operator|=(const StatisticsNeeds& other) {
  histogram = histogram || other.histogram;
  deviation = deviation || other.deviation;
  decays.insert(other.decays.begin(), other.decays.end());
  return *this;
}

/// Of one sample. Distances from its first number keep a constant sample's deviation exactly 0.
struct ValueStatistics::Sample {
  double low = 0, high = 0, mean = 0, squares = 0;

  Sample() = default;
  Sample(const float* x, int64_t n) {
    Sums lanes;
    lanes.low.fill(x[0]);
    lanes.high.fill(x[0]);
    const int64_t whole = n - n % static_cast<int64_t>(kLanes);
    sum_up(x, whole, x[0], lanes);
    std::array<float, kLanes> rest;
    rest.fill(x[0]);
    std::copy(x + whole, x + n, rest.begin());
    sum_up(rest.data(), std::ssize(rest), x[0], lanes);
    low = *std::ranges::min_element(lanes.low), high = *std::ranges::max_element(lanes.high);
    const double sum = total(lanes.sum), count = static_cast<double>(n);
    mean = x[0] + sum / count;
    squares = std::max(total(lanes.squares) - sum * sum / count, 0.0);
    if (!std::isfinite(sum)) squares = sum;  // NaN and infinities show here
  }
};

ValueStatistics::ValueStatistics(std::string name, StatisticsNeeds needs)
    : name_(std::move(name)), wants_histogram_(needs.histogram || needs.deviation) {
  for (const double decay : needs.decays) averages_.try_emplace(decay);
}

ValueStatistics::ValueStatistics(std::string name, const StatisticsRecord& record)
    : name_(std::move(name)), file_(record), deviation_(record.mean_absolute_deviation), shape_(record.shape),
      samples_(1), numbers_(static_cast<double>(record.numbers)), extremes_(record.extremes), sums_(record.averaged),
      mean_(record.mean) {}

StatisticsRecord ValueStatistics::record() const {
  require_seen();
  StatisticsRecord record{.extremes = extremes_,
                          .averaged = averaged_extremes(),
                          .mean = mean_,
                          .shape = shape_,
                          .numbers = static_cast<int64_t>(numbers_)};
  record.standard_deviation = file_ ? file_->standard_deviation : standard_deviation();
  record.mean_absolute_deviation = deviation_;
  if (!deviation_ && wants_histogram_) record.mean_absolute_deviation = mean_absolute_deviation();
  return record;
}

void ValueStatistics::refuse_from_file(std::string_view what) const {
  if (!file_) return;
  throw request_error("the statistics of value '{}' are from a file, which does not tell {}", name_, what)
      .hint("choose another observer, or leave the statistics file out, so that calibration runs");
}

void ValueStatistics::watch(const at::Tensor& batch) {
  watch_part(batch);
  end_batch();
}

void ValueStatistics::watch_part(const at::Tensor& batch) {
  const at::NoGradGuard no_grad;
  if (batch.numel() == 0)
    throw run_error("value '{}' holds no numbers during calibration: its shape is [{}]", name_,
                    fmt::join(batch.sizes(), ", "))
        .hint("check the shapes of the calibration data and of the model's inputs");
  const auto values = rows(batch);
  const int64_t n = values.size(1);
  const int64_t in_task = std::max<int64_t>(1, kGrain / n), tasks = (values.size(0) + in_task - 1) / in_task;
  std::vector<Sample> batch_samples(static_cast<size_t>(values.size(0)));
  ops::run_tasks(tasks, [&, first = values.const_data_ptr<float>()](int64_t task) {
    for (int64_t i = task * in_task; i < std::min((task + 1) * in_task, values.size(0)); ++i)
      batch_samples[static_cast<size_t>(i)] = Sample(first + i * n, n);
  });
  Extremes reach;
  for (int64_t i = 0; i < values.size(0); ++i) {
    const auto& sample = batch_samples[static_cast<size_t>(i)];
    if (!std::isfinite(sample.squares))
      throw run_error("value '{}' is not finite during calibration: sample {} holds NaN or infinity", name_,
                      samples_ + i)
          .hint("check the model's weights and the normalisation of the data");
    reach = i == 0 ? Extremes{sample.low, sample.high}
                   : Extremes{std::min(reach.low, sample.low), std::max(reach.high, sample.high)};
  }
  for (const auto& sample : batch_samples) include(sample, n);
  if (shape_.empty()) shape_ = batch.sizes().vec();
  batch_ = batch_ ? Extremes{std::min(batch_->low, reach.low), std::max(batch_->high, reach.high)} : reach;
  if (!wants_histogram_) return;
  histogram_.cover(reach.low, reach.high);
  histogram_.add({values.const_data_ptr<float>(), static_cast<size_t>(values.numel())});
}

void ValueStatistics::end_batch() {
  if (!batch_) return;
  ++batches_;
  for (auto& [decay, average] : averages_) {
    average.low = decay * average.low + (1 - decay) * batch_->low;
    average.high = decay * average.high + (1 - decay) * batch_->high;
  }
  batch_.reset();
}

void ValueStatistics::include(const Sample& sample, int64_t numbers) {
  extremes_ = samples_ == 0 ? Extremes{sample.low, sample.high}
                            : Extremes{std::min(extremes_.low, sample.low), std::max(extremes_.high, sample.high)};
  sums_.low += sample.low;
  sums_.high += sample.high;
  const double n = static_cast<double>(numbers), all = numbers_ + n, distance = sample.mean - mean_;
  squares_ += sample.squares + distance * distance * numbers_ * n / all;
  mean_ += distance * n / all;
  numbers_ = all;
  ++samples_;
}

void ValueStatistics::require_seen() const {
  if (samples_ == 0)
    throw run_error("value '{}' was not observed: calibration got no sample", name_)
        .hint("give the recipe a 'data' section with a training split that is not empty");
}

Extremes ValueStatistics::extremes() const {
  require_seen();
  return extremes_;
}

Extremes ValueStatistics::averaged_extremes() const {
  require_seen();
  const auto n = static_cast<double>(samples_);
  return {sums_.low / n, sums_.high / n};
}

Extremes ValueStatistics::moving_average(double decay) const {
  require_seen();
  refuse_from_file("moving averages");
  const auto& average = averages_.at(decay);
  const double weight = 1 - std::pow(decay, static_cast<double>(batches_));
  return {std::clamp(average.low / weight, extremes_.low, extremes_.high),
          std::clamp(average.high / weight, extremes_.low, extremes_.high)};
}

double ValueStatistics::mean() const {
  require_seen();
  return mean_;
}

double ValueStatistics::standard_deviation() const {
  require_seen();
  if (file_ && !file_->standard_deviation) refuse_from_file("the standard deviation 'std'");
  if (file_) return *file_->standard_deviation;
  return numbers_ > 1 ? std::sqrt(squares_ / (numbers_ - 1)) : 0;
}

double ValueStatistics::mean_absolute_deviation() const {
  require_seen();
  if (deviation_) return *deviation_;
  refuse_from_file("the mean absolute deviation 'b'");
  if (standard_deviation() == 0) return 0;
  double sum = std::abs(mean_) * static_cast<double>(histogram().zeros());
  for (int64_t i = 0; i < histogram_.bins(); ++i)
    sum += std::abs(histogram_.centre(i) - mean_) * static_cast<double>(histogram_.count(i));
  return sum / numbers_;
}

const Histogram& ValueStatistics::histogram() const {
  require_seen();
  refuse_from_file("a histogram");
  return histogram_;
}

void ValueStatistics::clip(const Extremes& bounds) {
  require_seen();
  if (wants_histogram_) {
    deviation_ = mean_absolute_deviation();
    histogram_.clip(bounds.low, bounds.high);
  }
  const auto cut = [&](const Extremes& range, double weight) -> Extremes {
    return {std::clamp(range.low, weight * bounds.low, weight * bounds.high),
            std::clamp(range.high, weight * bounds.low, weight * bounds.high)};
  };
  extremes_ = cut(extremes_, 1);
  sums_ = cut(sums_, static_cast<double>(samples_));
}

}  // namespace compress::quant
