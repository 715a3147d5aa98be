#include <algorithm>

#include "tensor/cuda/kernels/column_sums.h"
#include "tensor/cuda/kernels/layer_norm.h"
#include "tensor/cuda/kernels/mask.h"
#include "tensor/cuda/kernels/row_packs.h"
#include "tensor/cuda/kernels/with_type.h"
#include "tensor/cuda/plain.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

/// What the rows share. dsum and dx may be null.
template <class T>
struct NormGradient {
  Rows<const T> dout, normalised;
  const float *rstd, *gamma;
  std::int64_t rows, columns;
  Dropout dropout;
  SequenceView sequences;
  const StepState* state;
  Rows<T> dsum, dx;

  /// From gradients and normalised values at `place` and the row's means of g and of g n.
  template <int N>
  __device__ void write(Place<N> place, Values<N> gradients, const Values<N>& values, float mean_g,
                        float mean_gn) const {
    const Values<N> scale = load<N>(gamma + place.column);
    const float r = rstd[place.row];
    for (int i = 0; i < N; ++i) {
      const float own = gradients.at[i] * scale.at[i];
      gradients.at[i] = r * (own - mean_g - values.at[i] * mean_gn);
    }
    store(dsum, place, gradients);
    if (dx.data == nullptr) return;
    if (dropout.is_active()) {
      gradients = dropped_out(gradients, place, columns, dropout, sequences, state);
    }
    store(dx, place, gradients);
  }
};

constexpr int gradient_threads = 128;
constexpr int gradient_warps = gradient_threads / warp_size;

/// Parts that gamma's and beta's gradients are summed in: by the number of rows alone.
std::int64_t gradient_parts(std::int64_t rows) {
  constexpr std::int64_t rows_a_part = 16, most_parts = 396;
  return std::clamp<std::int64_t>((rows + rows_a_part - 1) / rows_a_part, 1, most_parts);
}

/// Adds what the warps of a block have, in order, into to[0 ... columns).
template <int P>
__device__ void store_sums(const RowShare<P>& own, std::int64_t columns, float* to) {
  __shared__ float sums[gradient_warps][P * warp_size * pack_size];
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  __syncthreads();  // who came here before has read them
  over_share<P>(0, columns, [&](int p, Place<pack_size> place) {
    store<pack_size>(sums[warp] + place.column, own.pack[p]);
  });
  __syncthreads();
  for (std::int64_t j = threadIdx.x; j < columns; j += gradient_threads) {
    float sum = sums[0][j];
    for (int w = 1; w < gradient_warps; ++w) sum += sums[w][j];
    to[j] = sum;
  }
}

/// A row a warp in registers, rows in turn; sums over the block's rows of dout n and of dout go to
/// row blockIdx.x of scale_parts and shift_parts, which may be null.
template <int P, class T>
__global__ void __launch_bounds__(gradient_threads)
    layer_norm_gradient_kernel(NormGradient<T> of, float* scale_parts, float* shift_parts) {
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  RowShare<P> scale_sums = {}, shift_sums = {};
  for (std::int64_t row = std::int64_t{blockIdx.x} * gradient_warps + warp; row < of.rows;
       row += std::int64_t{gridDim.x} * gradient_warps) {
    RowShare<P> g, n;
    float sum_g = 0, sum_gn = 0;
    over_share<P>(row, of.columns, [&](int p, Place<pack_size> place) {
      g.pack[p] = load(of.dout, place);
      n.pack[p] = load(of.normalised, place);
      const Values<pack_size> scale = load<pack_size>(of.gamma + place.column);
      for (int i = 0; i < pack_size; ++i) {
        const float scaled = g.pack[p].at[i] * scale.at[i];
        sum_g += scaled;
        sum_gn += scaled * n.pack[p].at[i];
        scale_sums.pack[p].at[i] += g.pack[p].at[i] * n.pack[p].at[i];
        shift_sums.pack[p].at[i] += g.pack[p].at[i];
      }
    });
    if (of.dsum.data == nullptr) continue;
    const float inverse = 1.0f / static_cast<float>(of.columns);
    const float mean_g = warp_sum(sum_g) * inverse, mean_gn = warp_sum(sum_gn) * inverse;
    over_share<P>(row, of.columns, [&](int p, Place<pack_size> place) {
      of.write(place, g.pack[p], n.pack[p], mean_g, mean_gn);
    });
  }
  if (scale_parts == nullptr) return;
  store_sums(scale_sums, of.columns, scale_parts + blockIdx.x * of.columns);
  store_sums(shift_sums, of.columns, shift_parts + blockIdx.x * of.columns);
}

