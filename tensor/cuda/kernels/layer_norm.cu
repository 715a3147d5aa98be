#include "tensor/cuda/kernels/layer_norm.h"
#include "tensor/cuda/kernels/mask.h"
#include "tensor/cuda/kernels/row_debt.h"
#include "tensor/cuda/kernels/row_packs.h"
#include "tensor/cuda/kernels/with_type.h"
#include "tensor/cuda/plain.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

// ---- What is normalised -------------------------------------------------------------------------

/// dropout(x) + residual; no residual where it is null.
template <class T>
struct ResidualSum {
  Rows<const T> x, residual;
  std::int64_t columns;
  Dropout dropout;
  SequenceView sequences;
  const StepState* state;

  template <int N>
  __device__ Values<N> operator()(Place<N> place) const {
    Values<N> values = load(x, place);
    if (dropout.is_active()) {
      values = dropped_out(values, place, columns, dropout, sequences, state);
    }
    if (residual.data != nullptr) add_to(values, residual, place);
    return values;
  }
};

struct EmbeddingSum {
  Rows<const float> word, position, type;
  RowDebt debt;
  const std::int32_t *ids, *positions, *types;

  template <int N>
  __device__ Values<N> operator()(Place<N> place) const {
    Values<N> values = load_worth<N>(word, debt, ids[place.row], place.column);
    add_to(values, position, Place<N>{positions[place.row], place.column});
    add_to(values, type, Place<N>{types[place.row], place.column});
    return values;
  }
};

/// What every row that is normalised shares. `normalised` and `rstd` may be null.
template <class T>
struct Norm {
  const float *gamma, *beta;
  float epsilon;
  std::int64_t rows, columns;
  Rows<T> out, normalised;
  float* rstd;

  /// 1 / standard deviation from sums over the row of differences from a rounded mean and of their
  /// squares; `correction` is what the mean's rounding left over.
  __device__ float rstd_of(float rest, float squares, float* correction) const {
    const float inverse = 1.0f / static_cast<float>(columns);
    *correction = rest * inverse;
    return 1.0f / square_root(squares * inverse - *correction * *correction + epsilon);
  }
  template <int N>
  __device__ void write(Place<N> place, Values<N> values, float mean, float correction,
                        float r) const {
    for (int i = 0; i < N; ++i) values.at[i] = (values.at[i] - mean - correction) * r;
    if (normalised.data != nullptr) store(normalised, place, values);
    const Values<N> scale = load<N>(gamma + place.column), shift = load<N>(beta + place.column);
    for (int i = 0; i < N; ++i) values.at[i] = values.at[i] * scale.at[i] + shift.at[i];
    store(out, place, values);
  }
};

constexpr int norm_threads = 128;

/// A row a warp, in registers from its loading to its end.
template <int P, class T, class Source>
__global__ void __launch_bounds__(norm_threads, 4) layer_norm_kernel(Source source, Norm<T> norm) {
  const std::int64_t row = (std::int64_t{blockIdx.x} * norm_threads + threadIdx.x) / warp_size;
  if (row >= norm.rows) return;
  RowShare<P> x;
  float sum = 0;
  over_share<P>(row, norm.columns, [&](int p, Place<pack_size> place) {
    x.pack[p] = source(place);
    for (int i = 0; i < pack_size; ++i) sum += x.pack[p].at[i];
  });
  const float mean = warp_sum(sum) / static_cast<float>(norm.columns);
  float rest = 0, squares = 0;
  over_share<P>(row, norm.columns, [&](int p, Place<pack_size>) {
    for (int i = 0; i < pack_size; ++i) {
      const float difference = x.pack[p].at[i] - mean;
      rest += difference;
      squares += difference * difference;
    }
  });
  float correction = 0;
  const float r = norm.rstd_of(warp_sum(rest), warp_sum(squares), &correction);
  if (norm.rstd != nullptr && threadIdx.x % warp_size == 0) norm.rstd[row] = r;
  over_share<P>(row, norm.columns, [&](int p, Place<pack_size> place) {
    norm.write(place, x.pack[p], mean, correction, r);
  });
}

