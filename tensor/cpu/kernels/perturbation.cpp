#include "tensor/cpu/kernels/common.h"
#include "tensor/cpu/kernels/mask.h"
#include "tensor/gaussian.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

template <class T>
void add_normalised(int threads, double alpha, ConstMatrixView x, ConstMatrixView squared_norm,
                    ConstMatrixView rows, MatrixView out) {
  const double norm = __builtin_sqrt(*squared_norm.as<double>());
  if (!(norm > 0) || norm > __DBL_MAX__) return;
  const T scale = static_cast<T>(alpha / norm);
  const bool is_flat = rows.is_absent() && x.rows == 1;
  for_stretches(threads, x.rows, x.columns, is_flat, [&](Index t, Index begin, Index end) {
    const Index row = rows.is_absent() ? t : rows.as<std::int32_t>()[t];
    const T* from = x.as<T>() + t * x.row_stride;
    T* to = out.as<T>() + row * out.row_stride;
#pragma omp simd
    for (Index j = begin; j < end; ++j) to[j] += scale * from[j];
  });
}

/// A word that draw_one_batch has written as part of a vector.
using Word __attribute__((may_alias)) = std::uint32_t;

/// Normal numbers of one batch of Philox calls.
constexpr Index noise_batch = 4 * draw_batch;

inline void draw_noise(Index first, PhiloxCounter counter, PhiloxKey key, float* noise) {
  alignas(64) std::uint32_t words[noise_batch];
  std::uint32_t blocks[draw_batch];
  for (Index i = 0; i < draw_batch; ++i) blocks[i] = static_cast<std::uint32_t>(first / 4 + i);
  draw_one_batch(blocks, counter, key, words);
  const Word* drawn = words;
#pragma omp simd
  for (Index i = 0; i < noise_batch / 2; ++i) {
    const NormalPair pair = normal_pair(drawn[2 * i], drawn[2 * i + 1]);
    noise[2 * i] = pair.first;
    noise[2 * i + 1] = pair.second;
  }
}

template <class T>
void add_noise(int threads, double deviation, ConstMatrixView squared_norm, std::uint64_t stream,
               const StepState* state, MatrixView out) {
  if (!squared_norm.is_absent()) deviation *= __builtin_sqrt(*squared_norm.as<double>());
  const T scale = static_cast<T>(deviation);
  const PhiloxCounter counter = noise_counter(0, state->step);
  const PhiloxKey key = noise_key(state->seed, stream);
  T* values = out.as<T>();
  // Stretches begin at whole batches.
  for_stretches(threads, 1, out.columns, true, [&](Index, Index begin, Index end) {
    alignas(64) float noise[noise_batch];
    for (Index first = begin; first < end; first += noise_batch) {
      draw_noise(first, counter, key, noise);
      const Index count = end - first < noise_batch ? end - first : noise_batch;
#pragma omp simd
      for (Index i = 0; i < count; ++i) values[first + i] += scale * static_cast<T>(noise[i]);
    }
  });
}

template <class T>
constexpr PerturbationKernels make_table() {
  return {add_normalised<T>, add_noise<T>};
}

}  // namespace

const PerturbationKernels perturbation_f32 = make_table<float>();
#if BASIS_KERNELS_F64
const PerturbationKernels perturbation_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
