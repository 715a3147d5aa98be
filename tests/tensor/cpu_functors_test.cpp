#include <limits>

#include <gtest/gtest.h>

#include "tests/tensor/functor_errors.h"

namespace basis {
namespace {

template <class Function>
class Functors : public testing::Test {};

using Functions =
    testing::Types<ExponentialError, ExponentialWithoutOverflowError, HyperbolicTangentError,
                   LogarithmOfOnePlusError, NormalMassError, NormalDensityError>;
TYPED_TEST_SUITE(Functors, Functions);

// Bit patterns in steps of a prime: NaN and infinities, signs, denormals, everything. The slow
// Functors tests take every one.
TYPED_TEST(Functors, AreWithinTheirStatedErrorsOnEvery509thNumber) {
  EXPECT_LE(worst_error<TypeParam>(0, all_patterns, 509).error, TypeParam::bound)
      << worst_error<TypeParam>(0, all_patterns, 509);
}

TEST(Exponential, IsExactWhereItCanBe) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(exponential(0.0f), 1.0f);
  EXPECT_EQ(exponential(-infinity), 0.0f);
  EXPECT_EQ(exponential(infinity), infinity);
  EXPECT_EQ(exponential_without_overflow(0.0f), 1.0f);
  EXPECT_EQ(exponential_without_overflow(-infinity), 0.0f);
}

}  // namespace
}  // namespace basis
