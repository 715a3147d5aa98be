#include "tensor/cpu/kernels/common.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

template <class Out, class In>
void convert_to(int threads, ConstMatrixView x, MatrixView out) {
  for_stretches(threads, x.rows, x.columns, x.is_contiguous() && out.is_contiguous(),
                [&](Index row, Index begin, Index end) {
                  const In* s = x.as<In>() + row * x.row_stride;
                  Out* o = out.as<Out>() + row * out.row_stride;
#pragma omp simd
                  for (Index i = begin; i < end; ++i) o[i] = Convert<Out, In>::value(s[i]);
                });
}

template <class Out>
void convert_from(int threads, ConstMatrixView x, MatrixView out) {
  if (x.dtype == DType::F32) return convert_to<Out, float>(threads, x, out);
  if (x.dtype == DType::F64) return convert_to<Out, double>(threads, x, out);
  convert_to<Out, BFloat16>(threads, x, out);
}

void convert(int threads, ConstMatrixView x, MatrixView out) {
  if (out.dtype == DType::F32) return convert_from<float>(threads, x, out);
  if (out.dtype == DType::F64) return convert_from<double>(threads, x, out);
  convert_from<BFloat16>(threads, x, out);
}

}  // namespace

const ConvertKernels convert_any = {convert};

}  // namespace basis::cpu::BASIS_KERNELS
