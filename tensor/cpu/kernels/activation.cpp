#include "tensor/cpu/kernels/column_partials.h"
#include "tensor/cpu/kernels/lanes.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

template <class T, class Call>
void with_functor(Activation kind, Call call) {
  using A = accumulate_t<T>;
  switch (kind) {
    case Activation::GeluErf:
      return call(GeluErf<A>{});
    case Activation::GeluTanh:
      return call(GeluTanh<A>{});
    case Activation::Relu:
      return call(Relu<A>{});
    case Activation::Tanh:
      return call(Tanh<A>{});
  }
}

/// body(row, begin, end, b): bias + begin at b, null without a bias; a matrix that is contiguous
/// and has none is one long row.
template <class T, class Body>
void for_biased_stretches(int threads, Index rows, Index columns, bool is_contiguous,
                          ConstMatrixView bias, Body body) {
  for_stretches(threads, rows, columns, is_contiguous && bias.is_absent(),
                [&](Index row, Index begin, Index end) {
                  body(row, begin, end, bias.as<accumulate_t<T>>());
                });
}

// `To`: a row of T, or of the type that T is computed in.
template <class T, class F, class To>
inline void apply(InputRow<T> x, const accumulate_t<T>* bias, Index begin, Index end, To out) {
  if (bias == nullptr) {
#pragma omp simd
    for (Index i = begin; i < end; ++i) out[i] = F::value(x[i]);
  } else {
#pragma omp simd
    for (Index i = begin; i < end; ++i) out[i] = F::value(x[i] + bias[i]);
  }
}

// The same computed beside the row and narrowed from there, which vectorises better.
template <class T, class F>
inline void apply_beside(InputRow<T> x, const accumulate_t<T>* bias, Index begin, Index end,
                         OutputRow<T> out) {
  using A = accumulate_t<T>;
  constexpr Index block = 512;
  alignas(64) A work[block];
  for (Index first = begin; first < end; first += block) {
    const Index count = end - first < block ? end - first : block;
    apply<T, F>(x + first, bias == nullptr ? nullptr : bias + first, 0, count, work);
    const Destination<T> to{out + first, false};
    for_lanes<A>(count, [&](auto at) { store(to, at, load(work, at)); });
  }
}

template <class T>
void activation(int threads, Activation kind, ConstMatrixView x, ConstMatrixView bias,
                MatrixView out) {
  with_functor<T>(kind, [&]<class F>(F) {
    for_biased_stretches<T>(threads, x.rows, x.columns, x.is_contiguous() && out.is_contiguous(),
                            bias, [&](Index row, Index begin, Index end, const accumulate_t<T>* b) {
                              const InputRow<T> from = input_row<T>(x, row);
                              const OutputRow<T> to = output_row<T>(out, row);
                              if constexpr (is_narrow<T>) {
                                apply_beside<T, F>(from, b, begin, end, to);
                              } else {
                                apply<T, F>(from, b, begin, end, to);
                              }
                            });
  });
}

template <class T, class F, class To>
inline void apply_gradient(InputRow<T> x, const accumulate_t<T>* bias, InputRow<T> dout,
                           Index begin, Index end, To dx) {
  if (bias == nullptr) {
#pragma omp simd
    for (Index i = begin; i < end; ++i) dx[i] = dout[i] * F::derivative(x[i]);
  } else {
#pragma omp simd
    for (Index i = begin; i < end; ++i) dx[i] = dout[i] * F::derivative(x[i] + bias[i]);
  }
}

template <class T>
void activation_gradient(int threads, Activation kind, ConstMatrixView x, ConstMatrixView bias,
                         ConstMatrixView dout, MatrixView dx) {
  const bool is_contiguous = x.is_contiguous() && dout.is_contiguous() && dx.is_contiguous();
  with_functor<T>(kind, [&]<class F>(F) {
    for_biased_stretches<T>(threads, x.rows, x.columns, is_contiguous, bias,
                            [&](Index row, Index begin, Index end, const accumulate_t<T>* b) {
                              apply_gradient<T, F>(input_row<T>(x, row), b, input_row<T>(dout, row),
                                                   begin, end, output_row<T>(dx, row));
                            });
  });
}

template <class T, class F, class To>
inline void apply_both(InputRow<T> x, const accumulate_t<T>* bias, InputRow<T> dout, Index columns,
                       To dx, OutputRow<T> out) {
  if (bias == nullptr) {
#pragma omp simd
    for (Index j = 0; j < columns; ++j) {
      const ValueAndDerivative<accumulate_t<T>> f = F::both(x[j]);
      dx[j] = dout[j] * f.derivative;
      out[j] = f.value;
    }
  } else {
#pragma omp simd
    for (Index j = 0; j < columns; ++j) {
      const ValueAndDerivative<accumulate_t<T>> f = F::both(x[j] + bias[j]);
      dx[j] = dout[j] * f.derivative;
      out[j] = f.value;
    }
  }
}

// Three passes in one: derivative and output share the exponential, and the sums read a row that
// is still in the cache, before it is rounded.
template <class T>
void activation_backward(int threads, Activation kind, ConstMatrixView x, ConstMatrixView bias,
                         ConstMatrixView dout, MatrixView dx, MatrixView out, double beta_bias,
                         MatrixView dbias, void* partial) {
  using A = accumulate_t<T>;
  const Index columns = x.columns;
  const Index stride = padded_columns(columns);
  A* sums = static_cast<A*>(partial);
  const bool wants_sums = !dbias.is_absent();
  const Index parts = parts_of(threads, x.rows, columns);
  with_functor<T>(kind, [&]<class F>(F) {
    auto one_row = [&](Index row, A* work, A* sum) {
      const InputRow<T> s = input_row<T>(x, row), g = input_row<T>(dout, row);
      if (out.is_absent()) {
        apply_gradient<T, F>(s, bias.as<A>(), g, 0, columns, work);
      } else {
        apply_both<T, F>(s, bias.as<A>(), g, columns, work, output_row<T>(out, row));
      }
      if (wants_sums) {
#pragma omp simd
        for (Index j = 0; j < columns; ++j) sum[j] += work[j];
      }
    };
    for_parts(threads, x.rows, columns, [&](Index part, Index first, Index last) {
      A* sum = wants_sums ? sums + part * stride : nullptr;
      if (wants_sums) {
        for (Index j = 0; j < columns; ++j) sum[j] = A(0);
      }
      with_work_rows<T>(first, last, dx, [&](Index row, A* work) { one_row(row, work, sum); });
    });
  });
  if (wants_sums) combine_partials(sums, parts, columns, A(1), beta_bias, dbias.as<A>());
}

template <class T>
constexpr ActivationKernels make_table() {
  return {activation<T>, activation_gradient<T>, activation_backward<T>};
}

}  // namespace

const ActivationKernels activation_f32 = make_table<float>();
const ActivationKernels activation_bf16 = make_table<BFloat16>();
#if BASIS_KERNELS_F64
const ActivationKernels activation_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
