// What the parity tests run on where there is no GPU.
#include "tests/cuda/under_test.h"
#include "tests/tensor/parity.h"

namespace basis {

std::vector<KernelVariant> kernel_variants() {
  return {{DType::F32, Isa::Baseline, 1},    {DType::F32, Isa::Baseline, 3},
          {DType::F32, Isa::Avx2, 1},        {DType::F32, Isa::Avx2, 3},
          {DType::F32, Isa::Avx512, 1},      {DType::F32, Isa::Avx512, 3},
          {DType::F32, Isa::Amx, 1},         {DType::F32, Isa::Amx, 3},
          {DType::BF16, Isa::Baseline, 1},   {DType::BF16, Isa::Baseline, 3},
          {DType::BF16, Isa::Avx2, 1},       {DType::BF16, Isa::Avx2, 3},
          {DType::BF16, Isa::Avx512, 1},     {DType::BF16, Isa::Avx512, 3},
          {DType::BF16, Isa::Avx512Bf16, 1}, {DType::BF16, Isa::Avx512Bf16, 3},
          {DType::BF16, Isa::Amx, 1},        {DType::BF16, Isa::Amx, 3},
          {DType::F64, Isa::Baseline, 1},    {DType::F64, Isa::Baseline, 3}};
}

std::vector<KernelVariant> cuda_variants() {
  constexpr auto where = KernelVariant::Where::CudaEmulated;
  return {{DType::F32, Isa::Baseline, 1, where}, {DType::BF16, Isa::Baseline, 1, where}};
}

std::unique_ptr<Backend> make_backend_of(const KernelVariant& variant) {
  return variant.is_cpu() ? make_cpu_backend(variant.threads, variant.isa) : make_cuda_under_test();
}

}  // namespace basis
