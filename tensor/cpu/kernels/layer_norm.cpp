#include "tensor/cpu/kernels/column_partials.h"
#include "tensor/cpu/kernels/mask.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

/// Mean and 1 / standard deviation of a row, in two passes. The second also sums the differences
/// from the first's mean: what that rounded away, which matters where the mean is far from 0.
template <class T>
struct Moments {
  T mean;        // rounded
  T correction;  // to be subtracted too
  T rstd;
};
template <class T>
inline Moments<T> moments_of(const T* x, Index columns, T sum, T epsilon) {
  const T inverse_columns = T(1) / static_cast<T>(columns);
  const T mean = sum * inverse_columns;
  RowSum<T> rest, squares;
  for_lanes<T>(columns, [&](auto at) {
    const auto difference = load(x, at) - mean;
    rest.add(at, difference);
    squares.add(at, difference * difference);
  });
  const T correction = rest.total() * inverse_columns;
  const T variance = squares.total() * inverse_columns - correction * correction;
  return {mean, correction, T(1) / square_root(variance + epsilon)};
}

/// What every row that is normalised shares.
template <class T>
struct Normaliser {
  using A = accumulate_t<T>;
  ConstMatrixView gamma, beta;
  double epsilon;
  MatrixView out, normalised, rstd;
  bool is_past_cache;

  // Of `work`, which may be the row of `out`, and its sum.
  void finish(Index row, const A* work, A sum) const {
    const A* scale = gamma.as<A>();
    const A* shift = beta.as<A>();
    const Moments<A> moments = moments_of(work, out.columns, sum, static_cast<A>(epsilon));
    if (!rstd.is_absent()) rstd.as<A>()[row] = moments.rstd;
    const Destination<T> o{output_row<T>(out, row), is_past_cache};
    const Destination<T> n{output_row<T>(normalised, row), is_past_cache};
    for_lanes<A>(out.columns, [&](auto at) {
      const auto value = (load(work, at) - moments.mean - moments.correction) * moments.rstd;
      if (n) store(n, at, value);
      store(o, at, value * load(scale, at) + load(shift, at));
    });
  }

  // prepare(row, A* work) fills a row to be normalised and returns its sum. A row stays in the
  // first-level cache until it is done.
  template <class Prepare>
  void run(int threads, Prepare prepare) const {
    for_parts(threads, out.rows, 4 * out.columns, [&](Index, Index first, Index last) {
      auto rows = [&](A* scratch) {
        for (Index row = first; row < last; ++row) {
          A* work = scratch;
          if constexpr (!is_narrow<T>) work = is_past_cache ? scratch : output_row<T>(out, row);
          finish(row, work, prepare(row, work));
        }
      };
      with_stack_row<T>(out.columns, rows);
      if (is_past_cache) end_past_cache();
    });
  }
};

template <class T>
inline bool rows_go_past_cache(MatrixView out, MatrixView second) {
  return goes_past_cache<T>(out) && (second.is_absent() || goes_past_cache<T>(second));
}

template <class T>
void residual_layer_norm(int threads, ConstMatrixView x, Dropout dropout, ConstMatrixView residual,
                         const SequenceView& sequences, const StepState* state,
                         ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                         MatrixView out, MatrixView normalised, MatrixView rstd) {
  using A = accumulate_t<T>;
  const bool is_past_cache = out.data != x.data && rows_go_past_cache<T>(out, normalised);
  const Normaliser<T> normaliser{gamma, beta, epsilon, out, normalised, rstd, is_past_cache};
  normaliser.run(threads, [&](Index row, A* work) {
    const InputRow<T> s = input_row<T>(x, row), r = input_row<T>(residual, row);
    // Nothing else would be read from memory while the row is normalised and masks are drawn.
    const T* next_x = x.as<T>() + (row + 1) * x.row_stride;
    const T* next_r = r ? residual.as<T>() + (row + 1) * residual.row_stride : next_x;
    RowSum<A> sum;
    auto add_chunk = [&](Index begin, Index count, auto mask) {
      for_lanes<A>(count, [&](auto at) {
        __builtin_prefetch(next_x + begin + at.begin);
        __builtin_prefetch(next_r + begin + at.begin);
        auto value = mask(at, load(s + begin, at));
        if (r) value += load(r + begin, at);
        store(work + begin, at, value);
        sum.add(at, value);
      });
    };
    for_masks<A>(dropout, state, mask_place(sequences, row), x.columns, add_chunk);
    return sum.total();
  });
}

// to = word + position + type; returns the sum over the row.
template <class A>
inline A add_embeddings(const A* word, const A* position, const A* type, Index columns, A* to) {
  RowSum<A> sum;
  for_lanes<A>(columns, [&](auto at) {
    const auto value = load(word, at) + load(position, at) + load(type, at);
    store(to, at, value);
    sum.add(at, value);
  });
  return sum.total();
}

template <class T>
void embedding_layer_norm(int threads, const EmbeddingRows& rows, ConstMatrixView gamma,
                          ConstMatrixView beta, double epsilon, MatrixView out,
                          MatrixView normalised, MatrixView rstd) {
  using A = accumulate_t<T>;
  const Index columns = out.columns;
  const Normaliser<T> normaliser{
      gamma, beta, epsilon, out, normalised, rstd, rows_go_past_cache<T>(out, normalised)};
  normaliser.run(threads, [&](Index row, A* work) {
    const std::int32_t id = rows.ids.as<std::int32_t>()[row];
    const A* word = input_row<A>(rows.word, id);
    const A* position = input_row<A>(rows.position, rows.positions.as<std::int32_t>()[row]);
    const A* type = input_row<A>(rows.type, rows.types.as<std::int32_t>()[row]);
    if (rows.debt.owes(id)) {
      const OwingRow<A, const A*> owing{word, *rows.debt.owed};
#pragma omp simd
      for (Index j = 0; j < columns; ++j) work[j] = owing[j];
      word = work;
    }
    return add_embeddings(word, position, type, columns, work);
  });
}

