#pragma once

#include "data/image_window.h"
#include "image_values.h"
#include "jpeg_values.h"

#include <catch2/catch.hpp>

#include <cstring>
#include <string>
#include <vector>

namespace compress::data::test {

/// The bytes of hexadecimal digits.
inline std::string from_hex(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  return bytes;
}

/// The file of a kind in image_values.h.
inline std::string image_file(std::string_view kind) {
  for (const auto& known : kImageKinds)
    if (known.name == kind) return from_hex(known.file);
  FAIL("no such kind of image");
  return {};
}

/// Bytes of the region as rows of RGB.
inline std::string pixels_of(const std::string& file, const Region& region, int64_t shrink = 1) {
  PixelBuffer buffer;
  const auto view = open_image(file, "test image")->read(region, shrink, buffer);
  std::string pixels;
  for (int64_t y = region.top / shrink; y < (region.top + region.height) / shrink; ++y)
    for (int64_t x = region.left / shrink; x < (region.left + region.width) / shrink; ++x)
      pixels.append(reinterpret_cast<const char*>(view.data + (y - view.top) * view.stride + 4 * (x - view.left)), 3);
  return pixels;
}

inline int largest_difference(std::string_view a, std::string_view b) {
  REQUIRE(a.size() == b.size());
  int most = 0;
  for (size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::abs(static_cast<int>(static_cast<uint8_t>(a[i])) - static_cast<uint8_t>(b[i])));
  return most;
}

/// Planes, one after the other, as rows of RGB.
inline std::string interleaved(std::string_view planes) {
  const size_t area = planes.size() / 3;
  std::string pixels;
  for (size_t i = 0; i < area; ++i)
    for (size_t c = 0; c < 3; ++c) pixels.push_back(planes[c * area + i]);
  return pixels;
}

inline std::string planes_of(std::string_view pixels) {
  const size_t area = pixels.size() / 3;
  std::string planes(pixels.size(), '\0');
  for (size_t i = 0; i < area; ++i)
    for (size_t c = 0; c < 3; ++c) planes[c * area + i] = pixels[3 * i + c];
  return planes;
}

/// Changes a few bytes, cuts, doubles or inserts a piece.
inline std::string mutated(std::string bytes, Random& random) {
  const auto place = [&] { return static_cast<size_t>(random.below(std::max<int64_t>(1, std::ssize(bytes)))); };
  for (int64_t left = 1 + random.below(4); left > 0 && !bytes.empty(); --left) switch (random.below(6)) {
    case 0: bytes.resize(place()); break;
    case 1: bytes.insert(place(), bytes.substr(place(), static_cast<size_t>(random.below(16)))); break;
    case 2: bytes.erase(place(), static_cast<size_t>(random.below(16))); break;
    case 3: bytes[place()] = static_cast<char>(random.chance(0.5) ? 0xff : 0); break;
    default: bytes[place()] = static_cast<char>(random.below(256)); break;
    }
  return bytes;
}

}  // namespace compress::data::test
