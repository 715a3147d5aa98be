#include "autograd/gradient_run.h"

#include <gtest/gtest.h>

#include "autograd/context.h"
#include "tensor/arena.h"
#include "tensor/cpu/cpu_backend.h"

namespace basis {
namespace {

/// Two parameters, of six elements in a place for sixteen and of sixteen.
class GradientRuns : public testing::Test {
 protected:
  GradientRuns() {
    arena_.set_poison(true);
    run_.add(first_, {2, 3}, 16);
    run_.add(second_, {4, 4}, 16);
  }
  void write(Gradient& gradient, const Shape& shape, double value) {
    contribute_beta(context_, &gradient, shape, DType::F32, [&](double beta, MatrixView out) {
      if (beta == 0) backend_->fill(value, out);
    });
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend(1);
  Arena arena_{*backend_, 1 << 20};
  Context context_{*backend_, arena_};
  Gradient first_, second_;
  GradientRun run_{DType::F32};
};

TEST_F(GradientRuns, TakeMemoryAtTheFirstWriteAndGiveItBack) {
  arena_.expect_empty();
  EXPECT_TRUE(first_.tensor.is_empty());
  write(second_, {4, 4}, 2);
  EXPECT_EQ(arena_.live_bytes(), 32 * sizeof(float));
  EXPECT_TRUE(second_.is_written);
  EXPECT_FALSE(first_.is_written);
  write(first_, {2, 3}, 1);
  EXPECT_EQ(arena_.live_bytes(), 32 * sizeof(float));
  run_.forget();
  arena_.expect_empty();
  EXPECT_FALSE(first_.is_written || second_.is_written);
  write(first_, {2, 3}, 3);
  EXPECT_EQ(first_.tensor.data<float>()[5], 3);
}

TEST_F(GradientRuns, AreNeighboursWithZerosBetween) {
  write(first_, {2, 3}, 1);
  write(second_, {4, 4}, 2);
  const float* all = first_.tensor.data<float>();
  for (int i = 0; i < 32; ++i) EXPECT_EQ(all[i], i < 6 ? 1 : i < 16 ? 0 : 2) << i;
}

TEST_F(GradientRuns, ATermThatIsHandedOverIsCopiedToItsPlace) {
  const Tensor term = context_.allocate({2, 3}, DType::F32);
  backend_->fill(4, term.view());
  hand_over(context_, &first_, term);
  hand_over(context_, &first_, term);
  EXPECT_EQ(first_.tensor.data<float>()[5], 8);
}

TEST_F(GradientRuns, LeaveNoPointerToThemselves) {
  Gradient gradient;
  {
    GradientRun run(DType::F32);
    run.add(gradient, {2}, 16);
    EXPECT_EQ(gradient.run, &run);
  }
  EXPECT_EQ(gradient.run, nullptr);
}

}  // namespace
}  // namespace basis
