#include "tensor/cpu/kernels/common.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

// One row of softmax cross-entropy: the loss; the gradient where d is not null (d may be x).
template <class T>
double cross_entropy_row(const T* x, Index classes, std::int32_t label, T* d) {
  if (label < 0) {
    for (Index j = 0; d != nullptr && j < classes; ++j) d[j] = T(0);
    return 0;
  }
  T largest = x[0];
#pragma omp simd reduction(max : largest)
  for (Index j = 0; j < classes; ++j) largest = x[j] > largest ? x[j] : largest;
  const T own = x[label];
  double sum = 0;
  if (d == nullptr) {
#pragma omp simd reduction(+ : sum)
    for (Index j = 0; j < classes; ++j) sum += static_cast<double>(exponential(x[j] - largest));
  } else {
#pragma omp simd reduction(+ : sum)
    for (Index j = 0; j < classes; ++j) {
      const T e = exponential(x[j] - largest);
      d[j] = e;
      sum += static_cast<double>(e);
    }
    const T inverse = static_cast<T>(1 / sum);
#pragma omp simd
    for (Index j = 0; j < classes; ++j) d[j] *= inverse;
    d[label] -= T(1);
  }
  return __builtin_log(sum) + static_cast<double>(largest) - static_cast<double>(own);
}

template <class T>
void cross_entropy(int threads, ConstMatrixView logits, ConstMatrixView labels, MatrixView loss,
                   MatrixView dlogits, double* row_losses) {
  for_parts(threads, logits.rows, 8 * logits.columns, [&](Index, Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      T* d = dlogits.is_absent() ? nullptr : dlogits.as<T>() + row * dlogits.row_stride;
      row_losses[row] = cross_entropy_row(logits.as<T>() + row * logits.row_stride, logits.columns,
                                          labels.as<std::int32_t>()[row], d);
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
    const T* a = x.as<T>() + row * x.row_stride;
    const T* b = y.as<T>() + row * y.row_stride;
    T* d = dx.is_absent() ? nullptr : dx.as<T>() + row * dx.row_stride;
    for (Index j = 0; j < x.columns; ++j) {
      const T difference = a[j] - b[j];
      sum += static_cast<double>(difference) * static_cast<double>(difference);
      if (d != nullptr) d[j] = 2 * difference;
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
#if BASIS_KERNELS_F64
const LossKernels loss_f64 = make_table<double>();
#endif

}  // namespace basis::cpu::BASIS_KERNELS
