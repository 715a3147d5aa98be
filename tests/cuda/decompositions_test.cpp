// Decompositions of a CUDA device against LAPACK's: cuSOLVER's where there is a GPU, elsewhere the
// same path around the emulated device's Jacobi rotations.
#include "tensor/decompositions.h"

#include <array>
#include <cmath>

#include <gmock/gmock.h>

#include "spectral/analysis.h"
#include "spectral/leading_svd.h"
#include "spectral/matrix_parallel.h"
#include "spectral/svd_basis.h"
#include "tensor/error.h"
#include "tests/cuda/under_test.h"
#include "tests/spectral/matrices.h"

namespace basis {
namespace {

// Backward errors of both are a small multiple of eps √(n m) ‖W‖.
constexpr double tolerance = 1e-12;

class DeviceDecompositions : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(device_, nullptr) << "no library: "
                                << testing::PrintToString(backend_->description());
  }

  /// The device's, which must have it.
  Svd on_device(const Matrix& matrix) {
    Svd found = svd(matrix, device_.get());
    EXPECT_EQ(device_->remark(), "") << matrix.to_string();
    return found;
  }

  void expect_decomposition(const Matrix& matrix, const std::string& what) {
    const Svd found = on_device(matrix), wanted = svd(matrix);
    ASSERT_EQ(found.rank(), wanted.rank()) << what;
    ASSERT_EQ(found.out(), matrix.rows()) << what;
    ASSERT_EQ(found.in(), matrix.columns()) << what;
    const double size = std::max(1.0, wanted.sigma.front());
    EXPECT_LT(largest_difference(reconstruct(found), matrix), tolerance * size) << what;
    const Matrix ones = identity(found.rank());
    EXPECT_LT(largest_difference(multiply_at_b(found.u, found.u), ones), tolerance) << what;
    EXPECT_LT(largest_difference(multiply_at_b(found.v, found.v), ones), tolerance) << what;
    EXPECT_TRUE(std::is_sorted(found.sigma.rbegin(), found.sigma.rend())) << what;
    expect_near(found.sigma, wanted.sigma, tolerance * size, what);
  }

  std::unique_ptr<Backend> backend_ = make_cuda_under_test();
  std::unique_ptr<Decompositions> device_ = backend_->make_decompositions();
};

TEST_F(DeviceDecompositions, AgreeWithLapackInEveryShape) {
  std::vector<std::array<std::int64_t, 2>> shapes = {
      {1, 1}, {1, 9}, {9, 1}, {2, 3}, {31, 31}, {20, 75}, {75, 20}, {129, 130}, {130, 129}};
  if (is_gpu_under_test()) shapes.insert(shapes.end(), {{768, 768}, {3072, 768}, {768, 3072}});
  for (const auto& [out, in] : shapes) {
    const Matrix matrix = random_gaussian(out, in, 3, 1);
    expect_decomposition(matrix, matrix.to_string());
  }
}

TEST_F(DeviceDecompositions, HaveLapacksVectorsWithTheirSigns) {
  // Vectors are known to eps ‖W‖ / gap: 2e-16 / 0.9^40 (1 - 0.9) at the smallest, 2e-13.
  std::vector<double> sigma;
  for (int i = 0; i < 40; ++i) sigma.push_back(std::pow(0.9, i));
  for (const auto& [out, in] : {std::array{40, 40}, {40, 90}, {90, 40}}) {
    const Matrix matrix = random_with_spectrum(sigma, out, in, 7);
    const Svd found = on_device(matrix), wanted = svd(matrix);
    EXPECT_LT(largest_difference(found.u, wanted.u), 1e-11) << matrix.to_string();
    EXPECT_LT(largest_difference(found.v, wanted.v), 1e-11) << matrix.to_string();
    const Svd leading = leading_svd(matrix, 7, device_.get());
    EXPECT_EQ(leading.v, columns_of(found.v, 0, 7)) << "on a device the whole is decomposed";
    EXPECT_EQ(leading.rank(), 7);
  }
  // Both entries have the same magnitude: the first of them is positive.
  EXPECT_GT(on_device(Matrix(1, 2, {-3, 3})).v(0, 0), 0);
  EXPECT_EQ(on_device(Matrix(3, 1, {1, -5, 2})).v(0, 0), 1);
}

