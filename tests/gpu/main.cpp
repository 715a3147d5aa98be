// The tests that need a GPU. Without one: a line that says why, and the status that CTest takes as
// "skipped".
#include <cstdio>

#include <gtest/gtest.h>

#include "tensor/cuda/cuda_backend.h"
#include "tensor/error.h"

namespace {

constexpr int skipped = 77;

bool has_gpu() {
  try {
    basis::make_cuda_backend();
    return true;
  } catch (const basis::Error& error) {
    std::printf("SKIPPED, no GPU to test on: %s\n", error.what());
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!testing::GTEST_FLAG(list_tests) && !has_gpu()) return skipped;
  return RUN_ALL_TESTS();
}
