// How cuBLASLt is called, where there is no GPU: transposes, strides and epilogues, with a library
// of its name that multiplies by loops (fake_cublaslt.cpp).
#include "tensor/cuda/cublaslt.h"

#include <cmath>
#include <cstdlib>
#include <vector>

#include <dlfcn.h>
#include <gmock/gmock.h>

#include "tensor/cpu/functors.h"
#include "tensor/error.h"

namespace basis::cuda::device {
namespace {

/// Whole numbers of a few bits, in a matrix with a margin between rows: products are exact in f32.
class Matrix {
 public:
  Matrix(std::int64_t rows, std::int64_t columns, DType dtype, int seed = 1)
      : dtype_(dtype),
        view_{nullptr, dtype, rows, columns, columns + 8},
        bytes_(static_cast<std::size_t>(rows * view_.row_stride) * size_of(dtype) + 256) {
    auto begin = reinterpret_cast<std::uintptr_t>(bytes_.data());
    view_.data = reinterpret_cast<void*>((begin + 255) / 256 * 256);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        set(i, j, static_cast<float>((i * 5 + j * 3 + seed * 7) % 11 - 5));
      }
    }
  }
  MatrixView view() const { return view_; }
  float at(std::int64_t i, std::int64_t j) const {
    const std::int64_t place = i * view_.row_stride + j;
    if (dtype_ == DType::F32) return view_.as<float>()[place];
    return widen(view_.as<BFloat16>()[place]);
  }
  void set(std::int64_t i, std::int64_t j, float value) {
    const std::int64_t place = i * view_.row_stride + j;
    if (dtype_ == DType::F32) {
      view_.as<float>()[place] = value;
    } else {
      view_.as<BFloat16>()[place] = narrow(value);
    }
  }

 private:
  DType dtype_;
  MatrixView view_;
  std::vector<std::byte> bytes_;
};

class Cublaslt : public testing::Test {
 protected:
  static void SetUpTestSuite() { setenv("BASIS_CUDA_LIBRARIES", BASIS_FAKE_FOLDER, 1); }

  template <class Result, class... Arguments>
  Result fake(const char* name, Arguments... arguments) {
    void* library = dlopen(library_.path().c_str(), RTLD_NOW | RTLD_NOLOAD);
    return reinterpret_cast<Result (*)(Arguments...)>(dlsym(library, name))(arguments...);
  }

  /// Runs it and compares with loops.
  void expect_product(std::int64_t m, std::int64_t n, std::int64_t k, bool ta, bool tb, DType in,
                      DType to, double beta) {
    const Matrix a = ta ? Matrix(k, m, in) : Matrix(m, k, in);
    const Matrix b = tb ? Matrix(n, k, in, 2) : Matrix(k, n, in, 2);
    const Matrix before(m, n, to, 3), out(m, n, to, 3);
    ASSERT_TRUE(library_.run({0.5, a.view(), ta, b.view(), tb, beta, out.view()}));
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::int64_t c = 0; c < k; ++c) {
          sum += static_cast<double>(ta ? a.at(c, i) : a.at(i, c)) * (tb ? b.at(j, c) : b.at(c, j));
        }
        const double wanted = 0.5 * sum + beta * before.at(i, j);
        EXPECT_NEAR(out.at(i, j), wanted, to == DType::BF16 ? std::fabs(wanted) / 128 : 0)
            << m << " x " << n << " x " << k << (ta ? " a transposed" : "")
            << (tb ? " b transposed" : "") << " at " << i << ", " << j;
      }
    }
  }

  Runtime runtime_{0};
  CublasLt library_{runtime_, false};
};

TEST_F(Cublaslt, MultipliesRowMajorMatricesOfEveryForm) {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      for (const double beta : {0.0, 1.0}) {
        expect_product(3, 5, 7, ta, tb, DType::F32, DType::F32, beta);
        expect_product(8, 4, 6, ta, tb, DType::BF16, DType::BF16, beta);
        expect_product(4, 9, 2, ta, tb, DType::BF16, DType::F32, beta);
      }
    }
  }
  EXPECT_EQ(fake<int>("fake_cublaslt_last_compute"), CUBLAS_COMPUTE_32F);
}

TEST_F(Cublaslt, ChoosesOnceForAShape) {
  const int before = fake<int>("fake_cublaslt_heuristics");
  for (int i = 0; i < 3; ++i) expect_product(3, 5, 7, false, true, DType::F32, DType::F32, 0);
  EXPECT_EQ(fake<int>("fake_cublaslt_heuristics") - before, 1);
  expect_product(3, 5, 8, false, true, DType::F32, DType::F32, 0);
  expect_product(3, 5, 7, false, true, DType::F32, DType::F32, 1);
  EXPECT_EQ(fake<int>("fake_cublaslt_heuristics") - before, 3);
  EXPECT_EQ(library_.choices().size(), 3u);
  EXPECT_THAT(library_.choices(),
              testing::Contains("f32 to f32: (3, 5) of 7 terms, right transposed, added: algorithm "
                                "60, tile 61, stages 66, split 62, reduction 63"));
}

