#pragma once

#include "core/settings.h"
#include "ops/quantization_grid.h"

#include <string>
#include <utility>
#include <vector>

/// The words that recipes have for grids.
namespace compress::quant {

inline constexpr ops::GridSpec kSymmetric{.is_signed = true, .symmetric = true};
inline constexpr ops::GridSpec kSymmetricRestricted{.is_signed = true, .narrow = true, .symmetric = true};
inline constexpr ops::GridSpec kAsymmetricUnsigned{.is_signed = false, .symmetric = false};
inline constexpr ops::GridSpec kAsymmetricSigned{.is_signed = true, .symmetric = false};

/// symmetric, symmetric_restricted, asymmetric_unsigned, asymmetric_signed.
std::vector<std::pair<std::string, ops::GridSpec>> integer_grid_words();

/// The same, and the formats gfpq, float8_e4m3, ...
std::vector<std::pair<std::string, ops::GridSpec>> grid_words();

/// Distiller's: SYMMETRIC, SYMMETRIC_RESTRICTED, ASYMMETRIC_UNSIGNED, ASYMMETRIC_SIGNED.
std::vector<std::pair<std::string, ops::GridSpec>> distiller_modes();

}  // namespace compress::quant
