#include "tensor/cpu/isa.h"

#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fmt/format.h>
#include <omp.h>

#include "tensor/cpu/blas.h"
#include "tensor/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace basis {

namespace {

constexpr std::array all_sets = {Isa::Baseline, Isa::Avx2, Isa::Avx512, Isa::Avx512Bf16, Isa::Amx};

/// Whether the processor has AMX tiles with bf16 and the system lends them: Linux gives a process
/// their state only when it asks.
bool has_amx() {
#if defined(__x86_64__) && defined(__linux__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24;
  if ((d & amx_bf16) == 0 || (d & amx_tile) == 0) return false;
  constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XTILEDATA
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

}  // namespace

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::Baseline:
      return "baseline";
    case Isa::Avx2:
      return "avx2";
    case Isa::Avx512:
      return "avx512";
    case Isa::Avx512Bf16:
      return "avx512_bf16";
    case Isa::Amx:
      return "amx";
  }
  return "?";
}

Isa supported_isa() {
#if defined(__x86_64__)
  // libgcc asks cpuid and, through xgetbv, whether the operating system saves the registers.
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("x86-64-v3")) return Isa::Baseline;
  if (!__builtin_cpu_supports("x86-64-v4")) return Isa::Avx2;
  if (!__builtin_cpu_supports("avx512bf16")) return Isa::Avx512;
  static const bool is_amx = has_amx();
  return is_amx ? Isa::Amx : Isa::Avx512Bf16;
#else
  return Isa::Baseline;
#endif
}

Isa chosen_isa() {
  const Isa best = supported_isa();
  const char* wanted = std::getenv("BASIS_ISA");
  if (wanted == nullptr || *wanted == '\0') return best;
  for (Isa isa : all_sets) {
    if (std::string_view(wanted) != name_of(isa)) continue;
    if (isa <= best) return isa;
    throw Error(fmt::format("BASIS_ISA={}: this processor goes up to {}", wanted, name_of(best)));
  }
  throw Error(
      fmt::format("BASIS_ISA={}: must be baseline, avx2, avx512, avx512_bf16 or amx", wanted));
}

int chosen_threads() {
  const char* wanted = std::getenv("BASIS_THREADS");
  if (wanted == nullptr || *wanted == '\0') return omp_get_num_procs();
  int threads = 0;
  const char* end = wanted + std::strlen(wanted);
  const auto [stop, status] = std::from_chars(wanted, end, threads);
  if (status != std::errc() || stop != end || threads < 1 || threads > 1024) {
    throw Error(fmt::format("BASIS_THREADS={}: must be a number from 1 to 1024", wanted));
  }
  return threads;
}

std::string processor_name() {
#if defined(__x86_64__)
  std::array<unsigned, 12> words{};
  if (__get_cpuid_max(0x80000000u, nullptr) < 0x80000004u) return "";
  for (unsigned part = 0; part < 3; ++part) {
    unsigned* w = words.data() + static_cast<std::size_t>(part) * 4;
    __get_cpuid(0x80000002u + part, &w[0], &w[1], &w[2], &w[3]);
  }
  std::array<char, sizeof(words) + 1> text{};
  std::memcpy(text.data(), words.data(), sizeof(words));
  std::string_view name(text.data());
  while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
  while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  return std::string(name);
#else
  return "";
#endif
}

namespace {

bool is_one_of(std::string_view core, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (core.size() == name.size() && strncasecmp(core.data(), name.data(), name.size()) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<std::string> preferred_openblas_core() {
  const std::string core = cpu::openblas_core();
  if (core.empty()) return std::nullopt;
  if (const char* wanted = std::getenv("BASIS_OPENBLAS_CORE")) {
    return is_one_of(core, {wanted}) ? std::nullopt : std::optional<std::string>(wanted);
  }
  switch (chosen_isa()) {
    case Isa::Avx512:
    case Isa::Avx512Bf16:
    case Isa::Amx:
      if (is_one_of(core, {"SkylakeX", "Cooperlake", "Sapphirerapids"})) return std::nullopt;
      return "SkylakeX";
    case Isa::Avx2:
      if (is_one_of(core, {"Haswell", "Zen"})) return std::nullopt;
      return "Haswell";
    case Isa::Baseline:
      return is_one_of(core, {"Nehalem"}) ? std::nullopt : std::optional<std::string>("Nehalem");
  }
  return std::nullopt;
}

}  // namespace basis
