#include "tensor/cpu/kernels/attention_tasks.h"
#include "tensor/cpu/kernels/small_gemm.h"

// A task is one head of one sequence. Its keys and values are packed once; then 48 query rows at a
// time go against all keys. Scores live in that tile only; the gradient makes them again.

namespace basis::cpu::BASIS_KERNELS {
namespace {

/// One thread's packed operands and tiles of the forward pass.
template <class T>
struct ForwardTiles {
  T* keys;         // (padded L, padded D), then the values
  T* keys_across;  // (padded D, padded L)
  T* query;        // (tile, padded D)
  T* score;        // (tile, padded L)
  T* mixed;        // (tile, padded D)
  TileMask mask;

  ForwardTiles(Carver& carver, Index longest, Index width)
      : keys(carver.take<T>(padded<T>(longest) * padded<T>(width))),
        keys_across(carver.take<T>(padded<T>(longest) * padded<T>(width))),
        query(carver.take<T>(tile_rows * padded<T>(width))),
        score(carver.take<T>(tile_rows * padded<T>(longest))),
        mixed(carver.take<T>(tile_rows * padded<T>(width))),
        mask(carver, longest) {}
};

template <class T>
struct Softmax {
  T largest, sum;
};

// The scores of keys beyond `length`, all in the last register, become -infinity.
template <class T>
inline void mask_beyond(T* score, Index length, Index padded_length) {
  constexpr Index W = lanes_of<T>;
  const Lanes<T> last{padded_length - W, 0};
  const Index rest = length - last.begin;
  typename VectorOf<T>::lanes is_key{};
  for (Index i = 0; i < W; ++i) is_key[i] = i < rest ? -1 : 0;
  store(score, last, is_key ? load(score, last) : Vector<T>{} - __builtin_inff());
}

// score = e^(score - largest) over the keys, 0 beyond them, dropped where the draw says so; the sum
// is of all before dropping.
template <class T>
inline Softmax<T> softmax_row(T* score, Index length, Index padded_length, const Draw* draws,
                              std::uint32_t threshold) {
  constexpr Index W = lanes_of<T>;
  mask_beyond(score, length, padded_length);
  auto larger = [](auto a, auto b) { return a > b ? a : b; };
  Vector<T> most = load(score, Lanes<T>{0, 0});
  for (Index j = W; j < padded_length; j += W) most = larger(load(score, Lanes<T>{j, 0}), most);
  const T largest = combine_lanes<T>(most, larger);
#pragma omp simd
  for (Index j = 0; j < padded_length; ++j)
    score[j] = exponential_without_overflow(score[j] - largest);
  RowSum<T> sum;
  for_lanes<T>(padded_length, [&](auto at) { sum.add(at, load(score, at)); });
  if (threshold != 0) {
#pragma omp simd
    for (Index j = 0; j < padded_length; ++j) score[j] = draws[j] < threshold ? T(0) : score[j];
  }
  return {largest, sum.total()};
}

template <class S>
void forward(int threads, ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
             const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
             const StepState* state, MatrixView out, MatrixView log_sum_exp, void* workspace) {
  using T = accumulate_t<S>;
  const Index width = shape.head_size;
  const Index padded_width = padded<T>(width);
  const T scale = static_cast<T>(shape.scale);
  const T kept_scale = static_cast<T>(dropout.scale());
  zero_rows_beyond<S>(out, query_count(sequences, shape));
  zero_rows_beyond<T>(log_sum_exp, query_count(sequences, shape));

  Carver shared(workspace);
  const TaskOrder order(shared, sequences);
  for_tasks(threads, sequences, shape.heads, order, [&](const Turn& turn) {
    const Task task = turn.task;
    auto tiles = tiles_of<ForwardTiles<T>>(shared, turn.part, sequences.longest, width);
    const Index length = task.length;
    const Index padded_length = padded<T>(length);
    const auto example = static_cast<std::uint32_t>(sequences.first_example + task.sequence);
    pack_across<S>(k, task, width, tiles.keys, tiles.keys_across);
    pack_rows(head_of<S>(v, task.begin, task, width), v.row_stride, length, width, T(1),
              tiles.keys);
    prefetch_task<S>(turn.next, shape, {k, v}, {q});
    const QueryRows queries = query_rows(task, shape);
    const InputRow<S> query = head_of<S>(q, queries.begin, task, width);
    const OutputRow<S> result = head_of<S>(out, queries.begin, task, width);
    for (Index first = 0; first < queries.count; first += tile_rows) {
      const Index rest = queries.count - first;
      const Index rows = rest < tile_rows ? rest : tile_rows;
      pack_rows(query + first * q.row_stride, q.row_stride, rows, width, scale, tiles.query);
      multiply<T>(rows, padded_length, width, {tiles.query, padded_width, 1}, tiles.keys_across,
                  padded_length, tiles.score, padded_length, false);
      tiles.mask.draw(dropout, state, example, task.head, first, rows, length);
      T factor[tile_rows];
      for (Index i = 0; i < rows; ++i) {
        const Softmax<T> softmax = softmax_row(tiles.score + i * padded_length, length,
                                               padded_length, tiles.mask.row(i), dropout.threshold);
        factor[i] = kept_scale / softmax.sum;
        if (log_sum_exp.is_absent()) continue;
        log_sum_exp.as<T>()[(queries.begin + first + i) * log_sum_exp.row_stride + task.head] =
            softmax.largest + logarithm(softmax.sum);
      }
      multiply<T>(rows, padded_width, length, {tiles.score, padded_length, 1}, tiles.keys,
                  padded_width, tiles.mixed, padded_width, false);
      for (Index i = 0; i < rows; ++i) {
        unpack_rows(tiles.mixed + i * padded_width, 1, width, factor[i],
                    result + (first + i) * out.row_stride, out.row_stride);
      }
    }
  });
}

/// One thread's packed operands and tiles of the gradient.
template <class T>
struct GradientTiles {
  T* keys;           // (padded L, padded D)
  T* keys_across;    // (padded D, padded L)
  T* values_across;  // (padded D, padded L)
  T* dkeys;          // (padded L, padded D): first the values, before they are transposed
  T* dvalues;        // (padded L, padded D)
  T* query;          // (tile, padded D), scaled
  T* dout;           // (tile, padded D)
  T* dquery;         // (tile, padded D)
  T* score;          // (tile, padded L): scores, then dropped probabilities
  T* dscore;         // (tile, padded L): gradient of probabilities, then of scores
  TileMask mask;

