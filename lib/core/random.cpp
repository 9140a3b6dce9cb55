#include "core/random.h"

#include <cmath>
#include <numbers>
#include <numeric>

namespace compress {

namespace {

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;

/// The output function of splitmix64 (Steele, Lea, Flood 2014): every input bit changes about half of the output bits.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// FNV-1a.
uint64_t hash_text(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

uint64_t random_key(uint64_t seed, std::string_view purpose, std::initializer_list<uint64_t> counters) {
  auto key = mix(seed + kGolden);
  key = mix(key ^ hash_text(purpose)) + kGolden;
  for (const auto counter : counters) key = mix(key ^ mix(counter + kGolden)) + kGolden;
  return mix(key);
}

Random::result_type Random::operator()() {
  return mix(state_ += kGolden);
}

void Random::skip(uint64_t draws) {
  state_ += draws * kGolden;
}

double Random::uniform() {
  return static_cast<double>((*this)() >> 11) * 0x1p-53;
}

double Random::normal() {
  // Box-Muller; the second value is dropped so that the state stays one word.
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

int64_t Random::below(int64_t n) {
  // Numbers in the incomplete last run of n would make small results likelier; draw again.
  const auto bound = static_cast<uint64_t>(n);
  const auto rejected = (~uint64_t{0} % bound + 1) % bound;
  uint64_t x;
  do x = (*this)();
  while (x > ~uint64_t{0} - rejected);
  return static_cast<int64_t>(x % bound);
}

std::vector<int64_t> permutation(int64_t n, Random random) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (auto i = n - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(random.below(i + 1))]);
  return order;
}

}  // namespace compress