/// The twin for dsum and dx: a row a block, an element at a time.
template <class T>
__global__ void __launch_bounds__(gradient_threads)
    layer_norm_gradient_plain_kernel(NormGradient<T> of) {
  __shared__ float scratch[warp_size];
  const std::int64_t row = blockIdx.x;
  float sum_g = 0, sum_gn = 0;
  for (std::int64_t j = threadIdx.x; j < of.columns; j += gradient_threads) {
    const Place<1> place{row, j};
    const float scaled = load(of.dout, place).at[0] * of.gamma[j];
    sum_g += scaled;
    sum_gn += scaled * load(of.normalised, place).at[0];
  }
  const float inverse = 1.0f / static_cast<float>(of.columns);
  const float mean_g = block_sum(sum_g, scratch) * inverse;
  const float mean_gn = block_sum(sum_gn, scratch) * inverse;
  for (std::int64_t j = threadIdx.x; j < of.columns; j += gradient_threads) {
    const Place<1> place{row, j};
    of.write(place, load(of.dout, place), load(of.normalised, place), mean_g, mean_gn);
  }
}

/// The twin for the sums: dout n, or dout where `normalised` is null.
template <class T>
struct GradientTerms {
  Rows<const T> dout, normalised;

  template <int N>
  __device__ Values<N> operator()(Place<N> place) const {
    Values<N> values = load(dout, place);
    if (normalised.data == nullptr) return values;
    const Values<N> factors = load(normalised, place);
    for (int i = 0; i < N; ++i) values.at[i] *= factors.at[i];
    return values;
  }
};

/// Gamma's and beta's gradients, and how they are added to what stands there.
struct ParameterGradients {
  double beta_gamma;
  MatrixView dgamma;
  double beta_beta;
  MatrixView dbeta;

  bool are_wanted() const { return !dgamma.is_absent() || !dbeta.is_absent(); }
};

template <class T>
void run_plain(Stream stream, const NormGradient<T>& of, bool in_packs,
               const ParameterGradients& wanted, float* parts) {
  if (!wanted.dgamma.is_absent()) {
    column_sums(stream, of.rows, of.columns, in_packs, GradientTerms<T>{of.dout, of.normalised}, 1,
                wanted.beta_gamma, wanted.dgamma, parts);
  }
  if (!wanted.dbeta.is_absent()) {
    column_sums(stream, of.rows, of.columns, in_packs,
                GradientTerms<T>{of.dout, Rows<const T>{nullptr, 0}}, 1, wanted.beta_beta,
                wanted.dbeta, parts);
  }
  // After the sums: dsum may be dout.
  if (of.dsum.data == nullptr) return;
  launch(stream, of.rows, 1, gradient_threads, 0, layer_norm_gradient_plain_kernel<T>, of);
}

template <class T>
void run(Stream stream, const NormGradient<T>& of, const ParameterGradients& wanted,
         float* scale_parts) {
  const std::int64_t parts = gradient_parts(of.rows);
  float* shift_parts = scale_parts + parts * of.columns;
  if (!wanted.are_wanted()) scale_parts = shift_parts = nullptr;
  with_packs_a_lane(of.columns, [&](auto packs) {
    launch(stream, parts, 1, gradient_threads, 0,
           layer_norm_gradient_kernel<decltype(packs)::value, T>, of, scale_parts, shift_parts);
  });
  if (!wanted.dgamma.is_absent()) {
    sum_parts(stream, scale_parts, parts, 1, wanted.beta_gamma, wanted.dgamma);
  }
  if (!wanted.dbeta.is_absent()) {
    sum_parts(stream, shift_parts, parts, 1, wanted.beta_beta, wanted.dbeta);
  }
}

}  // namespace

std::size_t layer_norm_gradient_workspace(std::int64_t rows, std::int64_t columns) {
  const std::int64_t parts = std::max(gradient_parts(rows), column_sum_parts(rows));
  return static_cast<std::size_t>(2 * parts * columns) * sizeof(float);
}

void residual_layer_norm_gradient(Stream stream, ConstMatrixView dout, ConstMatrixView normalised,
                                  ConstMatrixView rstd, ConstMatrixView gamma, Dropout dropout,
                                  const SequenceView& sequences, const StepState* state,
                                  MatrixView dsum, MatrixView dx, double beta_gamma,
                                  MatrixView dgamma, double beta_beta, MatrixView dbeta,
                                  Workspace workspace) {
  if (dx.data == dsum.data) dx = {};
  const bool in_packs = all_fit_packs(dout, normalised, gamma, dsum, dx);
  const ParameterGradients wanted{beta_gamma, dgamma, beta_beta, dbeta};
  auto* parts = static_cast<float*>(workspace.data);
  with_type(dout.dtype, "layer_norm_gradient", [&](auto type) {
    using T = typename decltype(type)::type;
    const NormGradient<T> of{rows_of<T>(dout),
                             rows_of<T>(normalised),
                             rstd.as<float>(),
                             gamma.as<float>(),
                             dout.rows,
                             dout.columns,
                             dropout,
                             sequences,
                             state,
                             rows_of<T>(dsum),
                             rows_of<T>(dx)};
    if (in_packs && packs_a_lane(dout.columns) > 0 && !is_plain("layer_norm_gradient")) {
      run(stream, of, wanted, parts);
    } else {
      run_plain(stream, of, in_packs, wanted, parts);
    }
  });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
