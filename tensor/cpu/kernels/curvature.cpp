#include "tensor/cpu/curvature.h"

#include "tensor/cpu/kernels/blocks.h"
#include "tensor/cpu/kernels/column_partials.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

/// What channels have, at some column. `bias` may be null.
template <class A>
struct Channels {
  const A *bias, *beta, *c, *per_width;

  Channels operator+(Index columns) const {
    return {bias == nullptr ? bias : bias + columns, beta + columns, c + columns,
            per_width + columns};
  }

  template <class At>
  __attribute__((always_inline)) auto curve(At at) const {
    return Curvature<A>::curve(load(beta, at), load(c, at), load(per_width, at));
  }
};

/// body(Lanes) or body(Single) over a block. f64, for checks, has functions of one number alone.
template <class A, class Body>
__attribute__((always_inline)) inline void for_numbers(Index count, Body body) {
  if constexpr (sizeof(A) == sizeof(double)) {
    for (Index j = 0; j < count; ++j) body(Single<A>{j});
  } else {
    for_lanes<A, 1>(count, body);
  }
}

/// body(part, first row, last row, channels) over a fixed cut of the rows. Each part divides once
/// for its channels.
template <class T, class Body>
void for_rows_of_channels(int threads, Index rows, Index columns, ConstMatrixView bias,
                          ConstMatrixView beta, ConstMatrixView c, Body body) {
  using A = accumulate_t<T>;
  for_parts(threads, rows, columns, [&](Index part, Index first, Index last) {
    with_stack_row<T>(columns, [&](A* per_width) {
      const A* betas = beta.as<A>();
#pragma omp simd
      for (Index j = 0; j < columns; ++j) {
        per_width[j] = A(1) / Curvature<A>::width_of(betas[j]);
      }
      body(part, first, last, Channels<A>{bias.as<A>(), betas, c.as<A>(), per_width});
    });
  });
}

template <class T>
void curvature(int threads, ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
               ConstMatrixView c, MatrixView out) {
  using A = accumulate_t<T>;
  for_rows_of_channels<T>(threads, x.rows, x.columns, bias, beta, c,
                          [&](Index, Index first, Index last, const Channels<A>& all) {
                            for (Index row = first; row < last; ++row) {
                              for_blocks(x.columns, [&](Index begin, Index count) {
                                const InputRow<T> from = input_row<T>(x, row) + begin;
                                const Channels<A> channels = all + begin;
                                Block<T> block(output_row<T>(out, row) + begin);
                                A* value = block.numbers();
                                for_numbers<A>(count, [=](auto at) {
                                  const auto number = biased<T>(from, channels.bias, at);
                                  store(value, at,
                                        Curvature<A>::at(number, channels.curve(at)).value);
                                });
                                block.finish(count);
                              });
                            }
                          });
}

/// Partial sums of a channel's three gradients.
template <class A>
struct ChannelSums {
  A *bias, *beta, *c;

  ChannelSums operator+(Index columns) const {
    return {bias + columns, beta + columns, c + columns};
  }

  template <class At, class V>
  __attribute__((always_inline)) void add(At at, V dout, const CurvatureGradients<V>& f) const {
    store(bias, at, load(bias, at) + dout * f.by_x);
    store(beta, at, load(beta, at) + dout * f.by_beta);
    store(c, at, load(c, at) + dout * f.by_c);
  }
};

/// The operands of a gradient at some row and column. `dx` and `out` may be null.
template <class T>
struct GradientPlace {
  InputRow<T> x, dout;
  OutputRow<T> dx, out;

  GradientPlace operator+(Index columns) const {
    return {x + columns, dout + columns, dx ? dx + columns : dx, out ? out + columns : out};
  }
};

template <bool has_sums, class T>
void gradient_block(const GradientPlace<T>& place, const Channels<accumulate_t<T>>& channels,
                    const ChannelSums<accumulate_t<T>>& sums, Index count) {
  using A = accumulate_t<T>;
  Block<T> dx_block(place.dx), out_block(place.out);
  A* gradient = place.dx ? dx_block.numbers() : nullptr;
  A* value = place.out ? out_block.numbers() : nullptr;
  // By value: a register's store may change anything that has an address.
  for_numbers<A>(count, [=](auto at) {
    const auto number = biased<T>(place.x, channels.bias, at);
    const auto f = Curvature<A>::at(number, channels.curve(at));
    const auto dout = load(place.dout, at);
    if (gradient != nullptr) store(gradient, at, dout * f.by_x);
    if (value != nullptr) store(value, at, f.value);
    if constexpr (has_sums) sums.add(at, dout, f);
  });
  if (gradient != nullptr) dx_block.finish(count);
  if (value != nullptr) out_block.finish(count);
}

template <class T>
void curvature_gradient(int threads, ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
                        ConstMatrixView c, ConstMatrixView dout, MatrixView dx, MatrixView out,
                        double beta_bias, MatrixView dbias, double beta_beta, MatrixView dbeta,
                        double beta_c, MatrixView dc, void* partial) {
  using A = accumulate_t<T>;
  const Index columns = x.columns, stride = padded_columns(columns);
  const Index parts = parts_of(threads, x.rows, columns), sums_of_one = parts * stride;
  const bool has_sums = !dbias.is_absent() || !dbeta.is_absent() || !dc.is_absent();
  A* const partials = static_cast<A*>(partial);
  for_rows_of_channels<T>(
      threads, x.rows, columns, bias, beta, c,
      [&](Index part, Index first, Index last, const Channels<A>& channels) {
        ChannelSums<A> sums{};
        if (has_sums) {
          A* const own = partials + part * stride;
          sums = {own, own + sums_of_one, own + 2 * sums_of_one};
          for (A* sum : {sums.bias, sums.beta, sums.c}) {
            for (Index j = 0; j < columns; ++j) sum[j] = A(0);
          }
        }
        for (Index row = first; row < last; ++row) {
          const GradientPlace<T> place{input_row<T>(x, row), input_row<T>(dout, row),
                                       output_row<T>(dx, row), output_row<T>(out, row)};
          for_blocks(columns, [&](Index begin, Index count) {
            if (has_sums) {
              gradient_block<true>(place + begin, channels + begin, sums + begin, count);
            } else {
              gradient_block<false>(place + begin, channels + begin, sums, count);
            }
          });
        }
      });
  const auto finish = [&](Index which, double factor, MatrixView to) {
    if (to.is_absent()) return;
    combine_partials(partials + which * sums_of_one, parts, columns, A(1), factor, to.as<A>());
  };
  finish(0, beta_bias, dbias);
  finish(1, beta_beta, dbeta);
  finish(2, beta_c, dc);
}

template <class T>
constexpr CurvatureKernels make_table() {
  return {curvature<T>, curvature_gradient<T>};
}

}  // namespace

const CurvatureKernels curvature_f32 = make_table<float>();
const CurvatureKernels curvature_bf16 = make_table<BFloat16>();
#if BASIS_KERNELS_F64
const CurvatureKernels curvature_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
