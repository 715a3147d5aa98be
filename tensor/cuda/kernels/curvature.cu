#include "tensor/cpu/curvature.h"
#include "tensor/cuda/kernels/column_sums.h"
#include "tensor/cuda/kernels/curvature.h"
#include "tensor/cuda/kernels/over_packs.h"
#include "tensor/cuda/kernels/with_type.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

/// The functions of N channels.
template <int N>
struct Curves {
  CurvatureChannel<float> at[N];
};

/// What is shared by value and gradient. `bias` may be null.
template <class T>
struct Operands {
  Rows<const T> x;
  const float *bias, *beta, *c;

  Operands(ConstMatrixView x_, ConstMatrixView bias_, ConstMatrixView beta_, ConstMatrixView c_)
      : x(rows_of<T>(x_)), bias(bias_.as<float>()), beta(beta_.as<float>()), c(c_.as<float>()) {}

  template <int N>
  __device__ Curves<N> curves(std::int64_t column) const {
    const Values<N> betas = load<N>(beta + column), cs = load<N>(c + column);
    Curves<N> curves;
    for (int i = 0; i < N; ++i) {
      const float width = Curvature<float>::width_of(betas.at[i]);
      curves.at[i] = {betas.at[i], cs.at[i], width, 1.0f / width};
    }
    return curves;
  }
  template <int N>
  __device__ Values<N> biased(Place<N> place) const {
    Values<N> values = load(x, place);
    add_to<N>(values, bias, place.column);
    return values;
  }
};

template <class T>
struct Forward {
  Operands<T> operands;
  Rows<T> out;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    const Curves<N> curves = operands.template curves<N>(place.column);
    Values<N> values = operands.biased(place);
    for (int i = 0; i < N; ++i) {
      values.at[i] = Curvature<float>::at(values.at[i], curves.at[i]).value;
    }
    store(out, place, values);
  }
};

/// Terms of the three sums over rows: of bias, beta, c.
constexpr int sum_count = 3;
template <int N>
struct Terms {
  Values<N> of[sum_count];
};

template <class T>
struct Backward {
  Operands<T> operands;
  Rows<const T> dout;
  Rows<T> dx, out;  // may be null

  /// Writes dx and out and returns what the sums take, before it is rounded.
  template <int N>
  __device__ Terms<N> terms(Place<N> place, const Curves<N>& curves) const {
    Values<N> values = operands.biased(place);
    const Values<N> gradients = load(dout, place);
    Terms<N> terms;
    for (int i = 0; i < N; ++i) {
      const CurvatureGradients<float> f = Curvature<float>::at(values.at[i], curves.at[i]);
      values.at[i] = f.value;
      terms.of[0].at[i] = gradients.at[i] * f.by_x;
      terms.of[1].at[i] = gradients.at[i] * f.by_beta;
      terms.of[2].at[i] = gradients.at[i] * f.by_c;
    }
    if (dx.data != nullptr) store(dx, place, terms.of[0]);
    if (out.data != nullptr) store(out, place, values);
    return terms;
  }
  template <int N>
  __device__ void operator()(Place<N> place) const {
    terms(place, operands.template curves<N>(place.column));
  }
};

/// As column_parts_kernel (column_sums.h), for three sums; the parts of one follow those of
/// another. A thread's channels stay the same, and so do their functions.
template <int N, class T>
__global__ void __launch_bounds__(column_sums_threads)
    curvature_parts_kernel(std::int64_t rows, std::int64_t columns, Backward<T> backward,
                           float* parts) {
  constexpr int warps = column_sums_threads / warp_size;
  __shared__ float shared[warps][warp_size * N];
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const std::int64_t column = (std::int64_t{blockIdx.x} * warp_size + lane) * N;
  const std::int64_t first = rows * blockIdx.y / gridDim.y;
  const std::int64_t last = rows * (blockIdx.y + 1) / gridDim.y;
  Terms<N> sums = {};
  if (column < columns) {
    const Curves<N> curves = backward.operands.template curves<N>(column);
    for (std::int64_t row = first + warp; row < last; row += warps) {
      const Terms<N> terms = backward.terms(Place<N>{row, column}, curves);
      for (int which = 0; which < sum_count; ++which) {
        for (int i = 0; i < N; ++i) sums.of[which].at[i] += terms.of[which].at[i];
      }
    }
  }
  for (int which = 0; which < sum_count; ++which) {
    Values<N>& sum = sums.of[which];
    __syncthreads();  // the sum before has been read
    for (int i = 0; i < N; ++i) shared[warp][lane * N + i] = sum.at[i];
    __syncthreads();
    if (warp > 0 || column >= columns) continue;
    for (int w = 1; w < warps; ++w) {
      for (int i = 0; i < N; ++i) sum.at[i] += shared[w][lane * N + i];
    }
    store<N>(parts + (std::int64_t{which} * gridDim.y + blockIdx.y) * columns + column, sum);
  }
}

}  // namespace

void curvature(Stream stream, ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
               ConstMatrixView c, MatrixView out) {
  with_type(x.dtype, "curvature", [&](auto type) {
    using T = typename decltype(type)::type;
    over_packs(stream, x.rows, x.columns, all_fit_packs(x, bias, beta, c, out),
               Forward<T>{{x, bias, beta, c}, rows_of<T>(out)});
  });
}

std::size_t curvature_gradient_workspace(std::int64_t rows, std::int64_t columns) {
  return sum_count * column_sums_bytes(rows, columns);
}

void curvature_gradient(Stream stream, ConstMatrixView x, ConstMatrixView bias,
                        ConstMatrixView beta, ConstMatrixView c, ConstMatrixView dout,
                        MatrixView dx, MatrixView out, double beta_bias, MatrixView dbias,
                        double beta_beta, MatrixView dbeta, double beta_c, MatrixView dc,
                        Workspace workspace) {
  const bool in_packs = all_fit_packs(x, bias, beta, c, dout, dx, out);
  with_type(x.dtype, "curvature_gradient", [&](auto type) {
    using T = typename decltype(type)::type;
    const Backward<T> backward{
        {x, bias, beta, c}, rows_of<T>(dout), rows_of<T>(dx), rows_of<T>(out)};
    if (dbias.is_absent() && dbeta.is_absent() && dc.is_absent()) {
      return over_packs(stream, x.rows, x.columns, in_packs, backward);
    }
    auto* parts = static_cast<float*>(workspace.data);
    const std::int64_t count = column_sum_parts(x.rows);
    const std::int64_t width = warp_size * (in_packs ? pack_size : 1);
    launch(stream, (x.columns + width - 1) / width, count, column_sums_threads, 0,
           in_packs ? curvature_parts_kernel<pack_size, T> : curvature_parts_kernel<1, T>, x.rows,
           x.columns, backward, parts);
    const auto finish = [&](std::int64_t which, double factor, MatrixView to) {
      if (to.is_absent()) return;
      sum_parts(stream, parts + which * count * x.columns, count, 1, factor, to);
    };
    finish(0, beta_bias, dbias);
    finish(1, beta_beta, dbeta);
    finish(2, beta_c, dc);
  });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
