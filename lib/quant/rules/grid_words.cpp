#include "quant/rules/grid_words.h"

namespace compress::quant {

std::vector<std::pair<std::string, ops::GridSpec>> integer_grid_words() {
  return {{"symmetric", kSymmetric},
          {"symmetric_restricted", kSymmetricRestricted},
          {"asymmetric_unsigned", kAsymmetricUnsigned},
          {"asymmetric_signed", kAsymmetricSigned}};
}

std::vector<std::pair<std::string, ops::GridSpec>> grid_words() {
  using ops::GridFormat;
  auto words = integer_grid_words();
  words.emplace_back("gfpq", ops::GridSpec{.format = GridFormat::gfpq});
  words.emplace_back("float8_e4m3", ops::GridSpec{.format = GridFormat::float8_e4m3});
  words.emplace_back("float8_e5m2", ops::GridSpec{.format = GridFormat::float8_e5m2});
  words.emplace_back("float16", ops::GridSpec{.bits = 16, .format = GridFormat::float16});
  words.emplace_back("bfloat16", ops::GridSpec{.bits = 16, .format = GridFormat::bfloat16});
  return words;
}

std::vector<std::pair<std::string, ops::GridSpec>> distiller_modes() {
  return {{"SYMMETRIC", kSymmetric},
          {"SYMMETRIC_RESTRICTED", kSymmetricRestricted},
          {"ASYMMETRIC_UNSIGNED", kAsymmetricUnsigned},
          {"ASYMMETRIC_SIGNED", kAsymmetricSigned}};
}

}  // namespace compress::quant