// Polar decompositions move values close to zero (cuSOLVER says so, the emulated one moves them by
// 1e-9 of the first): the QR iterations must have done these.
TEST_F(DeviceDecompositions, KeepSmallSingularValues) {
  const Matrix low = multiply(random_gaussian(20, 3, 1, 1), random_gaussian(3, 30, 1, 2));
  expect_decomposition(low, "rank 3 of 20");
  EXPECT_LT(svd(low, device_.get()).sigma[3], 1e-12);
  expect_decomposition(transpose(low), "rank 3 of 20, tall");
  expect_decomposition(Matrix(5, 8), "zeros");
}

TEST_F(DeviceDecompositions, FindTheSubspacesOfRepeatedSingularValues) {
  expect_decomposition(identity(10), "identity");
  std::vector<double> sigma(30, 1.0);
  std::fill(sigma.begin() + 10, sigma.end(), 0.5);
  const Matrix matrix = random_with_spectrum(sigma, 30, 45, 3);
  expect_decomposition(matrix, "two clusters");
  // Vectors within a cluster are anyone's; its projector is known to eps ‖W‖ / gap.
  const Svd found = on_device(matrix), wanted = svd(matrix);
  const auto projector = [](const Matrix& vectors) {
    const Matrix first = columns_of(vectors, 0, 10);
    return multiply_a_bt(first, first);
  };
  EXPECT_LT(largest_difference(projector(found.u), projector(wanted.u)), 1e-13);
  EXPECT_LT(largest_difference(projector(found.v), projector(wanted.v)), 1e-13);
}

TEST_F(DeviceDecompositions, DoNotHangOnTheScale) {
  for (const double factor : {1e-30, 1e30}) {
    Matrix matrix = random_gaussian(12, 20, 2, 2);
    scale(matrix, factor);
    const Svd found = on_device(matrix);
    EXPECT_LT(largest_difference(reconstruct(found), matrix), 1e-13 * found.sigma.front());
  }
}

TEST_F(DeviceDecompositions, ServeThreadsOneAfterTheOther) {
  std::vector<Matrix> matrices;
  std::vector<Svd> alone, together(12);
  for (std::uint64_t i = 0; i < together.size(); ++i) {
    const auto size = static_cast<std::int64_t>(30 + 3 * i);
    matrices.push_back(random_gaussian(size, 90, i, 1));
    alone.push_back(on_device(matrices.back()));
  }
  std::atomic<std::size_t> next = 0;
  run_on_threads(4, [&] {
    for (std::size_t i = next++; i < matrices.size(); i = next++) {
      together[i] = svd(matrices[i], device_.get());
    }
  });
  for (std::size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(together[i].sigma, alone[i].sigma) << i;
    EXPECT_EQ(together[i].u, alone[i].u) << i;
    EXPECT_EQ(together[i].v, alone[i].v) << i;
  }
}

TEST_F(DeviceDecompositions, RefuseWhatIsNotFiniteAndNameThePlace) {
  Matrix matrix = random_gaussian(4, 6, 1, 1);
  matrix(2, 5) = std::nan("");
  EXPECT_THAT([&] { svd(matrix, device_.get()); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("(2, 5) of a 4 x 6")));
  EXPECT_THROW(svd(Matrix(), device_.get()), Error);
}

TEST_F(DeviceDecompositions, ServeAnalyses) {
  const Matrix before = random_gaussian(24, 36, 1, 1);
  const MatrixPair pair{"w", before, with_noise(before, 0.1, 2)};
  AnalysisOptions options{.gaussian_draws = 2};
  const MatrixReport wanted = analyse_matrix(pair, options);
  options.device = device_.get();
  const MatrixReport found = analyse_matrix(pair, options);
  // Curves of k hang on vectors, known to eps ‖W‖ / gap with gaps above 1e-4 of ‖W‖.
  expect_near(found.sigma, wanted.sigma, tolerance, "σ");
  expect_near(found.sigma_after, wanted.sigma_after, tolerance, "σ'");
  expect_near(found.u.rotation, wanted.u.rotation, 1e-10, "u");
  expect_near(found.v.rotation, wanted.v.rotation, 1e-10, "v");
  expect_near(found.v.rotation_gaussian, wanted.v.rotation_gaussian, 1e-10, "control");
  expect_near(found.stability.matched, wanted.stability.matched, 1e-10, "stability");
  // Bits differ: LAPACK did not do both.
  EXPECT_NE(found.sigma, wanted.sigma);
  EXPECT_NE(found.sigma_after, wanted.sigma_after);
  EXPECT_NE(found.v.rotation_gaussian, wanted.v.rotation_gaussian);
}

}  // namespace
}  // namespace basis
