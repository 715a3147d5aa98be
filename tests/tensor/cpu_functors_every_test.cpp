// The errors that tensor/cpu/functors.h states, on every f32 where they could be another.
#include <iostream>

#include <gtest/gtest.h>

#include "tests/tensor/functor_errors.h"

namespace basis {
namespace {

template <class Function>
class FunctorsEverywhere : public testing::Test {};

using Functions =
    testing::Types<ExponentialError, ExponentialWithoutOverflowError, HyperbolicTangentError,
                   LogarithmOfOnePlusError, NormalMassError, NormalDensityError>;
TYPED_TEST_SUITE(FunctorsEverywhere, Functions);

/// The largest error on every f32 of the patterns [begin, end), of both signs.
template <class Function>
WorstError worst_of(std::uint64_t begin, std::uint64_t end) {
  constexpr std::uint64_t chunk = std::uint64_t{1} << 20;
  constexpr std::uint64_t sign = std::uint64_t{1} << 31;
  WorstError worst;
#pragma omp parallel for schedule(dynamic)
  for (std::uint64_t first = begin; first < end; first += chunk) {
    WorstError mine = worst_error<Function>(first, std::min(first + chunk, end), 1);
    const WorstError negative =
        worst_error<Function>(sign + first, sign + std::min(first + chunk, end), 1);
    mine.add(negative.error, negative.bits);
#pragma omp critical
    worst.add(mine.error, mine.bits);
  }
  return worst;
}

// Zero, all denormals and the numbers above them, then from 2^-40 to 128. In between the functions
// are, to f32's precision, 1, 1/2 or a number times x: their errors there are those of the numbers
// times a power of two. Above 128 all of them have long reached their limits. There the fast test's
// steps do.
TYPED_TEST(FunctorsEverywhere, AreWithinTheirStatedErrors) {
  WorstError worst = worst_of<TypeParam>(0, 0x01000000);
  const WorstError middle = worst_of<TypeParam>(std::bit_cast<std::uint32_t>(0x1p-40f),
                                                std::bit_cast<std::uint32_t>(128.0f));
  worst.add(middle.error, middle.bits);
  std::cout << "largest error " << worst << ", stated " << TypeParam::bound << "\n";
  EXPECT_LE(worst.error, TypeParam::bound) << worst;
}

}  // namespace
}  // namespace basis
