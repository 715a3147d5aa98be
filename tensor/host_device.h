#pragma once

/// Marks a function that both compilers take, the host's and the GPU's.
#if defined(__CUDACC__)
#define BASIS_HOST_DEVICE __host__ __device__
#else
#define BASIS_HOST_DEVICE
#endif

/// A small function of a kernel's inner loop: always inlined, so that no copy of it compiled for
/// one instruction set can become a symbol that another's code is linked to.
#if defined(__CUDACC__)
#define BASIS_FUNCTOR __forceinline__ __host__ __device__
#else
#define BASIS_FUNCTOR inline __attribute__((always_inline))
#endif
