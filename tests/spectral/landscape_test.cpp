#include "spectral/landscape.h"

#include <cmath>

#include <gtest/gtest.h>

#include "tensor/caching_allocator.h"
#include "tensor/cpu/cpu_backend.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

class LandscapeOfParameters : public testing::Test {
 protected:
  LandscapeOfParameters() {
    for (const auto& [name, values] :
         {std::pair{"a", std::vector<double>{3, -4}}, std::pair{"b", std::vector<double>{0, 0, 0}},
          std::pair{"c", std::vector<double>(1000, 0.5)}}) {
      parameters_.push_back(
          &store_.create(name, to_device<double>(*backend_, memory_, values, {std::ssize(values)}),
                         ParameterRole::Encoder, true));
    }
  }

  std::vector<double> values(std::size_t i) const {
    return to_host<double>(*backend_, parameters_[i]->value());
  }
  static std::vector<double> of(Backend& backend, const Tensor& tensor) {
    return to_host<double>(backend, tensor);
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  CachingAllocator memory_{*backend_};
  ParameterStore store_;
  ParameterList parameters_;
};

TEST_F(LandscapeOfParameters, GaussianDirectionsAreThemselvesAndOthers) {
  const Direction one = gaussian_direction(*backend_, memory_, parameters_, 1, 0);
  const Direction again = gaussian_direction(*backend_, memory_, parameters_, 1, 0);
  const Direction other = gaussian_direction(*backend_, memory_, parameters_, 1, 1);
  const Direction seeded = gaussian_direction(*backend_, memory_, parameters_, 2, 0);
  EXPECT_EQ(of(*backend_, one[2]), of(*backend_, again[2]));
  EXPECT_NE(of(*backend_, one[2]), of(*backend_, other[2]));
  EXPECT_NE(of(*backend_, one[2]), of(*backend_, seeded[2]));
  // ‖δ‖² is χ² of 1,005: its standard deviation is 45.
  EXPECT_NEAR(std::pow(norm_of(*backend_, memory_, one), 2), 1005, 4 * 45);
}

TEST_F(LandscapeOfParameters, ScalesByEachTensorsSize) {
  Direction direction = gaussian_direction(*backend_, memory_, parameters_, 1, 0);
  const Direction plain = gaussian_direction(*backend_, memory_, parameters_, 1, 0);
  scale_by_root_mean_square(*backend_, memory_, parameters_, direction);
  // Of a: √(25 / 2).
  EXPECT_NEAR(of(*backend_, direction[0])[1], of(*backend_, plain[0])[1] * std::sqrt(12.5), 1e-12);
  EXPECT_EQ(of(*backend_, direction[1]), std::vector<double>(3, 0.0)) << "b is zeros";
  scale_by_tensor(*backend_, memory_, parameters_, direction);
  EXPECT_NEAR(norm_of(*backend_, memory_, {direction[0]}), 5, 1e-12);
  EXPECT_NEAR(norm_of(*backend_, memory_, {direction[2]}), std::sqrt(250), 1e-12);
}

TEST_F(LandscapeOfParameters, MovesAndPutsBackBitForBit) {
  const Direction one = gaussian_direction(*backend_, memory_, parameters_, 1, 0);
  const Direction other = gaussian_direction(*backend_, memory_, parameters_, 1, 1);
  const Tensor before = parameters_[0]->value();
  const std::uint64_t version = parameters_[0]->version();
  {
    Displacement displacement(*backend_, memory_, parameters_);
    displacement.move(0.1, one);
    const Displacement::Move plane[] = {{0.3, &one}, {-0.2, &other}};
    displacement.move(plane);
    EXPECT_DOUBLE_EQ(values(0)[0],
                     3 + 0.3 * of(*backend_, one[0])[0] - 0.2 * of(*backend_, other[0])[0])
        << "from θ, not from where it stood";
    EXPECT_GT(parameters_[0]->version(), version) << "prepared copies must be made anew";
  }
  EXPECT_EQ(parameters_[0]->value().bytes_begin(), before.bytes_begin());
  EXPECT_EQ(values(0), (std::vector<double>{3, -4}));
}

TEST_F(LandscapeOfParameters, TheWayToAnotherModelLeadsThere) {
  const std::vector<Tensor> other = {
      to_device<double>(*backend_, memory_, std::vector<double>{4, -4}, {2}),
      to_device<double>(*backend_, memory_, std::vector<double>{0, 2, 0}, {3}),
      parameters_[2]->value()};
  const Direction way = difference_to(*backend_, memory_, parameters_, other);
  EXPECT_DOUBLE_EQ(norm_of(*backend_, memory_, way), std::sqrt(5));
  Displacement displacement(*backend_, memory_, parameters_);
  displacement.move(1, way);
  EXPECT_EQ(values(0), (std::vector<double>{4, -4}));
  EXPECT_EQ(values(1), (std::vector<double>{0, 2, 0}));
}

TEST_F(LandscapeOfParameters, NoiseInABasisStaysThere) {
  const Basis basis = random_basis(12, 8, 3, 4);
  const Matrix noise = noise_in_basis(basis, 2.5, 1, 0, "w");
  EXPECT_NEAR(frobenius_norm(noise), 2.5, 1e-12);
  const Matrix inside =
      multiply_a_bt(multiply(basis.u, multiply(multiply_at_b(basis.u, noise), basis.v)), basis.v);
  EXPECT_NEAR(frobenius_norm(subtract(noise, inside)), 0, 1e-12);
  EXPECT_EQ(noise_in_basis(basis, 2.5, 1, 0, "w"), noise);
  EXPECT_NE(noise_in_basis(basis, 2.5, 1, 1, "w"), noise);
  EXPECT_NE(noise_in_basis(basis, 2.5, 1, 0, "v"), noise);
}

// A loss whose gradient is one vector everywhere: its own direction is the worst.
TEST_F(LandscapeOfParameters, GradientAscentFindsTheWorstDirection) {
  const Direction gradient = gaussian_direction(*backend_, memory_, parameters_, 9, 7);
  int calls = 0;
  const Direction worst = worst_direction(
      *backend_, memory_, parameters_,
      [&] {
        ++calls;
        EXPECT_NE(values(0), (std::vector<double>{3, -4})) << "asked at θ + αδ";
        return gradient;
      },
      0.01, 30, 0.2, 5);
  EXPECT_EQ(calls, 30);
  EXPECT_EQ(values(0), (std::vector<double>{3, -4}));
  EXPECT_NEAR(norm_of(*backend_, memory_, worst), std::sqrt(1005), 1e-9);
  double product = 0;
  for (std::size_t i = 0; i < worst.size(); ++i) {
    const std::vector<double> a = of(*backend_, worst[i]), b = of(*backend_, gradient[i]);
    for (std::size_t j = 0; j < a.size(); ++j) product += a[j] * b[j];
  }
  EXPECT_GT(product / std::sqrt(1005) / norm_of(*backend_, memory_, gradient), 0.99);
}

}  // namespace
}  // namespace basis
