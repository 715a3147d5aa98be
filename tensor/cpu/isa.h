#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace basis {

/// Instruction sets that kernels are compiled for; each includes those before it.
/// Baseline: x86-64 (SSE2). Avx2: x86-64-v3 (with FMA). Avx512: x86-64-v4 (F, BW, CD, DQ, VL).
enum class Isa : std::uint8_t { Baseline, Avx2, Avx512 };

/// "baseline", "avx2", "avx512".
const char* name_of(Isa isa);

/// The best set that processor and operating system support.
Isa supported_isa();

/// supported_isa(), or what the environment variable BASIS_ISA (baseline, avx2, avx512) names.
/// Throws Error for another word, or for a set that this machine lacks.
Isa chosen_isa();

/// BASIS_THREADS, else the processors that this process may run on. Throws Error unless
/// BASIS_THREADS is a number from 1 to 1024.
int chosen_threads();

/// Marketing name of the processor, "" where unknown.
std::string processor_name();

/// What OPENBLAS_CORETYPE should be: OpenBLAS 0.3.21 does not know Zen 4 and later and takes AVX2
/// kernels for them, half as fast as its AVX-512 ones. Nothing when the variable is set already,
/// when the choice is right, or when chosen_isa() is below Avx512. OpenBLAS reads it as it is
/// loaded.
std::optional<std::string> preferred_openblas_core();

}  // namespace basis
