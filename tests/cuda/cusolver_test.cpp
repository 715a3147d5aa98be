// How cuSOLVER is called, where there is no GPU: the device's side on memory of the host, with a
// library of cuSOLVER's name that is LAPACK (fake_cusolver.cpp).
#include <array>
#include <cstdlib>

#include <dlfcn.h>
#include <gmock/gmock.h>

#include "tensor/cuda/decompositions.h"
#include "tensor/cuda/runtime.h"
#include "tests/spectral/matrices.h"

namespace basis::cuda::device {

namespace {

using testing::HasSubstr;

class Cusolver : public testing::Test {
 protected:
  static void SetUpTestSuite() { setenv("BASIS_CUDA_LIBRARIES", BASIS_FAKE_FOLDER, 1); }

  void SetUp() override {
    ASSERT_NE(decompositions_, nullptr) << describe_svd();
    library_ = dlopen(BASIS_FAKE_FOLDER "/libcusolver.so.12", RTLD_NOW | RTLD_NOLOAD);
    ASSERT_NE(library_, nullptr) << describe_svd();
    before_ = calls();
  }
  void TearDown() override { end_with(0); }

  void end_with(int info, double error = 0) {
    reinterpret_cast<void (*)(int, double)>(dlsym(library_, "fake_cusolver_end_with"))(info, error);
  }
  /// Polar, QR, and open handles.
  std::array<int, 3> calls() {
    std::array<int, 3> counts;
    reinterpret_cast<void (*)(int*, int*, int*)>(dlsym(library_, "fake_cusolver_calls"))(
        &counts[0], &counts[1], &counts[2]);
    return counts;
  }
  void expect_calls(int polar, int qr) {
    EXPECT_EQ(calls()[0] - before_[0], polar);
    EXPECT_EQ(calls()[1] - before_[1], qr);
  }
  void expect_lapacks(const Matrix& matrix) {
    const Svd wanted = svd(matrix), found = svd(matrix, decompositions_.get());
    expect_near(found.sigma, wanted.sigma, 1e-13, matrix.to_string());
    EXPECT_LT(largest_difference(reconstruct(found), matrix), 1e-12) << matrix.to_string();
    const Matrix ones = identity(found.rank());
    EXPECT_LT(largest_difference(multiply_at_b(found.u, found.u), ones), 1e-13);
    EXPECT_LT(largest_difference(multiply_at_b(found.v, found.v), ones), 1e-13);
  }

  Runtime runtime_{0};
  std::unique_ptr<Decompositions> decompositions_ = make_decompositions(runtime_);
  void* library_ = nullptr;
  std::array<int, 3> before_ = {};
};

TEST_F(Cusolver, IsNamedWithItsVersionAndPlace) {
  EXPECT_EQ(describe_svd(), "cuSOLVER 12.3.4 (" BASIS_FAKE_FOLDER "/libcusolver.so.12)");
  EXPECT_EQ(decompositions_->name(), "cuSOLVER 12.3.4");
}

TEST_F(Cusolver, DecomposesByItsPolarDecomposition) {
  int shapes = 0;
  // Larger and smaller in turn: memory and workspace grow and are used again.
  for (const auto& [out, in] : {std::array{5, 7}, {30, 20}, {1, 1}, {20, 20}, {3, 40}}) {
    expect_lapacks(random_gaussian(out, in, 3, 1));
    ++shapes;
  }
  expect_calls(shapes, 0);
  EXPECT_EQ(calls()[2], 1) << "one handle";
  EXPECT_EQ(decompositions_->remark(), "");
  decompositions_.reset();
  EXPECT_EQ(calls()[2], 0) << "handles go with it";
}

TEST_F(Cusolver, IteratesWhereSmallValuesWereMoved) {
  expect_lapacks(multiply(random_gaussian(20, 3, 1, 1), random_gaussian(3, 30, 1, 2)));
  expect_lapacks(multiply(random_gaussian(30, 3, 1, 1), random_gaussian(3, 20, 1, 2)));
  expect_calls(2, 2);
  EXPECT_EQ(decompositions_->remark(), "");
}

TEST_F(Cusolver, LeavesToLapackWhatDoesNotConvergeAndSaysSo) {
  const Matrix matrix = random_gaussian(20, 30, 3, 1);
  expect_lapacks(matrix);
  end_with(5);
  expect_lapacks(matrix);
  expect_calls(2, 1);
  EXPECT_EQ(decompositions_->remark(),
            "SVD: LAPACK decomposed 1 of 2 matrices in place of cuSOLVER 12.3.4 (the first, 20 x "
            "30: polar: it did not converge (info 5), QR: it did not converge (info 5))");
}

TEST_F(Cusolver, IsNotTakenAtItsWord) {
  const Matrix matrix = random_gaussian(20, 30, 3, 1);
  end_with(0, 1e-9);
  expect_lapacks(matrix);
  expect_calls(1, 1);
  EXPECT_THAT(decompositions_->remark(), HasSubstr("QR: the result is not the matrix's"));
}

}  // namespace
}  // namespace basis::cuda::device
