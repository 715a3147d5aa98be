#include "tensor/cpu/kernels/column_partials.h"
#include "tensor/cpu/kernels/storage.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

template <class T>
void column_dot(int threads, double alpha, ConstMatrixView x, ConstMatrixView y, double beta,
                MatrixView out, void* partial) {
  const Index columns = x.columns;
  const Index stride = padded_columns(columns);
  using A = accumulate_t<T>;
  A* sums = static_cast<A*>(partial);
  const Index parts = parts_of(threads, x.rows, columns);
  for_parts(threads, x.rows, columns, [&](Index part, Index begin, Index end) {
    A* s = sums + part * stride;
#pragma omp simd
    for (Index j = 0; j < columns; ++j) s[j] = A(0);
    for (Index row = begin; row < end; ++row) {
      const InputRow<T> a = input_row<T>(x, row);
      if (y.is_absent()) {
#pragma omp simd
        for (Index j = 0; j < columns; ++j) s[j] += a[j];
      } else {
        const InputRow<T> b = input_row<T>(y, row);
#pragma omp simd
        for (Index j = 0; j < columns; ++j) s[j] += a[j] * b[j];
      }
    }
  });
  combine_partials(sums, parts, columns, static_cast<A>(alpha), beta, out.as<A>());
}

template <class T>
inline double sum_of_squares(const T* elements, Index count) {
  const InputRow<T> x{elements};
  double sum = 0;
  for (Index first = 0; first < count; first += prefetch_block) {
    const Index last = first + prefetch_block < count ? first + prefetch_block : count;
    prefetch_ahead(elements + first);
#pragma omp simd reduction(+ : sum)
    for (Index i = first; i < last; ++i) {
      sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    }
  }
  return sum;
}

// 64 fixed parts, so that the sum does not depend on the number of threads.
template <class T>
void squared_norm(int threads, ConstMatrixView x, double beta, MatrixView out) {
  constexpr Index parts = 64;
  double partial[parts];
  const bool is_flat = x.is_contiguous();
  const Index count = is_flat ? x.rows * x.columns : x.rows;
  const Index used = threads < 2 || x.rows * x.columns < smallest_part ? 1 : threads;
#pragma omp parallel for schedule(static) num_threads(static_cast <int>(used)) if (used > 1)
  for (Index part = 0; part < parts; ++part) {
    const Index begin = count * part / parts;
    const Index end = count * (part + 1) / parts;
    double sum = 0;
    if (is_flat) {
      sum = sum_of_squares(x.as<T>() + begin, end - begin);
    } else {
      for (Index row = begin; row < end; ++row) {
        sum += sum_of_squares(x.as<T>() + row * x.row_stride, x.columns);
      }
    }
    partial[part] = sum;
  }
  double total = 0;
  for (Index part = 0; part < parts; ++part) total += partial[part];
  double* o = out.as<double>();
  *o = beta == 0 ? total : beta * *o + total;
}

template <class T>
void inverse_row_norms(int threads, ConstMatrixView x, MatrixView out) {
  using A = accumulate_t<T>;
  for_parts(threads, x.rows, x.columns, [&](Index, Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const double sum = sum_of_squares(x.as<T>() + row * x.row_stride, x.columns);
      out.as<A>()[row] = sum == 0 ? A(0) : static_cast<A>(1 / __builtin_sqrt(sum));
    }
  });
}

template <class T>
void mean_pool(int threads, ConstMatrixView x, const SequenceView& sequences, MatrixView out) {
  using A = accumulate_t<T>;
  const Index mean_length = x.rows / (sequences.sequences > 0 ? sequences.sequences : 1) + 1;
  for_parts(threads, sequences.sequences, mean_length * x.columns,
            [&](Index, Index first, Index last) {
              with_stack_row<T>(is_narrow<T> ? x.columns : 1, [&](A* sums) {
                for (Index b = first; b < last; ++b) {
                  const Index begin = sequences.offsets[b];
                  const Index end = sequences.offsets[b + 1];
                  A* sum = sums;
                  if constexpr (!is_narrow<T>) sum = output_row<T>(out, b);
                  for (Index j = 0; j < x.columns; ++j) sum[j] = A(0);
                  for (Index row = begin; row < end; ++row) {
                    const InputRow<T> s = input_row<T>(x, row);
#pragma omp simd
                    for (Index j = 0; j < x.columns; ++j) sum[j] += s[j];
                  }
                  const A inverse = end > begin ? A(1) / static_cast<A>(end - begin) : A(0);
                  const OutputRow<T> o = output_row<T>(out, b);
#pragma omp simd
                  for (Index j = 0; j < x.columns; ++j) o[j] = sum[j] * inverse;
                }
              });
            });
}

template <class T>
void mean_pool_gradient(int threads, ConstMatrixView dout, const SequenceView& sequences,
                        MatrixView dx) {
  const Index tokens = sequences.offsets[sequences.sequences];
  for_stretches(threads, dx.rows, dx.columns, false, [&](Index row, Index, Index columns) {
    using A = accumulate_t<T>;
    const OutputRow<T> d = output_row<T>(dx, row);
    if (row >= tokens) {
      for (Index j = 0; j < columns; ++j) d[j] = A(0);
      return;
    }
    const std::int32_t b = sequences.sequence_of_row[row];
    const A inverse = A(1) / static_cast<A>(sequences.offsets[b + 1] - sequences.offsets[b]);
    const InputRow<T> g = input_row<T>(dout, b);
#pragma omp simd
    for (Index j = 0; j < columns; ++j) d[j] = g[j] * inverse;
  });
}

template <class T>
constexpr ReductionKernels make_table() {
  return {column_dot<T>, squared_norm<T>, inverse_row_norms<T>, mean_pool<T>,
          mean_pool_gradient<T>};
}

}  // namespace

const ReductionKernels reduction_f32 = make_table<float>();
const ReductionKernels reduction_bf16 = make_table<BFloat16>();
#if BASIS_KERNELS_F64
const ReductionKernels reduction_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
