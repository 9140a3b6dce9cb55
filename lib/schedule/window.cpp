#include "core/text.h"
#include "schedule/policy.h"

#include <algorithm>

namespace compress::schedule {

Window Window::range(int64_t starting_epoch, int64_t ending_epoch, int64_t frequency) {
  Window window{.ending_epoch = ending_epoch};
  for (int64_t epoch = starting_epoch; epoch < ending_epoch; epoch += frequency) window.epochs.push_back(epoch);
  return window;
}

Window Window::list(std::vector<int64_t> epochs) {
  std::ranges::sort(epochs);
  epochs.erase(std::unique(epochs.begin(), epochs.end()), epochs.end());
  Window window{.epochs = std::move(epochs)};
  window.ending_epoch = window.last_epoch() + 1;
  return window;
}

bool Window::active(int64_t epoch) const {
  return std::ranges::binary_search(epochs, epoch);
}

double Window::spacing() const {
  return count() < 2 ? 1 : static_cast<double>(last_epoch() - first_epoch()) / static_cast<double>(count() - 1);
}

int64_t Window::index(int64_t epoch) const {
  return std::ranges::lower_bound(epochs, epoch) - epochs.begin();
}

int64_t Window::latest(int64_t epoch) const {
  const auto behind = std::ranges::upper_bound(epochs, epoch);
  return behind == epochs.begin() ? -1 : *std::prev(behind);
}

bool Window::overlaps(const Window& other) const {
  return std::ranges::any_of(epochs, [&](int64_t epoch) { return other.active(epoch); });
}

std::string Window::str() const {
  if (epochs.empty()) return at_end() ? "after training" : "before training";
  if (count() == 1) return fmt::format("epoch {}", first_epoch());
  const int64_t step = epochs[1] - epochs[0];
  const auto uneven = [step](int64_t a, int64_t b) { return b - a != step; };
  if (std::ranges::adjacent_find(epochs, uneven) == epochs.end())
    return fmt::format("epochs {}-{}{}", first_epoch(), last_epoch(), step == 1 ? "" : fmt::format(" step {}", step));
  return fmt::format("epochs {}", fmt::join(epochs, ", "));
}

}  // namespace compress::schedule
