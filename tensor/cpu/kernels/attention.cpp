#include "tensor/cpu/kernels/mask.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

template <class T>
std::size_t forward_workspace(int threads, const SequenceView& sequences, const AttentionShape&) {
  return static_cast<std::size_t>(threads) * static_cast<std::size_t>(sequences.longest + 8) * 32;
}

inline bool keeps(Dropout dropout, const StepState* state, std::uint32_t example, Index head,
                  Index query, Index key) {
  if (!dropout.is_active()) return true;
  const std::uint64_t element =
      attention_element(static_cast<std::uint64_t>(head), static_cast<std::uint64_t>(query),
                        static_cast<std::uint64_t>(key));
  const PhiloxCounter c =
      philox4x32(philox_counter(static_cast<std::uint32_t>(element / 8), example, dropout.site,
                                static_cast<std::uint32_t>(state->step)),
                 philox_key(state->seed));
  const std::uint32_t lane = element % 8;
  return ((c.word[lane / 2] >> (16 * (lane % 2))) & 0xFFFFu) >= dropout.threshold;
}

template <class T>
void zero_rows(MatrixView out, Index begin) {
  if (out.is_absent()) return;
  for (Index row = begin; row < out.rows; ++row) {
    for (Index j = 0; j < out.columns; ++j) out.as<T>()[row * out.row_stride + j] = T(0);
  }
}

template <class T>
void forward(int threads, ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
             const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
             const StepState* state, MatrixView out, MatrixView log_sum_exp, void* workspace) {
  const Index D = shape.head_size;
  const T scale = static_cast<T>(shape.scale);
  zero_rows<T>(out, sequences.offsets[sequences.sequences]);
  zero_rows<T>(log_sum_exp, sequences.offsets[sequences.sequences]);
  for_parts(threads, sequences.sequences * shape.heads, 1 << 12,
            [&](Index part, Index first, Index last) {
              T* score = static_cast<T*>(workspace) + part * (sequences.longest + 8);
              for (Index task = first; task < last; ++task) {
                const Index b = task / shape.heads, head = task % shape.heads;
                const Index begin = sequences.offsets[b], length = sequences.offsets[b + 1] - begin;
                const auto example = static_cast<std::uint32_t>(sequences.first_example + b);
                for (Index i = 0; i < length; ++i) {
                  const T* qi = q.as<T>() + (begin + i) * q.row_stride + head * D;
                  T* oi = out.as<T>() + (begin + i) * out.row_stride + head * D;
                  T largest = -__builtin_inff();
                  for (Index j = 0; j < length; ++j) {
                    const T* kj = k.as<T>() + (begin + j) * k.row_stride + head * D;
                    T dot = 0;
                    for (Index c = 0; c < D; ++c) dot += qi[c] * kj[c];
                    score[j] = dot * scale;
                    largest = score[j] > largest ? score[j] : largest;
                  }
                  T sum = 0;
                  for (Index j = 0; j < length; ++j)
                    sum += score[j] = exponential(score[j] - largest);
                  for (Index c = 0; c < D; ++c) oi[c] = 0;
                  const T factor = static_cast<T>(dropout.scale()) / sum;
                  for (Index j = 0; j < length; ++j) {
                    if (!keeps(dropout, state, example, head, i, j)) continue;
                    const T p = score[j] * factor;
                    const T* vj = v.as<T>() + (begin + j) * v.row_stride + head * D;
                    for (Index c = 0; c < D; ++c) oi[c] += p * vj[c];
                  }
                  if (!log_sum_exp.is_absent()) {
                    log_sum_exp.as<T>()[(begin + i) * log_sum_exp.row_stride + head] =
                        largest + logarithm(sum);
                  }
                }
              }
            });
}

template <class T>
void gradient(int threads, ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
              ConstMatrixView v, ConstMatrixView out, ConstMatrixView log_sum_exp,
              const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
              const StepState* state, MatrixView dq, MatrixView dk, MatrixView dv, void*) {
  const Index D = shape.head_size;
  const T scale = static_cast<T>(shape.scale);
  const Index rows = sequences.offsets[sequences.sequences];
  zero_rows<T>(dq, rows);
  zero_rows<T>(dk, rows);
  zero_rows<T>(dv, rows);
  for_parts(threads, sequences.sequences * shape.heads, 1 << 12,
            [&](Index, Index first, Index last) {
              for (Index task = first; task < last; ++task) {
                const Index b = task / shape.heads, head = task % shape.heads;
                const Index begin = sequences.offsets[b], length = sequences.offsets[b + 1] - begin;
                const auto example = static_cast<std::uint32_t>(sequences.first_example + b);
                auto at = [&](auto& view, Index row) {
                  return view.template as<T>() + (begin + row) * view.row_stride + head * D;
                };
                for (Index i = 0; i < length; ++i) {
                  for (Index c = 0; c < D; ++c) at(dq, i)[c] = at(dk, i)[c] = at(dv, i)[c] = 0;
                }
                for (Index i = 0; i < length; ++i) {
                  const T* qi = at(q, i);
                  const T* gi = at(dout, i);
                  const T* oi = at(out, i);
                  T delta = 0;
                  for (Index c = 0; c < D; ++c) delta += gi[c] * oi[c];
                  const T lse = log_sum_exp.as<T>()[(begin + i) * log_sum_exp.row_stride + head];
                  for (Index j = 0; j < length; ++j) {
                    const T* kj = at(k, j);
                    const T* vj = at(v, j);
                    T dot = 0, dp = 0;
                    for (Index c = 0; c < D; ++c) dot += qi[c] * kj[c];
                    for (Index c = 0; c < D; ++c) dp += gi[c] * vj[c];
                    const T p = exponential(dot * scale - lse);
                    const T kept = keeps(dropout, state, example, head, i, j)
                                       ? static_cast<T>(dropout.scale())
                                       : T(0);
                    const T ds = p * (kept * dp - delta) * scale;
                    for (Index c = 0; c < D; ++c) {
                      at(dv, j)[c] += p * kept * gi[c];
                      at(dq, i)[c] += ds * kj[c];
                      at(dk, j)[c] += ds * qi[c];
                    }
                  }
                }
              }
            });
}

template <class T>
constexpr AttentionKernels make_table() {
  return {forward_workspace<T>, forward<T>, forward_workspace<T>, gradient<T>};
}

}  // namespace

const AttentionKernels attention_f32 = make_table<float>();
#if BASIS_KERNELS_F64
const AttentionKernels attention_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
