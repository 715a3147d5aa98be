#include "tensor/cuda/kernels/over_packs.h"
#include "tensor/cuda/kernels/perturbation.h"
#include "tensor/gaussian.h"
#include "tensor/step_state.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

/// The norm and the draws' place are read from device memory: nothing waits for the host.
struct AddNormalised {
  double alpha;
  Rows<const float> x;
  const double* squared_norm;
  const std::int32_t* rows;  // null: row t itself
  Rows<float> out;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    const double norm = square_root(*squared_norm);
    if (!(norm > 0) || norm > __DBL_MAX__) return;
    const auto scale = static_cast<float>(alpha / norm);
    const Place<N> to{rows == nullptr ? place.row : rows[place.row], place.column};
    const Values<N> from = load(x, place);
    Values<N> sum = load(out, to);
    for (int i = 0; i < N; ++i) sum.at[i] = exact::product_and_sum(scale, from.at[i], sum.at[i]);
    store(out, to, sum);
  }
};

/// `block` counts fours of elements.
__device__ NormalFour noise_of(std::int64_t block, PhiloxKey key, std::uint64_t step) {
  return normal_four(philox4x32(noise_counter(static_cast<std::uint32_t>(block), step), key));
}

struct AddNoise {
  double deviation;
  const double* squared_norm;  // may be null
  std::uint64_t stream;
  const StepState* state;
  Rows<float> out;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    const double factor = squared_norm == nullptr ? 1.0 : square_root(*squared_norm);
    const auto scale = static_cast<float>(deviation * factor);
    const PhiloxKey key = noise_key(state->seed, stream);
    Values<N> sum = load(out, place);
    if constexpr (N == 1) {
      const NormalFour noise = noise_of(place.column / 4, key, state->step);
      sum.at[0] = exact::product_and_sum(scale, noise.at[place.column % 4], sum.at[0]);
    } else {
      static_assert(N % 4 == 0);
#pragma unroll
      for (int four = 0; four < N / 4; ++four) {
        const NormalFour noise = noise_of(place.column / 4 + four, key, state->step);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          float& element = sum.at[4 * four + i];
          element = exact::product_and_sum(scale, noise.at[i], element);
        }
      }
    }
    store(out, place, sum);
  }
};

}  // namespace

void add_normalised(Stream stream, double alpha, ConstMatrixView x, ConstMatrixView squared_norm,
                    ConstMatrixView rows, MatrixView out) {
  over_packs(stream, x.rows, x.columns, all_fit_packs(x, out),
             AddNormalised{alpha, rows_of<float>(x), squared_norm.as<double>(),
                           rows.as<std::int32_t>(), rows_of<float>(out)});
}

void add_noise(Stream stream, double deviation, ConstMatrixView squared_norm,
               std::uint64_t noise_stream, const StepState* state, MatrixView out) {
  over_packs(
      stream, 1, out.columns, fits_packs(out),
      AddNoise{deviation, squared_norm.as<double>(), noise_stream, state, rows_of<float>(out)});
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
