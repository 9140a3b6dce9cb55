#include "quant/rules/grid_words.h"

namespace compress::quant {

std::vector<std::pair<std::string, ops::GridSpec>> grid_words() {
  using ops::GridFormat;
  return {{"symmetric", kSymmetric},
          {"symmetric_restricted", kSymmetricRestricted},
          {"asymmetric_unsigned", kAsymmetricUnsigned},
          {"asymmetric_signed", kAsymmetricSigned},
          {"gfpq", {.format = GridFormat::gfpq}},
          {"float8_e4m3", {.format = GridFormat::float8_e4m3}},
          {"float8_e5m2", {.format = GridFormat::float8_e5m2}},
          {"float16", {.bits = 16, .format = GridFormat::float16}},
          {"bfloat16", {.bits = 16, .format = GridFormat::bfloat16}}};
}

std::vector<std::pair<std::string, ops::GridSpec>> distiller_modes() {
  return {{"SYMMETRIC", kSymmetric},
          {"SYMMETRIC_RESTRICTED", kSymmetricRestricted},
          {"ASYMMETRIC_UNSIGNED", kAsymmetricUnsigned},
          {"ASYMMETRIC_SIGNED", kAsymmetricSigned}};
}

}  // namespace compress::quant
