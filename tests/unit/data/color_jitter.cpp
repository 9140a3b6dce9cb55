#include "data/color_jitter.h"

#include "image_files.h"
#include "pixel_values.h"

#include <set>

namespace compress::data {
namespace {

using namespace compress::data::test;

/// The 4x4 colours after a change, as RGB.
template <class Change>
std::string changed_colors(Change change) {
  auto planes = planes_of(from_hex(k_colors));
  change(reinterpret_cast<uint8_t*>(planes.data()));
  return interleaved(planes);
}

TEST_CASE("color_jitter: brightness, contrast and saturation are Pillow's within 2 grey levels", "[data]") {
  const auto brighter = changed_colors([](uint8_t* planes) { change_brightness(planes, 16, 1.3); });
  REQUIRE(largest_difference(brighter, from_hex(k_brighter)) <= 1);
  const auto flatter = changed_colors([](uint8_t* planes) { change_contrast(planes, 16, 0.6); });
  REQUIRE(largest_difference(flatter, from_hex(k_less_contrast)) <= 2);
  const auto richer = changed_colors([](uint8_t* planes) { change_saturation(planes, 16, 1.5); });
  REQUIRE(largest_difference(richer, from_hex(k_more_saturation)) <= 2);
}

TEST_CASE("color_jitter: a turn of the hue is colorsys's; a whole turn changes nothing", "[data]") {
  const auto turned = changed_colors([](uint8_t* planes) { change_hue(planes, 16, 0.2); });
  REQUIRE(largest_difference(turned, from_hex(k_turned_hue)) <= 1);
  const auto same = changed_colors([](uint8_t* planes) { change_hue(planes, 16, 1); });
  REQUIRE(largest_difference(same, from_hex(k_colors)) <= 1);
}

TEST_CASE("color_jitter: the draws decide, strengths of 0 change nothing", "[data]") {
  const auto jittered = [](const ColorJitter& jitter, uint64_t seed) {
    return changed_colors([&](uint8_t* planes) { jitter_colors(planes, 16, jitter, Random(seed)); });
  };
  REQUIRE(jittered({}, 1) == from_hex(k_colors));
  const ColorJitter all{.brightness = 0.4, .contrast = 0.4, .saturation = 0.4, .hue = 0.1};
  REQUIRE(jittered(all, 1) == jittered(all, 1));
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 20; ++seed) seen.insert(jittered(all, seed));
  REQUIRE(seen.size() == 20);
}

}  // namespace
}  // namespace compress::data
