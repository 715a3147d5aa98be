#include "spectral/svd.h"

#include <array>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include "spectral/svd_basis.h"
#include "tensor/error.h"
#include "tests/spectral/reference.h"
#include "tests/tensor/file_fixture.h"

namespace basis {
namespace {

using testing::HasSubstr;

// Backward error of LAPACK's SVD: a small multiple of eps √(out in) ‖W‖.
constexpr double tolerance = 1e-13;

void expect_decomposition(const Matrix& matrix, const std::string& what) {
  const Svd found = svd(matrix);
  const std::int64_t r = std::min(matrix.rows(), matrix.columns());
  ASSERT_EQ(found.rank(), r) << what;
  ASSERT_EQ(found.out(), matrix.rows()) << what;
  ASSERT_EQ(found.in(), matrix.columns()) << what;
  const double size = std::max(1.0, found.sigma.front());
  EXPECT_LT(largest_difference(reconstruct(found), matrix), tolerance * size) << what;
  EXPECT_LT(largest_difference(multiply_at_b(found.u, found.u), identity(r)), tolerance) << what;
  EXPECT_LT(largest_difference(multiply_at_b(found.v, found.v), identity(r)), tolerance) << what;
  EXPECT_TRUE(std::is_sorted(found.sigma.rbegin(), found.sigma.rend())) << what;
  EXPECT_GE(found.sigma.back(), 0) << what;
  expect_near(singular_values(matrix), found.sigma, tolerance, what);
}

TEST(Svd, DecomposesEveryShape) {
  for (const auto& [out, in] : {std::array{1, 1},
                                {1, 9},
                                {9, 1},
                                {2, 3},
                                {31, 31},
                                {20, 75},
                                {75, 20},
                                {129, 130},
                                {130, 129}}) {
    const Matrix matrix = random_gaussian(out, in, 3, 1);
    expect_decomposition(matrix, matrix.to_string());
  }
}

TEST(Svd, DecomposesSingularAndDegenerateMatrices) {
  const Matrix low = multiply(random_gaussian(20, 3, 1, 1), random_gaussian(3, 30, 1, 2));
  expect_decomposition(low, "rank 3 of 20");
  EXPECT_LT(svd(low).sigma[3], 1e-12);
  expect_decomposition(Matrix(5, 8), "zeros");
  expect_decomposition(identity(10), "identity");
  Matrix huge = random_gaussian(6, 4, 2, 2);
  scale(huge, 1e150);
  EXPECT_LT(largest_difference(reconstruct(svd(huge)), huge), 1e138);
}

TEST(Svd, AgreesWithNumPyWithSigns) {
  for (const std::string& name : reference_cases()) {
    const Reference reference(name);
    const Svd found = svd(reference.matrix("before"));
    expect_near(found.sigma, reference.values("sigma"), 1e-12, name);
    // Vectors are known to eps ‖W‖ / gap; the smallest gap of these cases is above 0.01 of ‖W‖.
    expect_near(found.u.elements(), reference.values("u"), 1e-12, name);
    expect_near(found.v.elements(), reference.values("v"), 1e-12, name);
  }
}

TEST(Svd, TurnsThePairSoThatTheLargestEntryOfVIsPositiveAndTheFirstOfEqualOnes) {
  // One row: v is the row itself up to its sign, and both entries have the same magnitude.
  const Svd first_negative = svd(Matrix(1, 2, {-3, 3}));
  EXPECT_GT(first_negative.v(0, 0), 0);
  EXPECT_LT(first_negative.v(1, 0), 0);
  EXPECT_EQ(first_negative.u(0, 0), -1);
  const Svd later_larger = svd(Matrix(1, 3, {2, -4, 1}));
  EXPECT_GT(later_larger.v(1, 0), 0);
  EXPECT_EQ(later_larger.u(0, 0), -1);
  // A tall matrix is solved transposed; the convention is still v's.
  EXPECT_EQ(svd(Matrix(3, 1, {1, -5, 2})).v(0, 0), 1);
}

TEST(Svd, GivesTheSameBitsForAnyNumberOfThreads) {
  const Matrix matrix = random_gaussian(150, 170, 5, 1);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Svd alone = svd(matrix);
  omp_set_num_threads(4);
  const Svd together = svd(matrix);
  EXPECT_EQ(omp_get_max_threads(), 4) << "the caller's number of threads is left as it was";
  omp_set_num_threads(threads);
  EXPECT_EQ(alone.sigma, together.sigma);
  EXPECT_EQ(alone.u, together.u);
  EXPECT_EQ(alone.v, together.v);
}

TEST(Svd, RefusesWhatIsNotFiniteAndNamesThePlace) {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    Matrix matrix = random_gaussian(4, 6, 1, 1);
    matrix(2, 5) = bad;
    EXPECT_THAT(error_of([&] { svd(matrix); }), HasSubstr("(2, 5) of a 4 x 6"));
    EXPECT_THAT(error_of([&] { singular_values(matrix); }), HasSubstr("(2, 5)"));
  }
  EXPECT_THROW(svd(Matrix()), Error);
  EXPECT_THROW(svd(Matrix(0, 4)), Error);
}

TEST(SelectBasis, TakesTheFirstOrTheLastPairs) {
  const Svd whole = svd(random_gaussian(6, 9, 1, 1));
  const Basis leading = select_basis(whole, BasisKind::Leading, 2, 0);
  EXPECT_EQ(leading.u, columns_of(whole.u, 0, 2));
  EXPECT_EQ(leading.v, columns_of(whole.v, 0, 2));
  EXPECT_EQ(leading.sigma, (std::vector<double>{whole.sigma[0], whole.sigma[1]}));
  const Basis trailing = select_basis(whole, BasisKind::Trailing, 2, 0);
  EXPECT_EQ(trailing.u, columns_of(whole.u, 4, 6));
  EXPECT_EQ(trailing.v, columns_of(whole.v, 4, 6));
  EXPECT_EQ(trailing.sigma, (std::vector<double>{whole.sigma[4], whole.sigma[5]}));
}

TEST(SelectBasis, DrawsOrthonormalDirectionsByTheSeed) {
  const Matrix matrix = random_gaussian(12, 7, 1, 1);
  const Svd whole = svd(matrix);
  const Basis random = select_basis(whole, BasisKind::Random, 5, 11);
  EXPECT_LT(largest_difference(multiply_at_b(random.u, random.u), identity(5)), tolerance);
  EXPECT_LT(largest_difference(multiply_at_b(random.v, random.v), identity(5)), tolerance);
  const Matrix inside = multiply(multiply_at_b(random.u, matrix), random.v);
  for (std::int64_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(random.sigma[static_cast<std::size_t>(i)], inside(i, i), 1e-12);
  }
  EXPECT_EQ(select_basis(whole, BasisKind::Random, 5, 11).u, random.u);
  EXPECT_GT(largest_difference(select_basis(whole, BasisKind::Random, 5, 12).u, random.u), 0.1);
  // A square matrix must not get the same directions on both sides.
  const Svd square = svd(random_gaussian(7, 7, 1, 1));
  const Basis both = select_basis(square, BasisKind::Random, 3, 11);
  EXPECT_GT(largest_difference(both.u, both.v), 0.1);
}

TEST(SelectBasis, RefusesARankBeyondTheMatrixAndNamesBoth) {
  const Svd whole = svd(random_gaussian(6, 9, 1, 1));
  for (const BasisKind kind : {BasisKind::Leading, BasisKind::Trailing, BasisKind::Random,
                               BasisKind::Shuffled, BasisKind::Rotated}) {
    EXPECT_THAT(error_of([&] { select_basis(whole, kind, 7, 0); }),
                testing::AllOf(HasSubstr("rank 7"), HasSubstr("6 x 9"), HasSubstr("rank is 6")));
    EXPECT_THROW(select_basis(whole, kind, 0, 0), Error);
    EXPECT_EQ(select_basis(whole, kind, 6, 0).u.columns(), 6);
  }
}

// The coefficients that every basis comes with are u_iᵀ W v_i.
void expect_coefficients(const Matrix& weight, const Basis& basis) {
  const Matrix inside = multiply(multiply_at_b(basis.u, weight), basis.v);
  for (std::int64_t i = 0; i < inside.rows(); ++i) {
    EXPECT_NEAR(basis.sigma[static_cast<std::size_t>(i)], inside(i, i), 1e-12) << i;
  }
}

/// B Bᵀ: what a basis spans, whichever its columns.
Matrix projection(const Matrix& b) {
  return multiply_a_bt(b, b);
}

TEST(SelectBasis, ShufflesTheLeadingPairsSoThatNoneStays) {
  const Matrix weight = random_gaussian(9, 7, 1, 1);
  const Svd whole = svd(weight);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Basis shuffled = select_basis(whole, BasisKind::Shuffled, 4, seed);
    EXPECT_EQ(shuffled.u, columns_of(whole.u, 0, 4));
    EXPECT_LT(largest_difference(projection(shuffled.v), projection(columns_of(whole.v, 0, 4))),
              tolerance);
    for (const double sigma : shuffled.sigma) EXPECT_NEAR(sigma, 0, 1e-12) << "a pair stayed";
  }
  EXPECT_THROW(select_basis(whole, BasisKind::Shuffled, 1, 0), Error);
}

