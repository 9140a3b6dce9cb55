#include "core/cpu.h"

#include "core/text.h"

#include <fstream>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace compress {

namespace {

/// As Linux names it; processors that are no x86 often have no name there.
std::string name_of_system() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (colon != std::string::npos && line.starts_with("model name")) return std::string(trim(line.substr(colon + 1)));
  }
  return "unknown processor";
}

#if defined(__x86_64__) || defined(__i386__)
struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

/// Zeros when the processor does not know the leaf.
Registers leaf(unsigned number, unsigned part) {
  Registers r;
  __get_cpuid_count(number, part, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

bool bit(unsigned word, int place) {
  return (word >> place & 1U) != 0;
}

/// The feature bits of Intel's manual, volume 2, CPUID; whether the system saves the registers, GCC's runtime knows.
void read_features(Cpu& cpu) {
  const auto features = leaf(7, 0), more = leaf(7, 1);
  cpu.x86 = true;
  cpu.avx2 = __builtin_cpu_supports("avx2") != 0;
  cpu.avx512 = __builtin_cpu_supports("avx512f") != 0;
  cpu.avx512_vnni = cpu.avx512 && bit(features.ecx, 11);
  cpu.avx_vnni = cpu.avx2 && bit(more.eax, 4);
  cpu.amx_int8 = bit(features.edx, 25);
}
#else
void read_features(Cpu&) {}
#endif

}  // namespace

std::string Cpu::str() const {
  std::vector<std::string> features;
  if (avx2) features.emplace_back("AVX2");
  if (avx512) features.emplace_back("AVX-512");
  if (avx_vnni || avx512_vnni) features.emplace_back("VNNI");
  if (amx_int8) features.emplace_back("AMX-INT8");
  if (features.empty()) return name;
  return name + " (" + join(features, ", ") + (saturates_pairs() ? ", no VNNI)" : ")");
}

Cpu this_cpu() {
  Cpu cpu{.name = name_of_system()};
  read_features(cpu);
  return cpu;
}

}  // namespace compress
