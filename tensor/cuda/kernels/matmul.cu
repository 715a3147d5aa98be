#include "tensor/cuda/kernels/matmul.h"
#include "tensor/cuda/kernels/with_type.h"
#include "tensor/cuda/storage.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

constexpr int tile = 64;        // rows and columns of `out` that a block makes
constexpr int inner_tile = 32;  // of k at a time
constexpr int matmul_threads = 256;
constexpr int own = 4;  // rows and columns of the tile that a thread makes

/// op(m) of a product: element (i, k) of a, or (k, j) of b.
template <class T>
struct Operand {
  Rows<const T> rows;
  bool is_transposed;
  std::int64_t row_count, column_count;  // of op(m)

  __device__ float at(std::int64_t i, std::int64_t j) const {
    if (i >= row_count || j >= column_count) return 0;
    return load<1>(is_transposed ? rows.row(j) + i : rows.row(i) + j).at[0];
  }
};

template <class T, class Out>
__global__ void __launch_bounds__(matmul_threads)
    matmul_kernel(float alpha, Operand<T> a, Operand<T> b, float beta, const float* bias,
                  Rows<Out> out) {
  __shared__ float a_tile[inner_tile][tile + 1], b_tile[inner_tile][tile + 1];
  const std::int64_t first_row = std::int64_t{blockIdx.y} * tile;
  const std::int64_t first_column = std::int64_t{blockIdx.x} * tile;
  const int own_row = static_cast<int>(threadIdx.x) / (tile / own) * own;
  const int own_column = static_cast<int>(threadIdx.x) % (tile / own) * own;
  float sum[own][own] = {};
  for (std::int64_t first = 0; first < a.column_count; first += inner_tile) {
    for (int e = static_cast<int>(threadIdx.x); e < tile * inner_tile; e += matmul_threads) {
      // Neighbouring threads read neighbouring elements, whichever way the operand lies.
      const int a_k = a.is_transposed ? e / tile : e % inner_tile;
      const int a_i = a.is_transposed ? e % tile : e / inner_tile;
      a_tile[a_k][a_i] = a.at(first_row + a_i, first + a_k);
      const int b_k = b.is_transposed ? e % inner_tile : e / tile;
      const int b_j = b.is_transposed ? e / inner_tile : e % tile;
      b_tile[b_k][b_j] = b.at(first + b_k, first_column + b_j);
    }
    __syncthreads();
    for (int k = 0; k < inner_tile; ++k) {
      for (int i = 0; i < own; ++i) {
        for (int j = 0; j < own; ++j) {
          sum[i][j] += a_tile[k][own_row + i] * b_tile[k][own_column + j];
        }
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < own; ++i) {
    for (int j = 0; j < own; ++j) {
      const Place<1> place{first_row + own_row + i, first_column + own_column + j};
      if (place.row >= a.row_count || place.column >= b.column_count) continue;
      float value = alpha * sum[i][j];
      if (bias != nullptr) value += bias[place.column];
      if (beta != 0) value += beta * load(out, place).at[0];
      store(out, place, Values<1>{{value}});
    }
  }
}

template <class T>
Operand<T> operand_of(ConstMatrixView view, bool is_transposed) {
  return {rows_of<T>(view), is_transposed, is_transposed ? view.columns : view.rows,
          is_transposed ? view.rows : view.columns};
}

}  // namespace

void plain_matmul(Stream stream, double alpha, ConstMatrixView a, bool transpose_a,
                  ConstMatrixView b, bool transpose_b, double beta, MatrixView out,
                  ConstMatrixView bias) {
  with_type(a.dtype, "matmul", [&](auto from) {
    with_type(out.dtype, "matmul", [&](auto to) {
      using T = typename decltype(from)::type;
      using Out = typename decltype(to)::type;
      launch(stream, (out.columns + tile - 1) / tile, (out.rows + tile - 1) / tile, matmul_threads,
             0, matmul_kernel<T, Out>, static_cast<float>(alpha), operand_of<T>(a, transpose_a),
             operand_of<T>(b, transpose_b), static_cast<float>(beta), bias.as<float>(),
             rows_of<Out>(out));
    });
  });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