TEST(SelectBasis, RotatesBothSidesWithinTheLeadingSubspace) {
  const Matrix weight = random_gaussian(9, 9, 1, 1);
  const Svd whole = svd(weight);
  const Basis rotated = select_basis(whole, BasisKind::Rotated, 4, 3);
  const Matrix u = columns_of(whole.u, 0, 4), v = columns_of(whole.v, 0, 4);
  EXPECT_LT(largest_difference(projection(rotated.u), projection(u)), tolerance);
  EXPECT_LT(largest_difference(projection(rotated.v), projection(v)), tolerance);
  EXPECT_GT(largest_difference(rotated.u, u), 0.1);
  EXPECT_GT(largest_difference(multiply_at_b(u, rotated.u), multiply_at_b(v, rotated.v)), 0.1)
      << "the same rotation on both sides";
  expect_coefficients(weight, rotated);
}

TEST(SelectBasis, FlipsLeadingPairsTogether) {
  const Svd whole = svd(random_gaussian(30, 20, 1, 0));
  const Basis flipped = select_basis(whole, BasisKind::Flipped, 16, 5);
  int turned = 0;
  for (std::int64_t j = 0; j < 16; ++j) {
    const double sign = flipped.u(0, j) == whole.u(0, j) ? 1 : -1;
    turned += sign < 0;
    for (std::int64_t i = 0; i < 30; ++i) EXPECT_EQ(flipped.u(i, j), sign * whole.u(i, j));
    for (std::int64_t i = 0; i < 20; ++i) EXPECT_EQ(flipped.v(i, j), sign * whole.v(i, j));
    EXPECT_EQ(flipped.sigma[static_cast<std::size_t>(j)], whole.sigma[static_cast<std::size_t>(j)]);
  }
  EXPECT_GT(turned, 2);  // of 16, binomial: outside of 3 to 13 once in 240
  EXPECT_LT(turned, 14);
  EXPECT_EQ(select_basis(whole, BasisKind::Flipped, 16, 5).v.elements(), flipped.v.elements());
  EXPECT_NE(select_basis(whole, BasisKind::Flipped, 16, 6).v.elements(), flipped.v.elements());
}