// ---- Backward -----------------------------------------------------------------------------------

/// What the rows of one thread share.
template <class T>
struct NormGradient {
  using A = accumulate_t<T>;
  ConstMatrixView dout, normalised, rstd, gamma;
  Dropout dropout;
  const SequenceView& sequences;
  const StepState* state;
  MatrixView dsum, dx;  // dx absent where it is dsum
  bool is_past_cache;
  A *scale_sum, *shift_sum;  // over rows; null where unwanted

  void run_row(Index row) const {
    const A* scale = gamma.as<A>();
    const InputRow<T> g = input_row<T>(dout, row), n = input_row<T>(normalised, row);
    RowSum<A, 1> sum_g, sum_gn;  // the sums over rows take longer than additions wait
    for_lanes<A, 1>(dout.columns, [&](auto at) {
      const auto gradient = load(g, at), value = load(n, at);
      const auto scaled = gradient * load(scale, at);
      sum_g.add(at, scaled);
      sum_gn.add(at, scaled * value);
      if (scale_sum == nullptr) return;
      store(scale_sum, at, load(scale_sum, at) + gradient * value);
      store(shift_sum, at, load(shift_sum, at) + gradient);
    });
    if (dsum.is_absent()) return;
    const A inverse_columns = A(1) / static_cast<A>(dout.columns);
    write_row(row, sum_g.total() * inverse_columns, sum_gn.total() * inverse_columns);
  }

  void write_row(Index row, A mean_g, A mean_gn) const {
    const A* scale = gamma.as<A>();
    const InputRow<T> g = input_row<T>(dout, row), n = input_row<T>(normalised, row);
    const Destination<T> sum{output_row<T>(dsum, row), is_past_cache};
    const Destination<T> dropped{output_row<T>(dx, row), is_past_cache};
    const A r = rstd.as<A>()[row];
    // As in the other direction.
    const T* next_g = dout.as<T>() + (row + 1) * dout.row_stride;
    const T* next_n = normalised.as<T>() + (row + 1) * normalised.row_stride;
    auto write_chunk = [&](Index begin, Index count, auto mask) {
      for_lanes<A>(count, [&](auto at) {
        __builtin_prefetch(next_g + begin + at.begin);
        __builtin_prefetch(next_n + begin + at.begin);
        const auto own = load(g + begin, at) * load(scale + begin, at);
        const auto value = r * (own - mean_g - load(n + begin, at) * mean_gn);
        store(sum + begin, at, value);
        if (dropped) store(dropped + begin, at, mask(at, value));
      });
    };
    const Dropout site = dropped ? dropout : Dropout{};
    for_masks<A>(site, state, mask_place(sequences, row), dout.columns, write_chunk);
  }
};

template <class T>
void residual_layer_norm_gradient(int threads, ConstMatrixView dout, ConstMatrixView normalised,
                                  ConstMatrixView rstd, ConstMatrixView gamma, Dropout dropout,
                                  const SequenceView& sequences, const StepState* state,
                                  MatrixView dsum, MatrixView dx, double beta_gamma,
                                  MatrixView dgamma, double beta_beta, MatrixView dbeta,
                                  void* partial) {
  using A = accumulate_t<T>;
  const Index columns = dout.columns;
  const Index stride = padded_columns(columns);
  const Index parts = parts_of(threads, dout.rows, 4 * columns);
  A* scale_sums = static_cast<A*>(partial);
  A* shift_sums = scale_sums + parts * stride;
  const bool wants_sums = !dgamma.is_absent() || !dbeta.is_absent();
  if (dx.data == dsum.data) dx = {};
  const bool is_past_cache =
      dsum.data != dout.data && dx.data != dout.data && rows_go_past_cache<T>(dsum, dx);
  for_parts(threads, dout.rows, 4 * columns, [&](Index part, Index first, Index last) {
    A* scale_sum = wants_sums ? scale_sums + part * stride : nullptr;
    A* shift_sum = wants_sums ? shift_sums + part * stride : nullptr;
    for (Index j = 0; wants_sums && j < columns; ++j) scale_sum[j] = shift_sum[j] = A(0);
    const NormGradient<T> rows{dout,  normalised, rstd, gamma,         dropout,   sequences,
                               state, dsum,       dx,   is_past_cache, scale_sum, shift_sum};
    for (Index row = first; row < last; ++row) rows.run_row(row);
    if (is_past_cache) end_past_cache();
  });
  if (!dgamma.is_absent()) {
    combine_partials(scale_sums, parts, columns, A(1), beta_gamma, dgamma.as<A>());
  }
  if (!dbeta.is_absent()) {
    combine_partials(shift_sums, parts, columns, A(1), beta_beta, dbeta.as<A>());
  }
}

template <class T>
constexpr LayerNormKernels make_table() {
  return {residual_layer_norm<T>, embedding_layer_norm<T>, residual_layer_norm_gradient<T>};
}

}  // namespace

const LayerNormKernels layer_norm_f32 = make_table<float>();
const LayerNormKernels layer_norm_bf16 = make_table<BFloat16>();
#if BASIS_KERNELS_F64
const LayerNormKernels layer_norm_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
