#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace basis {

/// Instruction sets that kernels are compiled for; each includes those before it.
/// Baseline: x86-64 (SSE2). Avx2: x86-64-v3 (with FMA). Avx512: x86-64-v4 (F, BW, CD, DQ, VL).
/// Avx512Bf16 and Amx add products in bf16, which are oneDNN's; the loops are Avx512's.
enum class Isa : std::uint8_t { Baseline, Avx2, Avx512, Avx512Bf16, Amx };

/// "baseline", "avx2", "avx512", "avx512_bf16", "amx".
const char* name_of(Isa isa);

/// The best set that processor and operating system support.
Isa supported_isa();

/// supported_isa(), or what the environment variable BASIS_ISA names.
/// Throws Error for another word, or for a set that this machine lacks.
Isa chosen_isa();

/// BASIS_THREADS, else the processors that this process may run on. Throws Error unless
/// BASIS_THREADS is a number from 1 to 1024.
int chosen_threads();

/// Marketing name of the processor, "" where unknown.
std::string processor_name();

/// What OPENBLAS_CORETYPE should be, where OpenBLAS has other kernels loaded than chosen_isa()
/// says: OpenBLAS 0.3.21 does not know Zen 4 and later and takes AVX2 kernels for them, half as
/// fast as its AVX-512 ones. A value that stands in OPENBLAS_CORETYPE already does not count: Basis
/// chooses its libraries' instruction sets with its own. BASIS_OPENBLAS_CORE=NAME forces one.
/// OpenBLAS reads the variable as it is loaded, so the program starts itself again.
std::optional<std::string> preferred_openblas_core();

}  // namespace basis
