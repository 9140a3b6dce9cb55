#include "quant/value_statistics.h"

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

constexpr size_t kLanes = 8;

/// Partial results side by side, which the compiler turns into vectors.
struct Lanes {
  std::array<float, kLanes> low, high;
  std::array<double, kLanes> sum{}, squares{};

  explicit Lanes(float pivot) {
    low.fill(pivot);
    high.fill(pivot);
  }
  void see(const float* x, double pivot) {
    for (size_t j = 0; j < kLanes; ++j) {
      low[j] = x[j] < low[j] ? x[j] : low[j];
      high[j] = x[j] > high[j] ? x[j] : high[j];
    }
    for (size_t j = 0; j < kLanes; ++j) {
      const double distance = x[j] - pivot;
      sum[j] += distance;
      squares[j] += distance * distance;
    }
  }
};

template <class T>
double total(const std::array<T, kLanes>& lanes) {
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

}  // namespace

StatisticsNeeds& StatisticsNeeds::operator|=(const StatisticsNeeds& other) {
  histogram = histogram || other.histogram;
  decays.insert(other.decays.begin(), other.decays.end());
  return *this;
}

/// Of one sample. Distances from its first number keep a constant sample's deviation exactly 0.
struct ValueStatistics::Sample {
  double low, high, mean, squares;

  Sample(const float* x, int64_t n) {
    const double pivot = x[0];
    Lanes lanes(x[0]);
    int64_t i = 0;
    for (; i + static_cast<int64_t>(kLanes) <= n; i += kLanes) lanes.see(x + i, pivot);
    std::array<float, kLanes> rest;
    rest.fill(x[0]);
    std::copy(x + i, x + n, rest.begin());
    lanes.see(rest.data(), pivot);
    low = *std::ranges::min_element(lanes.low), high = *std::ranges::max_element(lanes.high);
    const double sum = total(lanes.sum), count = static_cast<double>(n);
    mean = pivot + sum / count;
    squares = std::max(total(lanes.squares) - sum * sum / count, 0.0);
    if (!std::isfinite(sum)) squares = sum;  // NaN and infinities show here
  }
};

ValueStatistics::ValueStatistics(std::string name, StatisticsNeeds needs)
    : name_(std::move(name)), wants_histogram_(needs.histogram) {
  for (const double decay : needs.decays) averages_.try_emplace(decay);
}

void ValueStatistics::watch(const at::Tensor& batch) {
  const at::NoGradGuard no_grad;
  if (batch.numel() == 0)
    throw run_error("value '{}' holds no numbers during calibration: its shape is [{}]", name_,
                    fmt::join(batch.sizes(), ", "))
        .hint("check the shapes of the calibration data and of the model's inputs");
  const auto values = rows(batch);
  const int64_t n = values.size(1);
  std::vector<Sample> batch_samples;
  Extremes reach;
  for (int64_t i = 0; i < values.size(0); ++i) {
    const auto& sample = batch_samples.emplace_back(values.const_data_ptr<float>() + i * n, n);
    if (!std::isfinite(sample.squares))
      throw run_error("value '{}' is not finite during calibration: sample {} holds NaN or infinity", name_,
                      samples_ + i)
          .hint("check the model's weights and the normalisation of the data");
    reach = i == 0 ? Extremes{sample.low, sample.high}
                   : Extremes{std::min(reach.low, sample.low), std::max(reach.high, sample.high)};
  }
  for (const auto& sample : batch_samples) include(sample, n);
  ++batches_;
  for (auto& [decay, average] : averages_) {
    average.low = decay * average.low + (1 - decay) * reach.low;
    average.high = decay * average.high + (1 - decay) * reach.high;
  }
  if (!wants_histogram_) return;
  histogram_.cover(reach.low, reach.high);
  histogram_.add({values.const_data_ptr<float>(), static_cast<size_t>(values.numel())});
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
  return numbers_ > 1 ? std::sqrt(squares_ / (numbers_ - 1)) : 0;
}

double ValueStatistics::mean_absolute_deviation() const {
  if (standard_deviation() == 0) return 0;
  double sum = std::abs(mean_) * static_cast<double>(histogram().zeros());
  for (int64_t i = 0; i < histogram_.bins(); ++i)
    sum += std::abs(histogram_.centre(i) - mean_) * static_cast<double>(histogram_.count(i));
  return sum / numbers_;
}

const Histogram& ValueStatistics::histogram() const {
  require_seen();
  return histogram_;
}

}  // namespace compress::quant
