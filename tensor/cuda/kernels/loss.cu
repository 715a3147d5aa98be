#include "tensor/cuda/kernels/loss.h"
#include "tensor/cuda/kernels/with_type.h"
#include "tensor/cuda/storage.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

constexpr int loss_threads = 256;

/// body(Place<N>) for every stretch of N elements of a row that is this thread's.
template <int N, class Body>
__device__ void over_row(std::int64_t row, std::int64_t columns, const Body& body) {
  for (std::int64_t j = std::int64_t{threadIdx.x} * N; j < columns;
       j += std::int64_t{loss_threads} * N) {
    body(Place<N>{row, j});
  }
}

/// Softmax cross-entropy of one row a block, as the CPU's: the exponentials are summed in f64.
template <int N, class T>
__global__ void __launch_bounds__(loss_threads)
    cross_entropy_kernel(Rows<const T> logits, std::int64_t classes, const std::int32_t* labels,
                         Rows<T> dlogits, double* losses) {
  __shared__ double sums[warp_size];
  __shared__ float maxima[warp_size];
  const std::int64_t row = blockIdx.x;
  const std::int32_t label = labels[row];
  const bool wants_gradient = dlogits.data != nullptr;
  if (label < 0) {
    if (threadIdx.x == 0) losses[row] = 0;
    if (wants_gradient) {
      over_row<N>(row, classes, [&](Place<N> place) { store(dlogits, place, Values<N>{}); });
    }
    return;
  }
  float largest = -__builtin_huge_valf();
  over_row<N>(row, classes, [&](Place<N> place) {
    const Values<N> x = load(logits, place);
    for (int i = 0; i < N; ++i) largest = x.at[i] > largest ? x.at[i] : largest;
  });
  largest = block_maximum(largest, maxima);
  double sum = 0;
  over_row<N>(row, classes, [&](Place<N> place) {
    const Values<N> x = load(logits, place);
    for (int i = 0; i < N; ++i) sum += static_cast<double>(exponential(x.at[i] - largest));
  });
  sum = block_sum(sum, sums);
  const float own = load<1>(logits.row(row) + label).at[0];
  if (threadIdx.x == 0) {
    losses[row] = logarithm(sum) + static_cast<double>(largest) - static_cast<double>(own);
  }
  if (!wants_gradient) return;
  __syncthreads();  // dlogits may be logits, whose own element has been read by all before
  const auto inverse = static_cast<float>(1 / sum);
  over_row<N>(row, classes, [&](Place<N> place) {
    Values<N> x = load(logits, place);
    for (int i = 0; i < N; ++i) {
      const float p = exponential(x.at[i] - largest) * inverse;
      x.at[i] = place.column + i == label ? p - 1.0f : p;
    }
    store(dlogits, place, x);
  });
}

__global__ void __launch_bounds__(loss_threads)
    sum_losses_kernel(const double* losses, std::int64_t count, double* out) {
  __shared__ double scratch[warp_size];
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += loss_threads) sum += losses[i];
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) *out = sum;
}

/// By one block: a head's outputs are few.
template <class T>
__global__ void __launch_bounds__(loss_threads)
    squared_error_kernel(Rows<const T> x, Rows<const float> y, std::int64_t count,
                         std::int64_t columns, Rows<T> dx, double* out) {
  __shared__ double scratch[warp_size];
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += loss_threads) {
    const Place<1> place{i / columns, i % columns};
    const float difference = load(x, place).at[0] - load(y, place).at[0];
    sum += static_cast<double>(difference) * static_cast<double>(difference);
    if (dx.data != nullptr) store(dx, place, Values<1>{{2 * difference}});
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) *out = sum;
}

}  // namespace

void cross_entropy(Stream stream, ConstMatrixView logits, ConstMatrixView labels, MatrixView loss,
                   MatrixView dlogits, Workspace workspace) {
  auto* losses = static_cast<double*>(workspace.data);
  with_type(logits.dtype, "cross_entropy", [&](auto type) {
    using T = typename decltype(type)::type;
    launch(stream, logits.rows, 1, loss_threads, 0,
           all_fit_packs(logits, dlogits) ? cross_entropy_kernel<pack_size, T>
                                          : cross_entropy_kernel<1, T>,
           rows_of<T>(logits), logits.columns, labels.as<std::int32_t>(), rows_of<T>(dlogits),
           losses);
  });
  launch(stream, 1, 1, loss_threads, 0, sum_losses_kernel, losses, logits.rows, loss.as<double>());
}

void squared_error(Stream stream, ConstMatrixView x, ConstMatrixView y, MatrixView loss,
                   MatrixView dx) {
  with_type(x.dtype, "squared_error", [&](auto type) {
    using T = typename decltype(type)::type;
    launch(stream, 1, 1, loss_threads, 0, squared_error_kernel<T>, rows_of<T>(x), rows_of<float>(y),
           x.element_count(), x.columns, rows_of<T>(dx), loss.as<double>());
  });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
