#include "tensor/cpu/kernels/common.h"
#include "tensor/cpu/kernels/mask.h"
#include "tensor/cpu/kernels/storage.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

template <class T>
void fill(int threads, double value, MatrixView out) {
  const auto v = static_cast<accumulate_t<T>>(value);
  for_stretches(threads, out.rows, out.columns, out.is_contiguous(),
                [&](Index row, Index begin, Index end) {
                  const OutputRow<T> o = output_row<T>(out, row);
#pragma omp simd
                  for (Index i = begin; i < end; ++i) o[i] = v;
                });
}

template <class T>
void add_scaled(int threads, double alpha, ConstMatrixView x, double beta, MatrixView out) {
  const auto a = static_cast<accumulate_t<T>>(alpha);
  const auto b = static_cast<accumulate_t<T>>(beta);
  for_stretches(threads, x.rows, x.columns, x.is_contiguous() && out.is_contiguous(),
                [&](Index row, Index begin, Index end) {
                  const InputRow<T> s = input_row<T>(x, row);
                  const OutputRow<T> o = output_row<T>(out, row);
                  if (beta == 0) {
#pragma omp simd
                    for (Index i = begin; i < end; ++i) o[i] = a * s[i];
                  } else {
#pragma omp simd
                    for (Index i = begin; i < end; ++i) o[i] = a * s[i] + b * o[i];
                  }
                });
}

template <class T>
void scale_columns(int threads, ConstMatrixView x, ConstMatrixView v, MatrixView out) {
  const auto* scale = v.as<accumulate_t<T>>();
  for_stretches(threads, x.rows, x.columns, false, [&](Index row, Index begin, Index end) {
    const InputRow<T> s = input_row<T>(x, row);
    const OutputRow<T> o = output_row<T>(out, row);
#pragma omp simd
    for (Index j = begin; j < end; ++j) o[j] = s[j] * scale[j];
  });
}

template <class T>
void scale_shift_columns(int threads, ConstMatrixView x, ConstMatrixView scale,
                         ConstMatrixView shift, MatrixView out) {
  const auto* a = scale.as<accumulate_t<T>>();
  const auto* b = shift.as<accumulate_t<T>>();
  for_stretches(threads, x.rows, x.columns, false, [&](Index row, Index begin, Index end) {
    const InputRow<T> s = input_row<T>(x, row);
    const OutputRow<T> o = output_row<T>(out, row);
#pragma omp simd
    for (Index j = begin; j < end; ++j) o[j] = s[j] * a[j] + b[j];
  });
}

template <class T>
void add_bias(int threads, ConstMatrixView bias, MatrixView out) {
  const auto* b = bias.as<accumulate_t<T>>();
  for_stretches(threads, out.rows, out.columns, false, [&](Index row, Index begin, Index end) {
    const OutputRow<T> o = output_row<T>(out, row);
#pragma omp simd
    for (Index j = begin; j < end; ++j) o[j] += b[j];
  });
}

template <class T>
void dropout(int threads, ConstMatrixView x, Dropout site, const SequenceView& sequences,
             const StepState* state, MatrixView out) {
  using A = accumulate_t<T>;
  const bool is_past_cache = out.data != x.data && goes_past_cache<T>(out);
  for_parts(threads, x.rows, 2 * x.columns, [&](Index, Index first, Index last) {
    for (Index row = first; row < last; ++row) {
      const InputRow<T> from = input_row<T>(x, row);
      const Destination<T> to{output_row<T>(out, row), is_past_cache};
      // Nothing else would be read from memory while masks are drawn.
      const T* next = x.as<T>() + (row + 1) * x.row_stride;
      for_masks<A>(site, state, mask_place(sequences, row), x.columns,
                   [&](Index begin, Index count, auto mask) {
                     for_lanes<A>(count, [&](auto at) {
                       __builtin_prefetch(next + begin + at.begin);
                       store(to + begin, at, mask(at, load(from + begin, at)));
                     });
                   });
    }
    if (is_past_cache) end_past_cache();
  });
}

template <class T>
constexpr ElementwiseKernels make_table() {
  return {fill<T>,     add_scaled<T>, scale_columns<T>, scale_shift_columns<T>,
          add_bias<T>, dropout<T>};
}

}  // namespace

const ElementwiseKernels elementwise_f32 = make_table<float>();
const ElementwiseKernels elementwise_bf16 = make_table<BFloat16>();
#if BASIS_KERNELS_F64
const ElementwiseKernels elementwise_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
