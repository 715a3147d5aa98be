#include "tensor/cpu/cpu_backend.h"

#include <vector>

#include <gtest/gtest.h>

#include "tensor/error.h"

namespace basis {
namespace {

TEST(CpuBackend, MultipliesByATransposedWeightAndAddsTheBias) {
  const auto backend = make_cpu_backend(1);
  const std::vector<float> x = {1, 2, 3, 4}, w = {1, 0, 0, 1, 1, 1}, bias = {10, 20, 30};
  std::vector<float> out(6, -1);
  const auto weight = backend->prepare_weight({w.data(), DType::F32, 3, 2, 2}, DType::F32);
  backend->linear({x.data(), DType::F32, 2, 2, 2}, weight, {bias.data(), DType::F32, 1, 3, 3},
                  {out.data(), DType::F32, 2, 3, 3});
  EXPECT_EQ(out, (std::vector<float>{11, 22, 33, 13, 24, 37}));
}

TEST(CpuBackend, ReservesLargeMemoryAlignedAndUntouched) {
  const auto backend = make_cpu_backend(1);
  const Block block = backend->reserve(std::size_t{64} << 30);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.get()) % (2 << 20), 0u);
  block.get()[(std::size_t{64} << 30) - 1] = std::byte{1};
}

TEST(CpuBackend, RefusesAReservationThatNoAddressSpaceHolds) {
  const auto backend = make_cpu_backend(1);
  EXPECT_THROW(backend->reserve(std::size_t{1} << 62), Error);
}

}  // namespace
}  // namespace basis
