// What moves values aside for a gradient: along another one (SAM), by noise (GO).
#include <cmath>
#include <limits>

#include "tensor/gaussian.h"
#include "tests/tensor/parity.h"

namespace basis {
namespace {

class ParityOfPerturbations : public Parity {
 protected:
  /// Added to zeros that begin `shift` elements behind the matrix.
  std::vector<double> noise_of(std::int64_t count, std::int64_t shift, const StepState& state,
                               std::uint64_t stream) {
    Matrix out(wide_dtype(), 1, count + shift);
    for (std::int64_t i = 0; i < count + shift; ++i) out.set(0, i, 0);
    backend_->add_noise(1, {}, stream, &state, out.columns(shift, count + shift));
    std::vector<double> noise;
    for (std::int64_t i = 0; i < count; ++i) noise.push_back(out.at(0, i + shift));
    return noise;
  }
};
INSTANTIATE_TEST_SUITE_P(Cpu, ParityOfPerturbations, testing::ValuesIn(kernel_variants()),
                         variant_name);
INSTANTIATE_TEST_SUITE_P(Cuda, ParityOfPerturbations, testing::ValuesIn(cuda_variants()),
                         variant_name);

constexpr std::uint64_t some_stream = 0x123456789abcdef;

Matrix one_number(double value) {
  Matrix matrix(DType::F64, 1, 1);
  matrix.set(0, 0, value);
  return matrix;
}

/// A step above 2^32: all of it counts.
StepState some_state() {
  StepState state;
  state.seed = 0xfedcba9876543210;
  state.step = 0x200000007;
  return state;
}

TEST_P(ParityOfPerturbations, AddNormalised) {
  const Matrix squared_norm = one_number(7.3);
  for (std::int64_t columns : {1, 7, 33, 384, 70001}) {
    const Matrix x = random_wide(1, columns), rows_of_x = random_wide(3, columns, 1);
    compare("flat " + std::to_string(columns), {{random_wide(1, columns), 8}},
            [&](Backend& b, auto& out) {
              b.add_normalised(-0.7, x.view(), squared_norm.view(), {}, out[0].matrix.view());
            });
    const Integers rows{{4, 0, 3}};
    compare("rows " + std::to_string(columns), {{random_wide(6, columns, 2), 8}},
            [&](Backend& b, auto& out) {
              b.add_normalised(0.3, rows_of_x.view(), squared_norm.view(), rows.view(),
                               out[0].matrix.view());
            });
  }
}

TEST_P(ParityOfPerturbations, WithoutANormNothingMoves) {
  const Matrix x = random_wide(1, 40), before = random_wide(1, 40);
  for (const double squared : {0.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
    Matrix out = before;
    const Matrix squared_norm = one_number(squared);
    backend_->add_normalised(1, x.view(), squared_norm.view(), {}, out.view());
    EXPECT_TRUE(out.bytes() == before.bytes()) << squared;
  }
}

// The normal numbers are f32's, good to 1e-6 where they are 6: 20 units of f32.
TEST_P(ParityOfPerturbations, AddNoise) {
  const double units = dtype() == DType::F64 ? std::ldexp(20.0, 52 - 23) : 20;
  const StepState state = some_state();
  const Matrix squared_norm = one_number(2.25);
  for (std::int64_t columns : {1, 7, 64, 384, 70001}) {
    for (const bool is_relative : {false, true}) {
      compare(std::to_string(columns), {{random_wide(1, columns), units}},
              [&](Backend& b, auto& out) {
                const ConstMatrixView norm = is_relative ? squared_norm.view() : ConstMatrixView{};
                b.add_noise(0.3, norm, some_stream, &state, out[0].matrix.view());
              });
    }
  }
}

// Whatever the processor, its threads and where values begin: the bits of the formula.
TEST_P(ParityOfPerturbations, NoiseHasTheSameBitsEverywhere) {
  constexpr std::int64_t n = 70001;
  const std::vector<double> all = noise_of(n, 0, some_state(), some_stream);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto block = static_cast<std::uint32_t>(i / 4);
    const NormalFour four = normal_four(philox4x32(noise_counter(block, some_state().step),
                                                   noise_key(some_state().seed, some_stream)));
    ASSERT_EQ(all[static_cast<std::size_t>(i)], static_cast<double>(four.at[i % 4])) << i;
  }
  // From an odd place, which no pack fits.
  const std::vector<double> shifted = noise_of(1000, 1, some_state(), some_stream);
  for (std::size_t i = 0; i < shifted.size(); ++i) ASSERT_EQ(shifted[i], all[i]) << i;
}

TEST_P(ParityOfPerturbations, NoiseOfAnotherSeedStepOrStreamIsAnother) {
  StepState seed = some_state(), step = some_state(), late = some_state();
  ++seed.seed;
  ++step.step;
  late.step += std::uint64_t{1} << 32;
  const std::vector<double> first = noise_of(64, 0, some_state(), some_stream);
  EXPECT_NE(first, noise_of(64, 0, some_state(), some_stream + 1));
  for (const StepState& other : {seed, step, late}) {
    EXPECT_NE(first, noise_of(64, 0, other, some_stream));
  }
}

}  // namespace
}  // namespace basis
