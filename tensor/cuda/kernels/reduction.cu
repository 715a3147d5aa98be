#include "tensor/cuda/kernels/column_sums.h"
#include "tensor/cuda/kernels/over_packs.h"
#include "tensor/cuda/kernels/reduction.h"
#include "tensor/cuda/kernels/stretches.h"
#include "tensor/cuda/kernels/with_type.h"
#include "tensor/step_state.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

template <class T>
struct Products {
  Rows<const T> x, y;  // y may be null

  template <int N>
  __device__ Values<N> operator()(Place<N> place) const {
    Values<N> values = load(x, place);
    if (y.data != nullptr) {
      const Values<N> factors = load(y, place);
      for (int i = 0; i < N; ++i) values.at[i] *= factors.at[i];
    }
    return values;
  }
};

struct SumParts {
  const float* parts;
  std::int64_t count, columns;
  float alpha, beta;
  float* out;

  __device__ void operator()(Place<1> place) const {
    float sum = 0;
#pragma unroll 8
    for (std::int64_t part = 0; part < count; ++part) sum += parts[part * columns + place.column];
    float* to = out + place.column;
    *to = beta == 0 ? alpha * sum : beta * *to + alpha * sum;
  }
};

constexpr int norm_threads = 256;

/// Sums the squares of every gridDim.x-th stretch of packs into parts[blockIdx.x].
template <int N, class T>
__global__ void __launch_bounds__(norm_threads)
    squares_kernel(std::int64_t packs, std::int64_t packs_a_row, Rows<const T> x, double* parts) {
  __shared__ double scratch[warp_size];
  double sum = 0;
  for (std::int64_t i = std::int64_t{blockIdx.x} * norm_threads + threadIdx.x; i < packs;
       i += std::int64_t{gridDim.x} * norm_threads) {
    const std::int64_t row = i / packs_a_row;
    const Values<N> values = load(x, Place<N>{row, (i - row * packs_a_row) * N});
    for (int n = 0; n < N; ++n) sum += static_cast<double>(values.at[n]) * values.at[n];
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(norm_threads)
    sum_squares_kernel(const double* parts, std::int64_t count, double beta, double* out) {
  __shared__ double scratch[warp_size];
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += norm_threads) sum += parts[i];
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) *out = beta == 0 ? sum : beta * *out + sum;
}

template <int N, class T>
void launch_squares(Stream stream, ConstMatrixView x, double* parts, std::int64_t& blocks) {
  // Contiguous rows are one long one.
  const bool is_flat = x.is_contiguous();
  const std::int64_t packs_a_row = (is_flat ? x.element_count() : x.columns) / N;
  const std::int64_t packs = x.element_count() / N;
  blocks =
      std::clamp<std::int64_t>((packs + norm_threads - 1) / norm_threads, 1, squared_norm_parts);
  launch(stream, blocks, 1, norm_threads, 0, squares_kernel<N, T>, packs, packs_a_row,
         rows_of<T>(x), parts);
}

/// A block a row.
__global__ void __launch_bounds__(norm_threads)
    inverse_row_norms_kernel(std::int64_t columns, Rows<const float> x, float* out) {
  __shared__ double scratch[warp_size];
  const std::int64_t row = blockIdx.x;
  double sum = 0;
  for (std::int64_t j = threadIdx.x; j < columns; j += norm_threads) {
    const Values<1> value = load(x, Place<1>{row, j});
    sum += static_cast<double>(value.at[0]) * value.at[0];
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) out[row] = sum == 0 ? 0.0f : static_cast<float>(1 / square_root(sum));
}

struct FloatStretch {
  const float* data;
  std::int64_t count;
};

/// The same for every gridDim.x-th chunk of many stretches.
__global__ void __launch_bounds__(norm_threads)
    squares_of_all_kernel(Stretches<FloatStretch> table, double* parts) {
  static_assert(norm_threads == stretch_threads);
  __shared__ double scratch[warp_size];
  double sum = 0;
  for (auto chunk = static_cast<std::int32_t>(blockIdx.x); chunk < table.chunks_before[table.count];
       chunk += static_cast<std::int32_t>(gridDim.x)) {
    const int s = table.stretch_of(chunk);
    const std::int64_t i = table.element_of(chunk, s, static_cast<int>(threadIdx.x));
    if (i >= table.stretch[s].count) continue;
    const Values<pack_size> values = load<pack_size>(table.stretch[s].data + i);
    for (int n = 0; n < pack_size; ++n) sum += static_cast<double>(values.at[n]) * values.at[n];
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

__global__ void update_clip_kernel(const double* squared_sum, double clip_norm, StepState* state) {
  if (threadIdx.x > 0) return;
  const double norm = square_root(*squared_sum);
  const double factor = clip_norm / (norm + 1e-6);
  state->gradient_norm = norm;
  if (norm - norm != 0) state->skip_update = 1;  // NaN or infinite; the host sets it back
  state->clip_factor = clip_norm == 0 || factor > 1 ? 1 : factor;
}

template <class T>
struct MeanPool {
  Rows<const T> x;
  Rows<T> out;
  const std::int32_t* offsets;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    const std::int64_t begin = offsets[place.row], end = offsets[place.row + 1];
    Values<N> sum = {};
    for (std::int64_t row = begin; row < end; ++row) {
      const Values<N> values = load(x, Place<N>{row, place.column});
      for (int i = 0; i < N; ++i) sum.at[i] += values.at[i];
    }
    const float inverse = end > begin ? 1.0f / static_cast<float>(end - begin) : 0.0f;
    for (int i = 0; i < N; ++i) sum.at[i] *= inverse;
    store(out, place, sum);
  }
};

template <class T>
struct MeanPoolGradient {
  Rows<const T> dout;
  Rows<T> dx;
  SequenceView sequences;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    Values<N> values = {};
    if (place.row < sequences.offsets[sequences.sequences]) {
      const std::int32_t b = sequences.sequence_of_row[place.row];
      const std::int32_t length = sequences.offsets[b + 1] - sequences.offsets[b];
      values = load(dout, Place<N>{b, place.column});
      for (int i = 0; i < N; ++i) values.at[i] *= 1.0f / static_cast<float>(length);
    }
    store(dx, place, values);
  }
};

}  // namespace

