#include "tensor/cuda/kernels/activation.h"
#include "tensor/cuda/kernels/column_sums.h"
#include "tensor/cuda/kernels/over_packs.h"
#include "tensor/cuda/kernels/with_type.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

template <class Use>
void with_functor(Activation kind, const Use& use) {
  switch (kind) {
    case Activation::GeluErf:
      return use(GeluErf<float>{});
    case Activation::GeluTanh:
      return use(GeluTanh<float>{});
    case Activation::Relu:
      return use(Relu<float>{});
    case Activation::Tanh:
      return use(Tanh<float>{});
    case Activation::Sigmoid:
      return use(Sigmoid<float>{});
  }
}

/// out = f(x + bias); bias may be null.
template <class T, class F>
struct Activate {
  Rows<const T> x;
  const float* bias;
  Rows<T> out;

  template <int N>
  __device__ void operator()(Place<N> place) const {
    Values<N> values = load(x, place);
    add_to<N>(values, bias, place.column);
    for (int i = 0; i < N; ++i) values.at[i] = F::both(values.at[i]).value;
    store(out, place, values);
  }
};

/// dx = dout f'(x + bias), which it returns before it is rounded, and out = f(x + bias) where it is
/// wanted: both share one exponential.
template <class T, class F>
struct ActivateBackward {
  Rows<const T> x;
  const float* bias;
  Rows<const T> dout;
  Rows<T> dx, out;  // out may be null

  template <int N>
  __device__ Values<N> operator()(Place<N> place) const {
    Values<N> values = load(x, place);
    add_to<N>(values, bias, place.column);
    Values<N> gradients = load(dout, place);
    for (int i = 0; i < N; ++i) {
      const ValueAndDerivative<float> f = F::both(values.at[i]);
      values.at[i] = f.value;
      gradients.at[i] *= f.derivative;
    }
    store(dx, place, gradients);
    if (out.data != nullptr) store(out, place, values);
    return gradients;
  }
};

}  // namespace

void activation(Stream stream, Activation kind, ConstMatrixView x, ConstMatrixView bias,
                MatrixView out) {
  with_type(x.dtype, "activation", [&](auto type) {
    using T = typename decltype(type)::type;
    with_functor(kind, [&](auto functor) {
      over_packs(stream, x.rows, x.columns, all_fit_packs(x, bias, out),
                 Activate<T, decltype(functor)>{rows_of<T>(x), bias.as<float>(), rows_of<T>(out)});
    });
  });
}

void activation_gradient(Stream stream, Activation kind, ConstMatrixView x, ConstMatrixView bias,
                         ConstMatrixView dout, MatrixView dx) {
  activation_backward(stream, kind, x, bias, dout, dx, {}, 0, {}, {});
}

void activation_backward(Stream stream, Activation kind, ConstMatrixView x, ConstMatrixView bias,
                         ConstMatrixView dout, MatrixView dx, MatrixView out, double beta_bias,
                         MatrixView dbias, Workspace workspace) {
  const bool in_packs = all_fit_packs(x, bias, dout, dx, out);
  with_type(x.dtype, "activation_backward", [&](auto type) {
    using T = typename decltype(type)::type;
    with_functor(kind, [&](auto functor) {
      const ActivateBackward<T, decltype(functor)> backward{
          rows_of<T>(x), bias.as<float>(), rows_of<T>(dout), rows_of<T>(dx), rows_of<T>(out)};
      if (dbias.is_absent()) return over_packs(stream, x.rows, x.columns, in_packs, backward);
      column_sums(stream, x.rows, x.columns, in_packs, backward, 1, beta_bias, dbias,
                  static_cast<float*>(workspace.data));
    });
  });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
