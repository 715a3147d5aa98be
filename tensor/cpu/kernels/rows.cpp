#include "tensor/cpu/kernels/common.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

template <class T>
void gather(int threads, ConstMatrixView table, ConstMatrixView ids, double beta, MatrixView out) {
  const std::int32_t* id = ids.as<std::int32_t>();
  for_stretches(threads, out.rows, out.columns, false, [&](Index row, Index, Index columns) {
    const T* s = table.as<T>() + id[row] * table.row_stride;
    T* o = out.as<T>() + row * out.row_stride;
    if (beta == 0) {
#pragma omp simd
      for (Index j = 0; j < columns; ++j) o[j] = s[j];
    } else {
#pragma omp simd
      for (Index j = 0; j < columns; ++j) o[j] += s[j];
    }
  });
}

// Threads split the columns: each element is added to by one thread, in the order of the rows.
template <class T>
void scatter_add(int threads, ConstMatrixView x, ConstMatrixView ids, MatrixView out) {
  const std::int32_t* id = ids.as<std::int32_t>();
  constexpr Index unit = 16;  // columns: parts meet at cache lines
  for_parts(threads, (x.columns + unit - 1) / unit, unit * x.rows,
            [&](Index, Index first, Index last) {
              const Index begin = first * unit;
              const Index end = last * unit < x.columns ? last * unit : x.columns;
              for (Index row = 0; row < x.rows; ++row) {
                const T* s = x.as<T>() + row * x.row_stride;
                T* o = out.as<T>() + id[row] * out.row_stride;
#pragma omp simd
                for (Index j = begin; j < end; ++j) o[j] += s[j];
              }
            });
}

template <class T>
void embedding_sum(int threads, ConstMatrixView word, ConstMatrixView ids, ConstMatrixView position,
                   ConstMatrixView positions, ConstMatrixView type, ConstMatrixView types,
                   MatrixView out) {
  for_stretches(threads, out.rows, out.columns, false, [&](Index row, Index, Index columns) {
    const T* w = word.as<T>() + ids.as<std::int32_t>()[row] * word.row_stride;
    const T* p = position.as<T>() + positions.as<std::int32_t>()[row] * position.row_stride;
    const T* t = type.as<T>() + types.as<std::int32_t>()[row] * type.row_stride;
    T* o = out.as<T>() + row * out.row_stride;
#pragma omp simd
    for (Index j = 0; j < columns; ++j) o[j] = w[j] + p[j] + t[j];
  });
}

template <class T>
constexpr RowKernels make_table() {
  return {gather<T>, scatter_add<T>, embedding_sum<T>};
}

}  // namespace

const RowKernels rows_f32 = make_table<float>();
#if BASIS_KERNELS_F64
const RowKernels rows_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
