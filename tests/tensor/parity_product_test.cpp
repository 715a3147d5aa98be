#include <cmath>

#include "tests/tensor/parity.h"

namespace basis {
namespace {

using ParityOfProducts = Parity;
INSTANTIATE_TEST_SUITE_P(Cpu, ParityOfProducts, testing::ValuesIn(kernel_variants()), variant_name);
INSTANTIATE_TEST_SUITE_P(Cuda, ParityOfProducts, testing::ValuesIn(cuda_variants()), variant_name);

// A dot product of n pairs of normal numbers: n roundings of partial sums below 5 sqrt(n).
double product_units(std::int64_t n) {
  return 10 * std::sqrt(static_cast<double>(n)) + 4;
}

struct Sizes {
  std::int64_t rows, columns, inner;
};
const std::vector<Sizes> product_sizes = {{1, 1, 1},     {1, 7, 384},  {3, 24, 33}, {64, 33, 7},
                                          {129, 64, 24}, {129, 1, 64}, {1, 384, 1}, {65, 130, 129}};

TEST_P(ParityOfProducts, Matmul) {
  for (const Sizes& s : product_sizes) {
    for (int flags = 0; flags < 4; ++flags) {
      const bool ta = (flags & 1) != 0, tb = (flags & 2) != 0;
      const Matrix a = ta ? random(s.inner, s.rows, 3) : random(s.rows, s.inner, 3);
      const Matrix b = tb ? random(s.columns, s.inner, 2) : random(s.inner, s.columns, 2);
      for (double beta : {0.0, 1.0}) {
        const Matrix before =
            beta == 0 ? poisoned(s.rows, s.columns, 5) : random(s.rows, s.columns, 5);
        compare(std::to_string(s.rows) + " " + std::to_string(s.columns) + " " +
                    std::to_string(s.inner) + " flags " + std::to_string(flags),
                {{before, product_units(s.inner)}}, [&](Backend& backend, auto& out) {
                  backend.matmul(0.5, a.view(), ta, b.view(), tb, beta, out[0].matrix.view());
                });
      }
    }
  }
}

TEST_P(ParityOfProducts, Linear) {
  for (const Sizes& s : product_sizes) {
    const Matrix x = random(s.rows, s.inner, 3);
    // Numbers that preparing does not round: the reference multiplies with the source.
    const Matrix narrow = random(s.columns, s.inner), narrow_bias = random(1, s.columns);
    Matrix w = poisoned_wide(s.columns, s.inner), bias = poisoned_wide(1, s.columns);
    reference_->convert(narrow.view(), w.view());
    reference_->convert(narrow_bias.view(), bias.view());  // which a device may round, too
    const Matrix g = random(s.rows, s.columns, 1);
    const std::string what = std::to_string(s.rows) + " x " + std::to_string(s.inner) + " to " +
                             std::to_string(s.columns);
    for (bool has_bias : {true, false}) {
      compare(what, {{poisoned(s.rows, s.columns, 5), product_units(s.inner)}},
              [&](Backend& b, auto& out) {
                const PreparedWeight weight = b.prepare_weight(w.view(), dtype());
                b.linear(x.view(), weight, has_bias ? bias.view() : ConstMatrixView{},
                         out[0].matrix.view());
              });
    }
    compare(what + " with a weight that was another",
            {{poisoned(s.rows, s.columns), product_units(s.inner)}}, [&](Backend& b, auto& out) {
              Matrix moving = random_wide(s.columns, s.inner);
              const PreparedWeight weight = b.prepare_weight(moving.view(), dtype());
              reference_->convert(w.view(), moving.view());
              b.refresh_weight(weight);
              b.linear(x.view(), weight, {}, out[0].matrix.view());
            });
    for (double beta : {0.0, 1.0}) {
      const Matrix before_x = beta == 0 ? poisoned(s.rows, s.inner, 2) : random(s.rows, s.inner, 2);
      const Matrix before_w =
          beta == 0 ? poisoned_wide(s.columns, s.inner) : random_wide(s.columns, s.inner);
      const Matrix before_b = beta == 0 ? poisoned_wide(1, s.columns) : random_wide(1, s.columns);
      compare(what + " input gradient", {{before_x, product_units(s.columns)}},
              [&](Backend& b, auto& out) {
                const PreparedWeight weight = b.prepare_weight(w.view(), dtype());
                b.linear_input_gradient(g.view(), weight, beta, out[0].matrix.view());
              });
      compare(what + " weight gradient",
              {{before_w, product_units(s.rows)}, {before_b, product_units(s.rows)}},
              [&](Backend& b, auto& out) {
                Scratch scratch(
                    b.linear_weight_gradient_workspace(s.rows, s.columns, s.inner, dtype()));
                b.linear_weight_gradient(g.view(), x.view(), beta, out[0].matrix.view(), beta,
                                         out[1].matrix.view(), scratch.workspace());
              });
    }
  }
}

}  // namespace
}  // namespace basis
