#include "tensor/cpu/kernels/storage.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

// One row of softmax cross-entropy: the loss; the gradient where d is not null (d may be x).
template <class T>
double cross_entropy_row(InputRow<T> x, Index classes, std::int32_t label, OutputRow<T> d) {
  using A = accumulate_t<T>;
  const bool wants_gradient = static_cast<bool>(d);
  if (label < 0) {
    for (Index j = 0; wants_gradient && j < classes; ++j) d[j] = A(0);
    return 0;
  }
  A largest = x[0];
#pragma omp simd reduction(max : largest)
  for (Index j = 0; j < classes; ++j) largest = x[j] > largest ? x[j] : largest;
  const A own = x[label];
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index j = 0; j < classes; ++j) sum += static_cast<double>(exponential(x[j] - largest));
  if (wants_gradient) {
    const A inverse = static_cast<A>(1 / sum);
#pragma omp simd
    for (Index j = 0; j < classes; ++j) d[j] = exponential(x[j] - largest) * inverse;
    // From the number itself: in bf16 the p of p - 1 would have been rounded.
    d[label] = exponential(own - largest) * inverse - A(1);
  }
  return __builtin_log(sum) + static_cast<double>(largest) - static_cast<double>(own);
}

template <class T>
void cross_entropy(int threads, ConstMatrixView logits, ConstMatrixView labels, MatrixView loss,
                   MatrixView dlogits, double* row_losses) {
  for_parts(threads, logits.rows, 8 * logits.columns, [&](Index, Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      row_losses[row] =
          cross_entropy_row<T>(input_row<T>(logits, row), logits.columns,
                               labels.as<std::int32_t>()[row], output_row<T>(dlogits, row));
    }
  });
  double sum = 0;
  for (Index row = 0; row < logits.rows; ++row) sum += row_losses[row];
  *loss.as<double>() = sum;
}

// By one thread: a head's outputs are few.
template <class T>
void squared_error(int, ConstMatrixView x, ConstMatrixView y, MatrixView loss, MatrixView dx) {
  double sum = 0;
  for (Index row = 0; row < x.rows; ++row) {
    using A = accumulate_t<T>;
    const InputRow<T> a = input_row<T>(x, row);
    const InputRow<A> b = input_row<A>(y, row);
    const OutputRow<T> d = output_row<T>(dx, row);
    for (Index j = 0; j < x.columns; ++j) {
      const A difference = a[j] - b[j];
      sum += static_cast<double>(difference) * static_cast<double>(difference);
      if (!dx.is_absent()) d[j] = 2 * difference;
    }
  }
  *loss.as<double>() = sum;
}

template <class T>
constexpr LossKernels make_table() {
  return {cross_entropy<T>, squared_error<T>};
}

}  // namespace

const LossKernels loss_f32 = make_table<float>();
const LossKernels loss_bf16 = make_table<BFloat16>();
#if BASIS_KERNELS_F64
const LossKernels loss_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
