#pragma once

#include <string>

namespace compress {

/// What of the processor matters to quantised networks.
struct Cpu {
  std::string name;  ///< "AMD EPYC"; "unknown processor" where the system does not tell
  bool x86 = false;
  bool avx2 = false;
  bool avx512 = false;
  bool avx_vnni = false;     ///< 8-bit products summed in 32 bits, 256-bit registers
  bool avx512_vnni = false;  ///< the same, 512-bit registers
  bool amx_int8 = false;

  /// True where the fast way to multiply bytes (`pmaddubsw`) adds pairs of products in 16 bits and saturates: x86
  /// without VNNI.
  bool saturates_pairs() const { return x86 && !avx_vnni && !avx512_vnni && !amx_int8; }
  /// "AMD EPYC (AVX2, AVX-512, VNNI)".
  std::string str() const;
};

/// The processor that this program runs on.
Cpu this_cpu();

}  // namespace compress
