#include "tensor/cpu/kernels/column_partials.h"
#include "tensor/cpu/kernels/mask.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

/// Mean and 1 / standard deviation of a row, in two passes. The second also sums the differences
/// from the first's mean: what that rounded away, which matters where the mean is far from 0.
template <class T>
struct Moments {
  T mean;        // rounded
  T correction;  // to be subtracted too
  T rstd;
};
template <class T>
inline Moments<T> moments_of(const T* x, Index columns, T sum, T epsilon) {
  const T inverse_columns = T(1) / static_cast<T>(columns);
  const T mean = sum * inverse_columns;
  T rest = T(0), squares = T(0);
#pragma omp simd reduction(+ : rest, squares)
  for (Index j = 0; j < columns; ++j) {
    const T difference = x[j] - mean;
    rest += difference;
    squares += difference * difference;
  }
  const T correction = rest * inverse_columns;
  const T variance = squares * inverse_columns - correction * correction;
  return {mean, correction, T(1) / square_root(variance + epsilon)};
}

// to = from (+ residual); returns the row's sum.
template <class T>
inline T add_row(const T* from, const T* residual, Index columns, T* to) {
  T sum = T(0);
  if (residual == nullptr) {
#pragma omp simd reduction(+ : sum)
    for (Index j = 0; j < columns; ++j) {
      to[j] = from[j];
      sum += from[j];
    }
  } else {
#pragma omp simd reduction(+ : sum)
    for (Index j = 0; j < columns; ++j) {
      const T value = from[j] + residual[j];
      to[j] = value;
      sum += value;
    }
  }
  return sum;
}

template <class T>
void residual_layer_norm(int threads, ConstMatrixView x, Dropout dropout, ConstMatrixView residual,
                         const SequenceView& sequences, const StepState* state,
                         ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                         MatrixView out, MatrixView normalised, MatrixView rstd) {
  const Index columns = x.columns;
  const T* scale = gamma.as<T>();
  const T* shift = beta.as<T>();
  for_parts(threads, x.rows, 4 * columns, [&](Index, Index first, Index last) {
    for (Index row = first; row < last; ++row) {
      const T* s = x.as<T>() + row * x.row_stride;
      T* o = out.as<T>() + row * out.row_stride;  // in the first-level cache until the row is done
      if (dropout.is_active()) {
        drop_row(dropout, state, mask_place(sequences, row), columns, s, o);
        s = o;
      }
      const T* r = residual.is_absent() ? nullptr : residual.as<T>() + row * residual.row_stride;
      const T sum = add_row(s, r, columns, o);
      const Moments<T> moments = moments_of(o, columns, sum, static_cast<T>(epsilon));
      if (!rstd.is_absent()) rstd.as<T>()[row] = moments.rstd;
      if (normalised.is_absent()) {
#pragma omp simd
        for (Index j = 0; j < columns; ++j) {
          const T value = (o[j] - moments.mean - moments.correction) * moments.rstd;
          o[j] = value * scale[j] + shift[j];
        }
      } else {
        T* n = normalised.as<T>() + row * normalised.row_stride;
#pragma omp simd
        for (Index j = 0; j < columns; ++j) {
          const T value = (o[j] - moments.mean - moments.correction) * moments.rstd;
          n[j] = value;
          o[j] = value * scale[j] + shift[j];
        }
      }
    }
  });
}

template <class T>
void residual_layer_norm_gradient(int threads, ConstMatrixView dout, ConstMatrixView normalised,
                                  ConstMatrixView rstd, ConstMatrixView gamma, Dropout dropout,
                                  const SequenceView& sequences, const StepState* state,
                                  MatrixView dsum, MatrixView dx, double beta_gamma,
                                  MatrixView dgamma, double beta_beta, MatrixView dbeta,
                                  void* partial) {
  const Index columns = dout.columns;
  const Index stride = padded_columns(columns);
  const T inverse_columns = T(1) / static_cast<T>(columns);
  const T* scale = gamma.as<T>();
  const Index parts = parts_of(threads, dout.rows, 4 * columns);
  T* scale_sums = static_cast<T*>(partial);
  T* shift_sums = scale_sums + parts * stride;
  const bool wants_sums = !dgamma.is_absent() || !dbeta.is_absent();
  for_parts(threads, dout.rows, 4 * columns, [&](Index part, Index first, Index last) {
    T* scale_sum = scale_sums + part * stride;
    T* shift_sum = shift_sums + part * stride;
    if (wants_sums) {
      for (Index j = 0; j < columns; ++j) scale_sum[j] = shift_sum[j] = T(0);
    }
    for (Index row = first; row < last; ++row) {
      const T* g = dout.as<T>() + row * dout.row_stride;
      const T* n = normalised.as<T>() + row * normalised.row_stride;
      T mean_g = T(0);
      T mean_gn = T(0);
      if (wants_sums) {
#pragma omp simd
        for (Index j = 0; j < columns; ++j) {
          scale_sum[j] += g[j] * n[j];
          shift_sum[j] += g[j];
        }
      }
      if (dsum.is_absent()) continue;
#pragma omp simd reduction(+ : mean_g, mean_gn)
      for (Index j = 0; j < columns; ++j) {
        const T v = g[j] * scale[j];
        mean_g += v;
        mean_gn += v * n[j];
      }
      mean_g *= inverse_columns;
      mean_gn *= inverse_columns;
      const T r = rstd.as<T>()[row];
      T* d = dsum.as<T>() + row * dsum.row_stride;
#pragma omp simd
      for (Index j = 0; j < columns; ++j) d[j] = r * (g[j] * scale[j] - mean_g - n[j] * mean_gn);
      if (dx.is_absent() || dx.data == dsum.data) continue;
      T* dropped = dx.as<T>() + row * dx.row_stride;
      if (dropout.is_active()) {
        drop_row(dropout, state, mask_place(sequences, row), columns, d, dropped);
      } else {
#pragma omp simd
        for (Index j = 0; j < columns; ++j) dropped[j] = d[j];
      }
    }
  });
  if (!dgamma.is_absent()) {
    combine_partials(scale_sums, parts, columns, T(1), beta_gamma, dgamma.as<T>());
  }
  if (!dbeta.is_absent()) {
    combine_partials(shift_sums, parts, columns, T(1), beta_beta, dbeta.as<T>());
  }
}

template <class T>
constexpr LayerNormKernels make_table() {
  return {residual_layer_norm<T>, residual_layer_norm_gradient<T>};
}

}  // namespace

const LayerNormKernels layer_norm_f32 = make_table<float>();
#if BASIS_KERNELS_F64
const LayerNormKernels layer_norm_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
