// The tests that need a GPU. Without one: a line that says why, and the status that CTest takes as
// "skipped". --plain-names: the kernels that have a plain twin, a line each.
#include <cstdio>
#include <string_view>

#include <gtest/gtest.h>

#include "tensor/cuda/cuda_backend.h"
#include "tensor/cuda/plain.h"
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
  if (argc > 1 && std::string_view(argv[1]) == "--plain-names") {
    for (const char* name : basis::cuda::plain_names()) std::puts(name);
    return 0;
  }
  if (!testing::GTEST_FLAG(list_tests) && !has_gpu()) return skipped;
  return RUN_ALL_TESTS();
}
