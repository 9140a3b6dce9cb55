#include "prune/sparse_distribution.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace compress::prune {

namespace {

int64_t size_of(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies{});
}

int64_t kept_of(int64_t size, double level) {
  return size - static_cast<int64_t>(std::floor(level * static_cast<double>(size)));
}

/// Shares of weights that stay: layers that would keep more than all keep all, and the others share what is left.
std::vector<double> erk_shares(const std::vector<Shape>& shapes, double kept) {
  std::vector<double> shares(shapes.size(), 0);
  std::vector<bool> whole(shapes.size(), false);
  for (bool again = true; again;) {
    again = false;
    double left = kept, sum = 0;
    for (size_t i = 0; i < shapes.size(); ++i)
      if (whole[i])
        left -= static_cast<double>(size_of(shapes[i]));
      else
        sum += static_cast<double>(std::accumulate(shapes[i].begin(), shapes[i].end(), int64_t{0}));
    for (size_t i = 0; i < shapes.size(); ++i) {
      const auto size = static_cast<double>(size_of(shapes[i]));
      const auto sizes = static_cast<double>(std::accumulate(shapes[i].begin(), shapes[i].end(), int64_t{0}));
      shares[i] = whole[i] ? 1 : left / sum * sizes / size;
      if (!whole[i] && shares[i] > 1) whole[i] = again = true;
    }
  }
  return shares;
}

}  // namespace

std::vector<int64_t> distribute(const std::vector<Shape>& shapes, double level, SparseDistribution distribution) {
  std::vector<int64_t> kept;
  int64_t total = 0;
  for (const auto& shape : shapes) total += size_of(shape);
  if (distribution == SparseDistribution::uniform) {
    for (const auto& shape : shapes) kept.push_back(kept_of(size_of(shape), level));
    return kept;
  }
  const int64_t wanted = kept_of(total, level);
  const auto shares = erk_shares(shapes, static_cast<double>(wanted));
  for (size_t i = 0; i < shapes.size(); ++i)
    kept.push_back(
        std::clamp<int64_t>(std::llround(shares[i] * static_cast<double>(size_of(shapes[i]))), 1, size_of(shapes[i])));
  // Rounding: the largest layers give or take what is missing.
  std::vector<size_t> order(shapes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](size_t i) { return size_of(shapes[i]); });
  int64_t missing = wanted - std::accumulate(kept.begin(), kept.end(), int64_t{0});
  for (const size_t i : order) {
    const int64_t now = std::clamp<int64_t>(kept[i] + missing, 1, size_of(shapes[i]));
    missing -= now - kept[i];
    kept[i] = now;
  }
  return kept;
}

}  // namespace compress::prune
