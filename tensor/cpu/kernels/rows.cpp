#include "tensor/cpu/kernels/storage.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

/// What a row that owes is worth, with the bits that pay_rows would leave there.
template <class A, class Row>
struct OwingRow {
  Row at;
  double owed;

  A operator[](Index i) const { return static_cast<A>(static_cast<A>(at[i]) * owed); }
};

template <class T, class Table>
void gather_from(int threads, ConstMatrixView table, const RowDebt& debt, ConstMatrixView ids,
                 double beta, MatrixView out) {
  const std::int32_t* id = ids.as<std::int32_t>();
  for_stretches(threads, out.rows, out.columns, false, [&](Index row, Index, Index columns) {
    const InputRow<Table> s = input_row<Table>(table, id[row]);
    const OutputRow<T> o = output_row<T>(out, row);
    if (debt.owes(id[row])) {
      const OwingRow<accumulate_t<T>, InputRow<Table>> owing{s, *debt.owed};
      if (beta == 0) {
        for (Index j = 0; j < columns; ++j) o[j] = owing[j];
      } else {
        for (Index j = 0; j < columns; ++j) o[j] += owing[j];
      }
    } else if (beta == 0) {
#pragma omp simd
      for (Index j = 0; j < columns; ++j) o[j] = s[j];
    } else {
#pragma omp simd
      for (Index j = 0; j < columns; ++j) o[j] += s[j];
    }
  });
}

template <class T>
void gather(int threads, ConstMatrixView table, const RowDebt& debt, ConstMatrixView ids,
            double beta, MatrixView out) {
  if (table.dtype == out.dtype) return gather_from<T, T>(threads, table, debt, ids, beta, out);
  gather_from<T, accumulate_t<T>>(threads, table, debt, ids, beta, out);
}

// Threads split the columns: each element is added to by one thread, in the order of the rows.
template <class T, class Sum>
void scatter_add_into(int threads, ConstMatrixView x, ConstMatrixView ids, MatrixView out) {
  const std::int32_t* id = ids.as<std::int32_t>();
  constexpr Index unit = 16;  // columns: parts meet at cache lines
  for_parts(threads, (x.columns + unit - 1) / unit, unit * x.rows,
            [&](Index, Index first, Index last) {
              const Index begin = first * unit;
              const Index end = last * unit < x.columns ? last * unit : x.columns;
              for (Index row = 0; row < x.rows; ++row) {
                const InputRow<T> s = input_row<T>(x, row);
                const OutputRow<Sum> o = output_row<Sum>(out, id[row]);
#pragma omp simd
                for (Index j = begin; j < end; ++j) o[j] += s[j];
              }
            });
}

template <class T>
void scatter_add(int threads, ConstMatrixView x, ConstMatrixView ids, MatrixView out) {
  if (x.dtype == out.dtype) return scatter_add_into<T, T>(threads, x, ids, out);
  scatter_add_into<T, accumulate_t<T>>(threads, x, ids, out);
}

/// The first segment that begins at `row` or after it.
inline Index segment_at(const std::int32_t* offsets, Index segments, Index row) {
  Index low = 0, high = segments;
  while (low < high) {
    const Index middle = (low + high) / 2;
    if (offsets[middle] < row) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// Threads split the rows: a segment is summed by the thread that has its first row.
template <class T>
void segment_sum(int threads, ConstMatrixView x, ConstMatrixView offsets, ConstMatrixView rows,
                 ConstMatrixView places, Index written, MatrixView out) {
  using A = accumulate_t<T>;
  const std::int32_t* offset = offsets.as<std::int32_t>();
  const Index segments = places.columns;
  for_parts(threads, rows.columns, x.columns, [&](Index, Index begin, Index end) {
    const Index last = segment_at(offset, segments, end);
    for (Index u = segment_at(offset, segments, begin); u < last; ++u) {
      const Index place = places.as<std::int32_t>()[u];
      A* o = output_row<A>(out, place);
      for (Index i = offset[u]; i < offset[u + 1]; ++i) {
        const InputRow<T> s = input_row<T>(x, rows.as<std::int32_t>()[i]);
        if (i == offset[u] && place >= written) {
#pragma omp simd
          for (Index j = 0; j < x.columns; ++j) o[j] = s[j];
        } else {
#pragma omp simd
          for (Index j = 0; j < x.columns; ++j) o[j] += s[j];
        }
      }
    }
  });
}

template <class T>
void embedding_sum(int threads, ConstMatrixView word, const RowDebt& debt, ConstMatrixView ids,
                   ConstMatrixView position, ConstMatrixView positions, ConstMatrixView type,
                   ConstMatrixView types, MatrixView out) {
  for_stretches(threads, out.rows, out.columns, false, [&](Index row, Index, Index columns) {
    using A = accumulate_t<T>;
    const Index id = ids.as<std::int32_t>()[row];
    const A* w = input_row<A>(word, id);
    const A* p = input_row<A>(position, positions.as<std::int32_t>()[row]);
    const A* t = input_row<A>(type, types.as<std::int32_t>()[row]);
    const OutputRow<T> o = output_row<T>(out, row);
    if (debt.owes(id)) {
      const OwingRow<A, const A*> owing{w, *debt.owed};
      for (Index j = 0; j < columns; ++j) o[j] = owing[j] + p[j] + t[j];
      return;
    }
#pragma omp simd
    for (Index j = 0; j < columns; ++j) o[j] = w[j] + p[j] + t[j];
  });
}

template <class T>
constexpr RowKernels make_table() {
  return {gather<T>, scatter_add<T>, segment_sum<T>, embedding_sum<T>};
}

}  // namespace

const RowKernels rows_f32 = make_table<float>();
const RowKernels rows_bf16 = make_table<BFloat16>();
#if BASIS_KERNELS_F64
const RowKernels rows_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