TEST(SelectBasis, CannotTellFromAWeightWhatItIsUsedFor) {
  const Svd whole = svd(random_gaussian(6, 9, 1, 1));
  for (const BasisKind kind : {BasisKind::Activation, BasisKind::OtherSeed}) {
    EXPECT_THAT(error_of([&] { select_basis(whole, kind, 2, 0); }), HasSubstr(name_of(kind)));
  }
}

// Inputs that live in the weakest direction alone: that one leads.
TEST(ActivationBasis, OrdersPairsByWhatTheyDoToTheInputs) {
  const Matrix weight = random_gaussian(9, 5, 1, 1);
  const Svd whole = svd(weight);
  const Matrix last = columns_of(whole.v, 4, 5);
  Matrix moment = projection(last);
  for (std::int64_t i = 0; i < 5; ++i) moment(i, i) += 1e-6;
  const Basis basis = activation_basis(whole, moment, 2);
  EXPECT_EQ(basis.u, [&] {
    Matrix wanted(9, 2);
    for (std::int64_t i = 0; i < 9; ++i) {
      wanted(i, 0) = whole.u(i, 4);
      wanted(i, 1) = whole.u(i, 0);
    }
    return wanted;
  }());
  expect_coefficients(weight, basis);
  EXPECT_THROW(activation_basis(whole, moment, 6), Error);
}

TEST(BasisOfOther, HasItsDirectionsAndThisWeightsCoefficients) {
  const Matrix weight = random_gaussian(8, 6, 1, 1);
  const Basis other = select_basis(svd(random_gaussian(8, 6, 2, 1)), BasisKind::Leading, 3, 0);
  const Basis basis = basis_of_other(weight, other);
  EXPECT_EQ(basis.u, other.u);
  expect_coefficients(weight, basis);
  EXPECT_THROW(basis_of_other(random_gaussian(6, 8, 1, 1), other), ShapeError);
}

TEST(RandomOrthonormal, IsHaarDistributed) {
  // Entries of a Haar vector in d dimensions have mean 0, variance 1/d. QR without the sign rule
  // gives a diagonal of one sign (mean about -0.9/√d at the first entry). 4000 draws: standard
  // error 0.5/√4000 = 0.008 for d = 4; 5 of them.
  constexpr int draws = 4000;
  double mean = 0, square = 0;
  for (int draw = 0; draw < draws; ++draw) {
    const double entry = random_orthonormal(4, 2, static_cast<std::uint64_t>(draw))(1, 1);
    mean += entry / draws;
    square += entry * entry / draws;
  }
  EXPECT_NEAR(mean, 0, 0.04);
  EXPECT_NEAR(square, 0.25, 0.02);  // standard deviation of x² is 0.18: 5 errors are 0.014
  EXPECT_THROW(random_orthonormal(4, 5, 0), Error);
}

TEST(RandomWithSpectrum, KeepsTheSingularValuesAndForgetsTheDirections) {
  const Svd whole = svd(random_gaussian(10, 6, 1, 1));
  const Matrix scramble = random_with_spectrum(whole.sigma, 10, 6, 3);
  expect_near(singular_values(scramble), whole.sigma, 1e-12, "spectrum");
  EXPECT_GT(largest_difference(scramble, reconstruct(whole)), 0.1);
  EXPECT_THROW(random_with_spectrum(whole.sigma, 10, 7, 3), Error);
}

}  // namespace
}  // namespace basis
