// What the parity tests run on in gpu_tests.
#include "tests/cuda/under_test.h"
#include "tests/gpu/mirror_backend.h"
#include "tests/tensor/parity.h"

namespace basis {

std::vector<KernelVariant> kernel_variants() {
  return {};
}

std::vector<KernelVariant> cuda_variants() {
  constexpr auto where = KernelVariant::Where::Cuda;
  return {{DType::F32, Isa::Baseline, 1, where}, {DType::BF16, Isa::Baseline, 1, where}};
}

std::unique_ptr<Backend> make_backend_of(const KernelVariant&) {
  return std::make_unique<MirrorBackend>(make_cuda_under_test());
}

}  // namespace basis