void sum_parts(Stream stream, const float* parts, std::int64_t count, double alpha, double beta,
               MatrixView out) {
  over_elements(stream, 1, out.columns,
                SumParts{parts, count, out.columns, static_cast<float>(alpha),
                         static_cast<float>(beta), out.as<float>()});
}

std::size_t column_sum_workspace(std::int64_t rows, std::int64_t columns) {
  return column_sums_bytes(rows, columns);
}

void column_dot(Stream stream, double alpha, ConstMatrixView x, ConstMatrixView y, double beta,
                MatrixView out, Workspace workspace) {
  with_type(x.dtype, "column_dot", [&](auto type) {
    using T = typename decltype(type)::type;
    column_sums(stream, x.rows, x.columns, all_fit_packs(x, y),
                Products<T>{rows_of<T>(x), rows_of<T>(y)}, alpha, beta, out,
                static_cast<float*>(workspace.data));
  });
}

void squared_norm(Stream stream, ConstMatrixView x, double beta, MatrixView out, double* scratch) {
  std::int64_t blocks = 0;
  with_type(x.dtype, "squared_norm", [&](auto type) {
    using T = typename decltype(type)::type;
    if (fits_packs(x)) {
      launch_squares<pack_size, T>(stream, x, scratch, blocks);
    } else {
      launch_squares<1, T>(stream, x, scratch, blocks);
    }
  });
  launch(stream, 1, 1, norm_threads, 0, sum_squares_kernel, scratch, blocks, beta,
         out.as<double>());
}

void inverse_row_norms(Stream stream, ConstMatrixView x, MatrixView out) {
  launch(stream, x.rows, 1, norm_threads, 0, inverse_row_norms_kernel, x.columns, rows_of<float>(x),
         out.as<float>());
}

void squared_norm_of_all(Stream stream, std::span<const ConstMatrixView> parts, MatrixView out,
                         double* scratch) {
  const auto is_flat = [](const ConstMatrixView& part) {
    return part.dtype == DType::F32 && part.is_contiguous() && fits_packs(part);
  };
  if (!std::all_of(parts.begin(), parts.end(), is_flat)) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      squared_norm(stream, parts[i], i == 0 ? 0 : 1, out, scratch);
    }
    return;
  }
  double beta = 0;
  for_tables<FloatStretch>(
      parts,
      [](const ConstMatrixView& part) {
        return FloatStretch{part.as<float>(), part.element_count()};
      },
      [](const ConstMatrixView& part) { return part.element_count(); },
      [&](const Stretches<FloatStretch>& table) {
        const std::int64_t blocks = std::clamp<std::int64_t>(table.chunks(), 1, squared_norm_parts);
        launch(stream, blocks, 1, norm_threads, 0, squares_of_all_kernel, table, scratch);
        launch(stream, 1, 1, norm_threads, 0, sum_squares_kernel, scratch, blocks, beta,
               out.as<double>());
        beta = 1;
      });
}

void update_clip(Stream stream, ConstMatrixView squared_sum, double clip_norm, StepState* state) {
  launch(stream, 1, 1, warp_size, 0, update_clip_kernel, squared_sum.as<double>(), clip_norm,
         state);
}

void mean_pool(Stream stream, ConstMatrixView x, const SequenceView& sequences, MatrixView out) {
  with_type(x.dtype, "mean_pool", [&](auto type) {
    using T = typename decltype(type)::type;
    over_packs(stream, sequences.sequences, x.columns, all_fit_packs(x, out),
               MeanPool<T>{rows_of<T>(x), rows_of<T>(out), sequences.offsets});
  });
}

void mean_pool_gradient(Stream stream, ConstMatrixView dout, const SequenceView& sequences,
                        MatrixView dx) {
  with_type(dx.dtype, "mean_pool_gradient", [&](auto type) {
    using T = typename decltype(type)::type;
    over_packs(stream, dx.rows, dx.columns, all_fit_packs(dout, dx),
               MeanPoolGradient<T>{rows_of<T>(dout), rows_of<T>(dx), sequences});
  });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