/// The twin: a row a block, an element at a time, in shared memory.
template <class T, class Source>
__global__ void __launch_bounds__(norm_threads)
    layer_norm_plain_kernel(Source source, Norm<T> norm) {
  __shared__ float scratch[warp_size];
  auto* x = shared_memory<float>();
  const std::int64_t row = blockIdx.x;
  float sum = 0;
  for (std::int64_t j = threadIdx.x; j < norm.columns; j += norm_threads) {
    x[j] = source(Place<1>{row, j}).at[0];
    sum += x[j];
  }
  const float mean = block_sum(sum, scratch) / static_cast<float>(norm.columns);
  float rest = 0, squares = 0;
  for (std::int64_t j = threadIdx.x; j < norm.columns; j += norm_threads) {
    const float difference = x[j] - mean;
    rest += difference;
    squares += difference * difference;
  }
  rest = block_sum(rest, scratch);
  squares = block_sum(squares, scratch);
  float correction = 0;
  const float r = norm.rstd_of(rest, squares, &correction);
  if (norm.rstd != nullptr && threadIdx.x == 0) norm.rstd[row] = r;
  for (std::int64_t j = threadIdx.x; j < norm.columns; j += norm_threads) {
    norm.write(Place<1>{row, j}, Values<1>{{x[j]}}, mean, correction, r);
  }
}

template <class T, class Source>
void layer_norm(Stream stream, bool in_packs, const Source& source, const Norm<T>& norm) {
  if (!in_packs || packs_a_lane(norm.columns) == 0 || is_plain("layer_norm")) {
    return launch(stream, norm.rows, 1, norm_threads,
                  static_cast<std::size_t>(norm.columns) * sizeof(float),
                  layer_norm_plain_kernel<T, Source>, source, norm);
  }
  constexpr int rows_a_block = norm_threads / warp_size;
  with_packs_a_lane(norm.columns, [&](auto packs) {
    launch(stream, (norm.rows + rows_a_block - 1) / rows_a_block, 1, norm_threads, 0,
           layer_norm_kernel<decltype(packs)::value, T, Source>, source, norm);
  });
}

template <class T>
Norm<T> norm_of(ConstMatrixView gamma, ConstMatrixView beta, double epsilon, MatrixView out,
                MatrixView normalised, MatrixView rstd) {
  return {gamma.as<float>(), beta.as<float>(), static_cast<float>(epsilon), out.rows,
          out.columns,       rows_of<T>(out),  rows_of<T>(normalised),      rstd.as<float>()};
}

}  // namespace

void residual_layer_norm(Stream stream, ConstMatrixView x, Dropout dropout,
                         ConstMatrixView residual, const SequenceView& sequences,
                         const StepState* state, ConstMatrixView gamma, ConstMatrixView beta,
                         double epsilon, MatrixView out, MatrixView normalised, MatrixView rstd) {
  with_type(x.dtype, "layer_norm", [&](auto type) {
    using T = typename decltype(type)::type;
    layer_norm(
        stream, all_fit_packs(x, residual, gamma, beta, out, normalised),
        ResidualSum<T>{rows_of<T>(x), rows_of<T>(residual), x.columns, dropout, sequences, state},
        norm_of<T>(gamma, beta, epsilon, out, normalised, rstd));
  });
}

void embedding_layer_norm(Stream stream, const EmbeddingRows& rows, ConstMatrixView gamma,
                          ConstMatrixView beta, double epsilon, MatrixView out,
                          MatrixView normalised, MatrixView rstd) {
  const EmbeddingSum sum{rows_of<float>(rows.word),    rows_of<float>(rows.position),
                         rows_of<float>(rows.type),    rows.debt,
                         rows.ids.as<std::int32_t>(),  rows.positions.as<std::int32_t>(),
                         rows.types.as<std::int32_t>()};
  with_type(out.dtype, "embedding_layer_norm", [&](auto type) {
    using T = typename decltype(type)::type;
    layer_norm(stream,
               all_fit_packs(rows.word, rows.position, rows.type, gamma, beta, out, normalised),
               sum, norm_of<T>(gamma, beta, epsilon, out, normalised, rstd));
  });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
