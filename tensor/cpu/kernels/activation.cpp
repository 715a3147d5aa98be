#include "tensor/cpu/kernels/blocks.h"
#include "tensor/cpu/kernels/column_partials.h"

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
    case Activation::Sigmoid:
      return call(Sigmoid<A>{});
  }
}

/// F at a register's numbers. f64, for checks, has functions of one number alone.
template <class A, class F, class V>
__attribute__((always_inline)) inline ValueAndDerivative<V> evaluate(V x) {
  if constexpr (sizeof(A) == sizeof(double) && sizeof(V) > sizeof(A)) {
    A value[lanes_of<A>], derivative[lanes_of<A>];
    for (Index i = 0; i < lanes_of<A>; ++i) {
      const ValueAndDerivative<A> one = F::both(x[i]);
      value[i] = one.value;
      derivative[i] = one.derivative;
    }
    return {load(value, Lanes<A>{0, 0}), load(derivative, Lanes<A>{0, 0})};
  } else {
    return F::both(x);
  }
}

/// body(row, begin, count, b) over blocks: bias + begin at b, null without a bias; a matrix that is
/// contiguous and has none is one long row.
template <class T, class Body>
void for_biased_blocks(int threads, Index rows, Index columns, bool is_contiguous,
                       ConstMatrixView bias, Body body) {
  for_stretches(threads, rows, columns, is_contiguous && bias.is_absent(),
                [&](Index row, Index begin, Index end) {
                  for_blocks(end - begin, [&](Index first, Index count) {
                    const auto* b = bias.as<accumulate_t<T>>();
                    body(row, begin + first, count, b == nullptr ? b : b + begin + first);
                  });
                });
}

template <class T>
void activation(int threads, Activation kind, ConstMatrixView x, ConstMatrixView bias,
                MatrixView out) {
  using A = accumulate_t<T>;
  const bool is_contiguous = x.is_contiguous() && out.is_contiguous();
  with_functor<T>(kind, [&]<class F>(F) {
    for_biased_blocks<T>(threads, x.rows, x.columns, is_contiguous, bias,
                         [&](Index row, Index begin, Index count, const A* b) {
                           const InputRow<T> from = input_row<T>(x, row) + begin;
                           Block<T> block(output_row<T>(out, row) + begin);
                           A* value = block.numbers();
                           for_lanes<A, 1>(count, [&](auto at) {
                             store(value, at, evaluate<A, F>(biased<T>(from, b, at)).value);
                           });
                           block.finish(count);
                         });
  });
}

/// The operands of an activation's gradient at some row and column. `bias`, `out` and `sum` may be
/// null; the sums take gradients before they are rounded.
template <class T>
struct BackwardPlace {
  InputRow<T> x, dout;
  const accumulate_t<T>* bias;
  OutputRow<T> dx, out;
  accumulate_t<T>* sum;

  BackwardPlace operator+(Index columns) const {
    return {x + columns,
            dout + columns,
            bias == nullptr ? bias : bias + columns,
            dx + columns,
            out ? out + columns : out,
            sum == nullptr ? sum : sum + columns};
  }
};

// Three passes in one: derivative and output share the exponential.
template <class T, class F>
inline void backward_block(BackwardPlace<T> place, Index count) {
  using A = accumulate_t<T>;
  Block<T> gradient_block(place.dx), value_block(place.out);
  A* gradient = gradient_block.numbers();
  A* value = value_block.numbers();
  // By value: a register's store may change anything that has an address, `place` as well.
  for_lanes<A, 1>(count, [=](auto at) {
    const auto f = evaluate<A, F>(biased<T>(place.x, place.bias, at));
    const auto product = load(place.dout, at) * f.derivative;
    store(gradient, at, product);
    if (place.out) store(value, at, f.value);
    if (place.sum != nullptr) store(place.sum, at, load(place.sum, at) + product);
  });
  gradient_block.finish(count);
  if (place.out) value_block.finish(count);
}

template <class T>
void activation_gradient(int threads, Activation kind, ConstMatrixView x, ConstMatrixView bias,
                         ConstMatrixView dout, MatrixView dx) {
  using A = accumulate_t<T>;
  const bool is_contiguous = x.is_contiguous() && dout.is_contiguous() && dx.is_contiguous();
  with_functor<T>(kind, [&]<class F>(F) {
    for_biased_blocks<T>(threads, x.rows, x.columns, is_contiguous, bias,
                         [&](Index row, Index begin, Index count, const A* b) {
                           const BackwardPlace<T> place{input_row<T>(x, row) + begin,
                                                        input_row<T>(dout, row) + begin,
                                                        b,
                                                        output_row<T>(dx, row) + begin,
                                                        {},
                                                        nullptr};
                           backward_block<T, F>(place, count);
                         });
  });
}

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
    for_parts(threads, x.rows, columns, [&](Index part, Index first, Index last) {
      A* sum = wants_sums ? sums + part * stride : nullptr;
      if (wants_sums) {
        for (Index j = 0; j < columns; ++j) sum[j] = A(0);
      }
      for (Index row = first; row < last; ++row) {
        const BackwardPlace<T> place{input_row<T>(x, row),   input_row<T>(dout, row), bias.as<A>(),
                                     output_row<T>(dx, row), output_row<T>(out, row), sum};
        for_blocks(columns,
                   [&](Index begin, Index count) { backward_block<T, F>(place + begin, count); });
      }
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
