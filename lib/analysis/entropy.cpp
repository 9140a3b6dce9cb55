#include "analysis/entropy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace compress::analysis {

namespace {

/// By digits of 11 bits from the lowest: three passes for 32-bit elements, where comparing takes ten times as long.
template <class Word>
void sort_words(std::vector<Word>& words) {
  constexpr unsigned kDigit = 11, kDigits = 1U << kDigit;
  std::vector<Word> other(words.size());
  for (unsigned shift = 0; shift < 8 * sizeof(Word); shift += kDigit) {
    std::array<size_t, kDigits> places{};
    for (const Word word : words) ++places[static_cast<size_t>(word >> shift) % kDigits];
    size_t place = 0;
    for (auto& count : places) place += std::exchange(count, place);
    for (const Word word : words) other[places[static_cast<size_t>(word >> shift) % kDigits]++] = word;
    words.swap(other);
  }
}

template <class Word>
double entropy_of(const Word* elements, int64_t count, bool floating) {
  std::vector<Word> words(elements, elements + count);
  constexpr Word kMinusZero = static_cast<Word>(Word{1} << (8 * sizeof(Word) - 1));
  if (floating)
    for (Word& word : words)
      if (word == kMinusZero) word = 0;
  sort_words(words);
  double sum = 0;  // of c log2 c over the c times that each value occurs
  for (auto begin = words.begin(); begin != words.end();) {
    auto end = begin;
    while (end != words.end() && *end == *begin) ++end;
    const auto times = static_cast<double>(end - begin);
    if (times > 1) sum += times * std::log2(times);
    begin = end;
  }
  const auto total = static_cast<double>(count);
  return std::max(0.0, std::log2(total) - sum / total);
}

}  // namespace

double entropy(const at::Tensor& values) {
  if (values.numel() < 2) return 0;
  const auto plain = values.detach().cpu().contiguous();
  const bool floating = at::isFloatingType(plain.scalar_type());
  const void* data = plain.const_data_ptr();
  switch (plain.element_size()) {
  case 1: return entropy_of(static_cast<const uint8_t*>(data), plain.numel(), floating);
  case 2: return entropy_of(static_cast<const uint16_t*>(data), plain.numel(), floating);
  case 4: return entropy_of(static_cast<const uint32_t*>(data), plain.numel(), floating);
  default: return entropy_of(static_cast<const uint64_t*>(data), plain.numel(), floating);
  }
}

}  // namespace compress::analysis
