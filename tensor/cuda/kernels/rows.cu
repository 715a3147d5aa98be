#include "tensor/cuda/kernels/over_packs.h"
#include "tensor/cuda/kernels/row_debt.h"
#include "tensor/cuda/kernels/rows.h"
#include "tensor/cuda/kernels/with_type.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

template <class Table, class T>
struct Gather {
  Rows<const Table> table;
  RowDebt debt;
  const std::int32_t* ids;
  bool adds;
  Rows<T> out;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    Values<N> values = load_worth<N>(table, debt, ids[place.row], place.column);
    if (adds) {
      const Values<N> before = load(out, place);
      for (int i = 0; i < N; ++i) values.at[i] += before.at[i];
    }
    store(out, place, values);
  }
};

struct PayRows {
  Rows<float> table;
  const std::int32_t* rows;  // null: all
  RowDebt debt;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    const std::int64_t row = rows == nullptr ? place.row : rows[place.row];
    if (!debt.owes(row)) return;
    const Place<N> there{row, place.column};
    store(table, there, paid(load(table, there), *debt.owed));
  }
};

/// A block's sums over rows that its warps deal out: of N columns for each lane.
template <int N, int Warps>
struct WarpSums {
  float of[Warps][warp_size * N];

  /// In the first warp: all that the warps have, added in order.
  __device__ Values<N> combine(const Values<N>& own) {
    const int warp = static_cast<int>(threadIdx.x) / warp_size;
    const int lane = static_cast<int>(threadIdx.x) % warp_size;
    for (int i = 0; i < N; ++i) of[warp][lane * N + i] = own.at[i];
    __syncthreads();
    Values<N> sum = own;
    for (int w = 1; warp == 0 && w < Warps; ++w) {
      for (int i = 0; i < N; ++i) sum.at[i] += of[w][lane * N + i];
    }
    return sum;
  }
};

template <int N, class T>
__device__ void add_row(Values<N>& sum, Rows<const T> x, std::int64_t row, std::int64_t column) {
  const Values<N> values = load(x, Place<N>{row, column});
  for (int i = 0; i < N; ++i) sum.at[i] += values.at[i];
}

constexpr int scatter_warps = 16;
constexpr int segment_warps = 4;

/// Block (x, y): what goes to row y of `out`, in the 32 N columns from 32 N x on. Each warp looks
/// through stretches of 32 ids for its own; a row is added by one warp in the order of t.
template <int N, class T, class Sum>
__global__ void __launch_bounds__(scatter_warps* warp_size)
    scatter_kernel(Rows<const T> x, const std::int32_t* ids, std::int64_t count,
                   std::int64_t columns, Rows<Sum> out) {
  __shared__ WarpSums<N, scatter_warps> sums;
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const std::int64_t column = (std::int64_t{blockIdx.x} * warp_size + lane) * N;
  const auto own = static_cast<std::int32_t>(blockIdx.y);
  Values<N> sum = {};
  for (std::int64_t first = warp * warp_size; first < count; first += scatter_warps * warp_size) {
    unsigned found = warp_ballot(first + lane < count && ids[first + lane] == own);
    for (int t = 0; found != 0; ++t, found >>= 1) {
      if ((found & 1u) != 0 && column < columns) add_row(sum, x, first + t, column);
    }
  }
  sum = sums.combine(sum);
  if (warp > 0 || column >= columns) return;
  const Place<N> place{own, column};
  const Values<N> before = load(out, place);
  for (int i = 0; i < N; ++i) sum.at[i] += before.at[i];
  store(out, place, sum);
}

template <class T, class Sum>
void scatter(Stream stream, ConstMatrixView x, ConstMatrixView ids, MatrixView out) {
  const bool in_packs = all_fit_packs(x, out);
  const std::int64_t width = warp_size * (in_packs ? pack_size : 1);
  launch(stream, (x.columns + width - 1) / width, out.rows, scatter_warps * warp_size, 0,
         in_packs ? scatter_kernel<pack_size, T, Sum> : scatter_kernel<1, T, Sum>, rows_of<T>(x),
         ids.as<std::int32_t>(), x.rows, x.columns, rows_of<Sum>(out));
}

/// Block (x, y): segment y, in the 32 N columns from 32 N x on.
template <int N, class T>
__global__ void __launch_bounds__(segment_warps* warp_size)
    segment_sum_kernel(Rows<const T> x, const std::int32_t* offsets, const std::int32_t* rows,
                       const std::int32_t* places, std::int64_t written, std::int64_t columns,
                       Rows<float> out) {
  __shared__ WarpSums<N, segment_warps> sums;
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const std::int64_t column = (std::int64_t{blockIdx.x} * warp_size + lane) * N;
  const std::int32_t last = offsets[blockIdx.y + 1];
  Values<N> sum = {};
  if (column < columns) {
#pragma unroll 4
    for (std::int32_t i = offsets[blockIdx.y] + warp; i < last; i += segment_warps) {
      add_row(sum, x, rows[i], column);
    }
  }
  sum = sums.combine(sum);
  if (warp > 0 || column >= columns) return;
  const Place<N> place{places[blockIdx.y], column};
  if (place.row < written) {
    const Values<N> before = load(out, place);
    for (int i = 0; i < N; ++i) sum.at[i] += before.at[i];
  }
  store(out, place, sum);
}

}  // namespace

void gather_rows(Stream stream, ConstMatrixView table, const RowDebt& debt, ConstMatrixView ids,
                 double beta, MatrixView out) {
  with_type(table.dtype, "gather_rows", [&](auto from) {
    with_type(out.dtype, "gather_rows", [&](auto to) {
      using Table = typename decltype(from)::type;
      using T = typename decltype(to)::type;
      over_packs(stream, out.rows, out.columns, all_fit_packs(table, out),
                 Gather<Table, T>{rows_of<Table>(table), debt, ids.as<std::int32_t>(), beta != 0,
                                  rows_of<T>(out)});
    });
  });
}

void scatter_add_rows(Stream stream, ConstMatrixView x, ConstMatrixView ids, MatrixView out) {
  with_type(x.dtype, "scatter_add_rows", [&](auto from) {
    with_type(out.dtype, "scatter_add_rows", [&](auto to) {
      scatter<typename decltype(from)::type, typename decltype(to)::type>(stream, x, ids, out);
    });
  });
}

void segment_sum_rows(Stream stream, ConstMatrixView x, ConstMatrixView offsets,
                      ConstMatrixView rows, ConstMatrixView places, std::int64_t written,
                      MatrixView out) {
  const bool in_packs = all_fit_packs(x, out);
  const std::int64_t width = warp_size * (in_packs ? pack_size : 1);
  with_type(x.dtype, "segment_sum_rows", [&](auto type) {
    using T = typename decltype(type)::type;
    launch(stream, (x.columns + width - 1) / width, places.columns, segment_warps * warp_size, 0,
           in_packs ? segment_sum_kernel<pack_size, T> : segment_sum_kernel<1, T>, rows_of<T>(x),
           offsets.as<std::int32_t>(), rows.as<std::int32_t>(), places.as<std::int32_t>(), written,
           x.columns, rows_of<float>(out));
  });
}

void pay_rows(Stream stream, MatrixView table, ConstMatrixView rows, const RowDebt& debt) {
  over_packs(stream, rows.is_absent() ? table.rows : rows.columns, table.columns, fits_packs(table),
             PayRows{rows_of<float>(table), rows.as<std::int32_t>(), debt});
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