TEST_F(Cublaslt, AddsABiasAndTakesAnotherTheNextTime) {
  for (const DType dtype : {DType::F32, DType::BF16}) {
    const Matrix x(6, 4, dtype), weight(5, 4, dtype, 2), out(6, 5, dtype);
    for (const int seed : {1, 4}) {
      const Matrix bias(1, 5, dtype, seed);
      Product product{1, x.view(), false, weight.view(), true, 0, out.view()};
      product.epilogue = Epilogue::Bias;
      product.row = bias.view().data;
      ASSERT_TRUE(library_.run(product));
      for (std::int64_t i = 0; i < 6; ++i) {
        for (std::int64_t j = 0; j < 5; ++j) {
          float wanted = bias.at(0, j);
          for (std::int64_t c = 0; c < 4; ++c) wanted += x.at(i, c) * weight.at(j, c);
          EXPECT_NEAR(out.at(i, j), wanted, std::fabs(wanted) / 128);
        }
      }
    }
  }
}

TEST_F(Cublaslt, SumsColumnsOfAGradientBesideItsProduct) {
  const Matrix g(6, 3, DType::BF16), x(6, 4, DType::BF16, 2), dweight(3, 4, DType::F32);
  const Matrix dbias(1, 3, DType::F32);
  Product product{1, g.view(), true, x.view(), false, 0, dweight.view()};
  product.epilogue = Epilogue::BiasGradient;
  product.row = dbias.view().data;
  ASSERT_TRUE(library_.run(product));
  for (std::int64_t o = 0; o < 3; ++o) {
    float sum = 0;
    for (std::int64_t t = 0; t < 6; ++t) sum += g.at(t, o);
    EXPECT_EQ(dbias.at(0, o), sum);
    for (std::int64_t i = 0; i < 4; ++i) {
      float wanted = 0;
      for (std::int64_t t = 0; t < 6; ++t) wanted += g.at(t, o) * x.at(t, i);
      EXPECT_EQ(dweight.at(o, i), wanted);
    }
  }
}

TEST_F(Cublaslt, SaysWhereItHasNoAlgorithm) {
  fake<void>("fake_cublaslt_refuse", static_cast<int>(CUBLASLT_EPILOGUE_BIAS));
  const Matrix x(6, 4, DType::F32), weight(5, 4, DType::F32, 2), out(6, 5, DType::F32),
      bias(1, 5, DType::F32);
  Product product{1, x.view(), false, weight.view(), true, 0, out.view()};
  product.epilogue = Epilogue::Bias;
  product.row = bias.view().data;
  EXPECT_FALSE(library_.run(product));
  EXPECT_FALSE(library_.run(product));
  fake<void>("fake_cublaslt_refuse", -1);
  EXPECT_THAT(library_.choices(),
              testing::ElementsAre("f32 to f32: (6, 5) of 4 terms, right transposed, with bias: "
                                   "none, a plain kernel"));
}

TEST_F(Cublaslt, NamesTheProductThatFails) {
  const Matrix a(3, 7, DType::BF16), b(5, 7, DType::BF16), out(3, 5, DType::BF16);
  fake<void>("fake_cublaslt_fail_next", static_cast<int>(CUBLAS_STATUS_EXECUTION_FAILED));
  try {
    library_.run({1, a.view(), false, b.view(), true, 0, out.view()});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("(3, 7) times (5, 7) transposed in bf16"));
  }
}

TEST_F(Cublaslt, UsesTf32WhereItIsAllowed) {
  CublasLt allowed(runtime_, true);
  const Matrix a(3, 4, DType::F32), b(4, 5, DType::F32), out(3, 5, DType::F32);
  ASSERT_TRUE(allowed.run({1, a.view(), false, b.view(), false, 0, out.view()}));
  EXPECT_EQ(fake<int>("fake_cublaslt_last_compute"), CUBLAS_COMPUTE_32F_FAST_TF32);
  const Matrix c(3, 4, DType::BF16), d(4, 5, DType::BF16), e(3, 5, DType::BF16);
  ASSERT_TRUE(allowed.run({1, c.view(), false, d.view(), false, 0, e.view()}));
  EXPECT_EQ(fake<int>("fake_cublaslt_last_compute"), CUBLAS_COMPUTE_32F);
}

}  // namespace
}  // namespace basis::cuda::device
