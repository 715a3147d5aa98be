#include "tensor/cpu/kernels/column_partials.h"
#include "tensor/cpu/kernels/mask.h"
#include "tensor/cpu/kernels/storage.h"

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

// to = from (+ residual); returns the row's sum. `From`: a row of T or of A.
template <class T, class A, class From>
inline A add_row(From from, InputRow<T> residual, bool has_residual, Index columns, A* to) {
  A sum = A(0);
  if (!has_residual) {
#pragma omp simd reduction(+ : sum)
    for (Index j = 0; j < columns; ++j) {
      const A value = from[j];
      to[j] = value;
      sum += value;
    }
  } else {
#pragma omp simd reduction(+ : sum)
    for (Index j = 0; j < columns; ++j) {
      const A value = from[j] + residual[j];
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
  using A = accumulate_t<T>;
  const Index columns = x.columns;
  const A* scale = gamma.as<A>();
  const A* shift = beta.as<A>();
  // One row: `work` stays in the first-level cache until the row is done.
  auto one_row = [&](Index row, A* work) {
    const InputRow<T> s = input_row<T>(x, row), r = input_row<T>(residual, row);
    const bool has_residual = !residual.is_absent();
    A sum;
    if (dropout.is_active()) {
      drop_row<A>(dropout, state, mask_place(sequences, row), columns, s, work);
      sum = add_row<T, A>(static_cast<const A*>(work), r, has_residual, columns, work);
    } else {
      sum = add_row<T, A>(s, r, has_residual, columns, work);
    }
    const Moments<A> moments = moments_of(work, columns, sum, static_cast<A>(epsilon));
    if (!rstd.is_absent()) rstd.as<A>()[row] = moments.rstd;
    const OutputRow<T> o = output_row<T>(out, row), n = output_row<T>(normalised, row);
    if (normalised.is_absent()) {
#pragma omp simd
      for (Index j = 0; j < columns; ++j) {
        const A value = (work[j] - moments.mean - moments.correction) * moments.rstd;
        o[j] = value * scale[j] + shift[j];
      }
    } else {
#pragma omp simd
      for (Index j = 0; j < columns; ++j) {
        const A value = (work[j] - moments.mean - moments.correction) * moments.rstd;
        n[j] = value;
        o[j] = value * scale[j] + shift[j];
      }
    }
  };
  for_parts(threads, x.rows, 4 * columns, [&](Index, Index first, Index last) {
    if constexpr (is_narrow<T>) {
      with_stack_row<T>(columns, [&](A* work) {
        for (Index row = first; row < last; ++row) one_row(row, work);
      });
    } else {
      for (Index row = first; row < last; ++row) one_row(row, output_row<T>(out, row));
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
  using A = accumulate_t<T>;
  const Index columns = dout.columns;
  const Index stride = padded_columns(columns);
  const A inverse_columns = A(1) / static_cast<A>(columns);
  const A* scale = gamma.as<A>();
  const Index parts = parts_of(threads, dout.rows, 4 * columns);
  A* scale_sums = static_cast<A*>(partial);
  A* shift_sums = scale_sums + parts * stride;
  const bool wants_sums = !dgamma.is_absent() || !dbeta.is_absent();
  for_parts(threads, dout.rows, 4 * columns, [&](Index part, Index first, Index last) {
    A* scale_sum = scale_sums + part * stride;
    A* shift_sum = shift_sums + part * stride;
    if (wants_sums) {
      for (Index j = 0; j < columns; ++j) scale_sum[j] = shift_sum[j] = A(0);
    }
    auto add_sums = [&](InputRow<T> g, InputRow<T> n) {
#pragma omp simd
      for (Index j = 0; j < columns; ++j) {
        scale_sum[j] += g[j] * n[j];
        shift_sum[j] += g[j];
      }
    };
    auto one_row = [&](Index row, A* work) {
      const InputRow<T> g = input_row<T>(dout, row), n = input_row<T>(normalised, row);
      if (wants_sums) add_sums(g, n);
      A mean_g = A(0), mean_gn = A(0);
#pragma omp simd reduction(+ : mean_g, mean_gn)
      for (Index j = 0; j < columns; ++j) {
        const A v = g[j] * scale[j];
        mean_g += v;
        mean_gn += v * n[j];
      }
      mean_g *= inverse_columns;
      mean_gn *= inverse_columns;
      const A r = rstd.as<A>()[row];
#pragma omp simd
      for (Index j = 0; j < columns; ++j) work[j] = r * (g[j] * scale[j] - mean_g - n[j] * mean_gn);
      if (dx.is_absent() || dx.data == dsum.data) return;
      const OutputRow<T> dropped = output_row<T>(dx, row);
      if (dropout.is_active()) {
        drop_row<A>(dropout, state, mask_place(sequences, row), columns,
                    static_cast<const A*>(work), dropped);
      } else {
#pragma omp simd
        for (Index j = 0; j < columns; ++j) dropped[j] = work[j];
      }
    };
    if (!dsum.is_absent()) return with_work_rows<T>(first, last, dsum, one_row);
    for (Index row = first; wants_sums && row < last; ++row) {
      add_sums(input_row<T>(dout, row), input_row<T>(normalised, row));
    }
  });
  if (!dgamma.is_absent()) {
    combine_partials(scale_sums, parts, columns, A(1), beta_gamma, dgamma.as<A>());
  }
  if (!dbeta.is_absent()) {
    combine_partials(shift_sums, parts, columns, A(1), beta_beta, dbeta.as<A>());
  }
}

template <class T>
constexpr LayerNormKernels make_table() {
  return {residual_layer_norm<T>, residual_layer_norm_gradient<T>};
}

}  // namespace

const LayerNormKernels layer_norm_f32 = make_table<float>();
const LayerNormKernels layer_norm_bf16 = make_table<BFloat16>();
#if BASIS_KERNELS_F64
const LayerNormKernels layer_norm_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