  GradientTiles(Carver& carver, Index longest, Index width)
      : keys(carver.take<T>(padded<T>(longest) * padded<T>(width))),
        keys_across(carver.take<T>(padded<T>(longest) * padded<T>(width))),
        values_across(carver.take<T>(padded<T>(longest) * padded<T>(width))),
        dkeys(carver.take<T>(padded<T>(longest) * padded<T>(width))),
        dvalues(carver.take<T>(padded<T>(longest) * padded<T>(width))),
        query(carver.take<T>(tile_rows * padded<T>(width))),
        dout(carver.take<T>(tile_rows * padded<T>(width))),
        dquery(carver.take<T>(tile_rows * padded<T>(width))),
        score(carver.take<T>(tile_rows * padded<T>(longest))),
        dscore(carver.take<T>(tile_rows * padded<T>(longest))),
        mask(carver, longest) {}
};

// p = e^(score - lse), m the mask (0 or its scale): score = p m, dscore = p (m dscore - delta),
// where delta = sum_j p_j m_j dscore_j = dout . out.
template <class T>
inline void softmax_gradient_row(T* score, T* dscore, Index padded_length, T log_sum_exp, T delta) {
#pragma omp simd
  for (Index j = 0; j < padded_length; ++j) {
    const T p = exponential_without_overflow(score[j] - log_sum_exp);
    score[j] = p;
    dscore[j] = p * (dscore[j] - delta);
  }
}
template <class T>
inline void softmax_gradient_row(T* score, T* dscore, Index padded_length, T log_sum_exp, T delta,
                                 const Draw* draws, std::uint32_t threshold, T kept_scale) {
#pragma omp simd
  for (Index j = 0; j < padded_length; ++j) {
    const T p = exponential_without_overflow(score[j] - log_sum_exp);
    const T m = draws[j] < threshold ? T(0) : kept_scale;
    score[j] = p * m;
    dscore[j] = p * (m * dscore[j] - delta);
  }
}

template <class T, class Row>
inline T dot(const T* a, Row b, Index count) {
  RowSum<T> sum;
  for_lanes<T>(count, [&](auto at) { sum.add(at, load(a, at) * load(b, at)); });
  return sum.total();
}

template <class S>
void gradient(int threads, ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
              ConstMatrixView v, ConstMatrixView out, ConstMatrixView log_sum_exp,
              const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
              const StepState* state, MatrixView dq, MatrixView dk, MatrixView dv,
              void* workspace) {
  using T = accumulate_t<S>;
  const Index width = shape.head_size;
  const Index padded_width = padded<T>(width);
  const T scale = static_cast<T>(shape.scale);
  const T kept_scale = static_cast<T>(dropout.scale());
  zero_rows_beyond<S>(dq, query_count(sequences, shape));
  zero_rows_beyond<S>(dk, sequences.offsets[sequences.sequences]);
  zero_rows_beyond<S>(dv, sequences.offsets[sequences.sequences]);
  Carver shared(workspace);
  const TaskOrder order(shared, sequences);
  for_tasks(threads, sequences, shape.heads, order, [&](const Turn& turn) {
    const Task task = turn.task;
    auto tiles = tiles_of<GradientTiles<T>>(shared, turn.part, sequences.longest, width);
    const Index length = task.length;
    const Index padded_length = padded<T>(length);
    const auto example = static_cast<std::uint32_t>(sequences.first_example + task.sequence);
    pack_across<S>(k, task, width, tiles.keys, tiles.keys_across);
    pack_across<S>(v, task, width, tiles.dkeys, tiles.values_across);
    prefetch_task<S>(turn.next, shape, {k, v}, {q, out, dout});
    const QueryRows queries = query_rows(task, shape);
    const InputRow<S> query = head_of<S>(q, queries.begin, task, width);
    const InputRow<S> result = head_of<S>(out, queries.begin, task, width);
    const InputRow<S> dresult = head_of<S>(dout, queries.begin, task, width);
    const OutputRow<S> dquery = head_of<S>(dq, queries.begin, task, width);
    for (Index first = 0; first < queries.count; first += tile_rows) {
      const Index rest = queries.count - first;
      const Index rows = rest < tile_rows ? rest : tile_rows;
      pack_rows(query + first * q.row_stride, q.row_stride, rows, width, scale, tiles.query);
      pack_rows(dresult + first * dout.row_stride, dout.row_stride, rows, width, T(1), tiles.dout);
      multiply<T>(rows, padded_length, width, {tiles.query, padded_width, 1}, tiles.keys_across,
                  padded_length, tiles.score, padded_length, false);
      multiply<T>(rows, padded_length, width, {tiles.dout, padded_width, 1}, tiles.values_across,
                  padded_length, tiles.dscore, padded_length, false);
      tiles.mask.draw(dropout, state, example, task.head, first, rows, length);
      for (Index i = 0; i < rows; ++i) {
        const T delta =
            dot(tiles.dout + i * padded_width, result + (first + i) * out.row_stride, width);
        const T lse =
            log_sum_exp.as<T>()[(queries.begin + first + i) * log_sum_exp.row_stride + task.head];
        T* score = tiles.score + i * padded_length;
        T* dscore = tiles.dscore + i * padded_length;
        if (dropout.is_active()) {
          softmax_gradient_row(score, dscore, padded_length, lse, delta, tiles.mask.row(i),
                               dropout.threshold, kept_scale);
        } else {
          softmax_gradient_row(score, dscore, padded_length, lse, delta);
        }
      }
      const bool adds = first > 0;
      multiply<T>(rows, padded_width, length, {tiles.dscore, padded_length, 1}, tiles.keys,
                  padded_width, tiles.dquery, padded_width, false);
      unpack_rows(tiles.dquery, rows, width, scale, dquery + first * dq.row_stride, dq.row_stride);
      multiply<T>(length, padded_width, rows, {tiles.dscore, 1, padded_length}, tiles.query,
                  padded_width, tiles.dkeys, padded_width, adds);
      multiply<T>(length, padded_width, rows, {tiles.score, 1, padded_length}, tiles.dout,
                  padded_width, tiles.dvalues, padded_width, adds);
    }
    unpack_rows(tiles.dkeys, length, width, T(1), head_of<S>(dk, task.begin, task, width),
                dk.row_stride);
    unpack_rows(tiles.dvalues, length, width, T(1), head_of<S>(dv, task.begin, task, width),
                dv.row_stride);
  });
}

template <class Tiles>
std::size_t workspace(int threads, const SequenceView& sequences, const AttentionShape& shape) {
  Carver carver(nullptr);
  TaskOrder(carver, sequences);
  for (int thread = 0; thread < threads; ++thread) {
    Tiles(carver, sequences.longest, shape.head_size);
  }
  return static_cast<std::size_t>(carver.address()) + 64;
}

template <class S>
constexpr AttentionKernels make_table() {
  using T = accumulate_t<S>;
  return {workspace<ForwardTiles<T>>, forward<S>, workspace<GradientTiles<T>>, gradient<S>};
}

}  // namespace

const AttentionKernels attention_f32 = make_table<float>();
const AttentionKernels attention_bf16 = make_table<BFloat16>();
#if BASIS_KERNELS_F64
const AttentionKernels attention_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
