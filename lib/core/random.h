#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace compress {

/// Mixes a seed, a purpose and any number of counters into one 64-bit value. Every random draw of a run is a function
/// of (seed, purpose, epoch, sample), so that a resumed run draws what an uninterrupted one would have drawn.
uint64_t random_key(uint64_t seed, std::string_view purpose, std::initializer_list<uint64_t> counters = {});

/// A small, fast generator (splitmix64) that starts from a key; satisfies UniformRandomBitGenerator.
class Random {
public:
  using result_type = uint64_t;
  explicit Random(uint64_t key) : state_(key) {}
  Random(uint64_t seed, std::string_view purpose, std::initializer_list<uint64_t> counters = {})
      : Random(random_key(seed, purpose, counters)) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~uint64_t{0}; }
  result_type operator()();
  /// Goes on as after `draws` calls, at once: parts of one stream can be drawn side by side.
  void skip(uint64_t draws);

  /// In [0, 1).
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal; takes two draws.
  double normal();
  /// In [0, n); n > 0.
  int64_t below(int64_t n);
  bool chance(double p) { return uniform() < p; }

private:
  uint64_t state_;
};

/// A random order of 0 ... n-1.
std::vector<int64_t> permutation(int64_t n, Random random);

}  // namespace compress
