#include "core/cpu.h"

#include <catch2/catch.hpp>

using namespace compress;

TEST_CASE("cpu: pairs of products saturate on x86 without VNNI, and nowhere else") {
  REQUIRE_FALSE(Cpu{.name = "Cortex-A72"}.saturates_pairs());
  REQUIRE(Cpu{.x86 = true}.saturates_pairs());
  REQUIRE(Cpu{.x86 = true, .avx2 = true, .avx512 = true}.saturates_pairs());
  REQUIRE_FALSE(Cpu{.x86 = true, .avx2 = true, .avx_vnni = true}.saturates_pairs());
  REQUIRE_FALSE(Cpu{.x86 = true, .avx2 = true, .avx512 = true, .avx512_vnni = true}.saturates_pairs());
  REQUIRE_FALSE(Cpu{.x86 = true, .amx_int8 = true}.saturates_pairs());
}

TEST_CASE("cpu: the text says what the processor has, and that VNNI is missing") {
  REQUIRE(Cpu{.name = "Cortex-A72"}.str() == "Cortex-A72");
  REQUIRE(Cpu{.name = "Core i7-4770", .x86 = true, .avx2 = true}.str() == "Core i7-4770 (AVX2, no VNNI)");
  REQUIRE(Cpu{.name = "EPYC", .x86 = true, .avx2 = true, .avx512 = true, .avx512_vnni = true}.str() ==
          "EPYC (AVX2, AVX-512, VNNI)");
}

TEST_CASE("cpu: this one has a name") {
  const auto cpu = this_cpu();
  REQUIRE_FALSE(cpu.name.empty());
#if defined(__x86_64__)
  REQUIRE(cpu.x86);
#else
  REQUIRE_FALSE(cpu.saturates_pairs());
#endif
}
