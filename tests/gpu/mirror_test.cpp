// What carries the parity tests to a GPU, held against kernels that run on the host anyway.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "tests/cuda/under_test.h"
#include "tests/gpu/mirror_backend.h"
#include "tests/tensor/parity.h"

namespace basis {
namespace {

/// A kernel's operands, as the device gets them.
struct Seen {
  ConstMatrixView a, b;
  MatrixView out;
};

class Mirrored : public testing::Test {
 protected:
  template <class... Arguments>
  Seen see(const Arguments&... arguments) {
    Seen seen;
    mirrored(
        *device_, memory_,
        [&](ConstMatrixView a, ConstMatrixView b, MatrixView out) {
          seen = {a, b, out};
          if (on_device) on_device(seen);
        },
        arguments...);
    return seen;
  }
  static std::uintptr_t address(const void* pointer) {
    return reinterpret_cast<std::uintptr_t>(pointer);
  }

  std::function<void(const Seen&)> on_device;
  std::unique_ptr<Backend> device_ = make_cuda_under_test();
  CachingAllocator memory_{*device_};
};

TEST_F(Mirrored, OperandsKeepTheirAlignmentAndLieElsewhere) {
  Matrix a(DType::F32, 3, 5), out(DType::F32, 3, 5);
  ConstMatrixView odd = a.view();
  odd.data = odd.as<float>() + 1;
  odd.columns = 4;
  const Seen seen = see(odd, ConstMatrixView{}, out.view());
  EXPECT_NE(seen.a.data, odd.data);
  EXPECT_EQ(address(seen.a.data) % 64, address(odd.data) % 64);
  EXPECT_EQ(address(seen.out.data) % 64, address(out.view().data) % 64);
  EXPECT_TRUE(seen.b.is_absent());
}

TEST_F(Mirrored, OperandsThatOverlapStayTogether) {
  Matrix wide(DType::BF16, 4, 30);
  const MatrixView left = wide.columns(0, 10), right = wide.columns(10, 30);
  const Seen seen = see(left, right, left);
  EXPECT_EQ(seen.a.data, seen.out.data);
  EXPECT_EQ(address(seen.b.data) - address(seen.a.data), address(right.data) - address(left.data));
}

TEST_F(Mirrored, WhatWasWrittenComesBackAndGapsStay) {
  Matrix a(DType::F32, 3, 5, 2), out(DType::F32, 3, 5, 4);
  device_->fill(2, a.view());
  on_device = [&](const Seen& seen) { device_->add_scaled(3, seen.a, 0, seen.out); };
  see(a.view(), ConstMatrixView{}, out.view());
  EXPECT_EQ(out.at(2, 4), 6);
  EXPECT_TRUE(out.has_clean_gaps());
}

TEST_F(Mirrored, AWriteElsewhereFailsTheTest) {
  Matrix a(DType::F32, 1, 4), out(DType::F32, 1, 4);
  on_device = [&](const Seen& seen) {
    MatrixView longer = seen.out;
    longer.columns = 5;
    device_->fill(1, longer);
  };
  EXPECT_NONFATAL_FAILURE(see(a.view(), ConstMatrixView{}, out.view()),
                          "byte 16 of an operand of 16 bytes");
  on_device = [&](const Seen& seen) {
    device_->fill(1, {const_cast<void*>(seen.a.data), DType::F32, 1, 1, 1});
  };
  EXPECT_NONFATAL_FAILURE(see(std::as_const(a).view(), ConstMatrixView{}, out.view()),
                          "that it only reads");
}

// Every kind of argument that kernels take.
TEST_F(Mirrored, KernelsOfABackendComputeWhatTheyComputeOnTheHost) {
  const auto plain = make_cuda_under_test();
  MirrorBackend mirror(make_cuda_under_test());
  const Packing packing({3, 4});
  StepState state;
  state.seed = 4;
  const Integers ids{{4, 0, 2, 1}};
  const std::vector<std::int32_t> slots = {-1, 2, -1, 0, 1};
  const double owed = 0.5;
  Matrix table(DType::F32, 5, 8), x(DType::F32, packing.view().rows, 8);
  for (std::int64_t i = 0; i < 5; ++i) table.set(i, i, 1 + static_cast<double>(i));
  plain->fill(3, x.view());
  const auto all = [&](Backend& b) {
    Matrix dropped(DType::F32, x.view().rows, 8), gathered(DType::F32, 4, 8);
    Matrix sum(DType::F64, 1, 1), sums(DType::F32, 1, 8);
    b.dropout(x.view(), make_dropout(0.5, 3), packing.view(), &state, dropped.view());
    b.gather_rows(table.view(), {slots.data(), &owed}, ids.view(), 0, gathered.view());
    Scratch scratch(b.column_sum_workspace(x.view().rows, 8, DType::F32));
    b.column_sum(dropped.view(), 0, sums.view(), scratch.workspace());
    b.squared_norm_of_all(std::vector<ConstMatrixView>{sums.view(), dropped.view()}, sum.view());
    StepState clipped;
    b.update_clip(sum.view(), 1, &clipped);
    return std::make_tuple(dropped.bytes(), gathered.bytes(), sums.bytes(), clipped.clip_factor);
  };
  EXPECT_TRUE(all(mirror) == all(*plain));
}

}  // namespace
}  // namespace basis
