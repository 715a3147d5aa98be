#include <cmath>

#include "tests/tensor/parity.h"

// Curvature Tuning's function and its gradients.

namespace basis {
namespace {

class ParityOfCurvature : public Parity {
 protected:
  /// What channels have: every beta with every c, in turn.
  struct Channels {
    Matrix bias, beta, c;
  };
  Channels channels(std::int64_t columns) {
    Channels made{random_wide(1, columns), poisoned_wide(1, columns), poisoned_wide(1, columns)};
    for (std::int64_t j = 0; j < columns; ++j) {
      made.beta.set(0, j, betas[static_cast<std::size_t>(j) % std::size(betas)]);
      made.c.set(0, j, cs[static_cast<std::size_t>(j) / std::size(betas) % std::size(cs)]);
    }
    return made;
  }
  Scratch scratch(Backend& b, std::int64_t rows, std::int64_t columns) const {
    return Scratch(b.curvature_gradient_workspace(rows, columns, dtype()));
  }

  static constexpr double betas[] = {0.3, 0.8, 0, 0.64, 0.999999, 1, 0.05};
  static constexpr double cs[] = {0.5, 0, 1};
};

INSTANTIATE_TEST_SUITE_P(Cpu, ParityOfCurvature, testing::ValuesIn(kernel_variants()),
                         variant_name);
INSTANTIATE_TEST_SUITE_P(Cuda, ParityOfCurvature, testing::ValuesIn(cuda_variants()), variant_name);

TEST_P(ParityOfCurvature, Value) {
  for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
    const Matrix x = random(rows, columns, gap, 2);
    const Channels of = channels(columns);
    for (const ConstMatrixView bias : {ConstMatrixView{}, of.bias.view()}) {
      const std::string what = size + (bias.is_absent() ? "" : " with bias");
      // A bias moves x, below 8, by half an epsilon of 8; the terms are below 8 and round as often.
      compare(what, {{poisoned(rows, columns, gap), 16}}, [&](Backend& b, auto& out) {
        b.curvature(x.view(), bias, of.beta.view(), of.c.view(), out[0].matrix.view());
      });
      compare(what + " in place", {{x, 16}}, [&](Backend& b, auto& out) {
        b.curvature(out[0].matrix.view(), bias, of.beta.view(), of.c.view(), out[0].matrix.view());
      });
    }
  });
}

TEST_P(ParityOfCurvature, GradientsOfAll) {
  for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
    const Matrix x = random(rows, columns, gap, 2), dout = random(rows, columns, gap);
    const Matrix some = random_wide(1, columns);
    const Channels of = channels(columns);
    // As those of other activations: 40 units. The largest df/dbeta of random x, at beta = 0.05, is
    // some 8^2 / 4 times |dout| below 5, and its sum is a walk of such steps: 3 deviations.
    const double sums = 3 * 40 * std::sqrt(static_cast<double>(rows));
    for (const ConstMatrixView bias : {ConstMatrixView{}, of.bias.view()}) {
      const std::string what = size + (bias.is_absent() ? "" : " with bias");
      for (const double beta : {0.0, 1.0}) {
        const Matrix before = beta == 0 ? poisoned_wide(1, columns) : some;
        compare(what + " in place, beta " + std::to_string(beta),
                {{dout, 40}, {x, 16}, {before, sums}, {before, sums}, {before, sums}},
                [&](Backend& b, auto& out) {
                  Scratch s = scratch(b, rows, columns);
                  const MatrixView dx = out[0].matrix.view(), y = out[1].matrix.view();
                  b.curvature_gradient(y, bias, of.beta.view(), of.c.view(), dx, dx, y, beta,
                                       out[2].matrix.view(), beta, out[3].matrix.view(), beta,
                                       out[4].matrix.view(), s.workspace());
                });
      }
      compare(what + " beside", {{poisoned(rows, columns, gap), 40}, {poisoned(rows, columns), 16}},
              [&](Backend& b, auto& out) {
                b.curvature_gradient(x.view(), bias, of.beta.view(), of.c.view(), dout.view(),
                                     out[0].matrix.view(), out[1].matrix.view(), 0, {}, 0, {}, 0,
                                     {}, {});
              });
    }
  });
}

// Each sum has its own factor, and none of the other results is needed for it.
TEST_P(ParityOfCurvature, GradientsOfSome) {
  const std::int64_t rows = 65;
  for (const std::int64_t columns : {7, 40}) {
    const Matrix x = random(rows, columns, 0, 2), dout = random(rows, columns);
    const Matrix some = random_wide(1, columns);
    const Channels of = channels(columns);
    const double sums = 3 * 40 * std::sqrt(static_cast<double>(rows));
    for (const std::size_t wanted : {0, 1, 2}) {
      compare("sum " + std::to_string(wanted), {{some, sums}}, [&](Backend& b, auto& out) {
        Scratch s = scratch(b, rows, columns);
        MatrixView to[3];
        double factors[3] = {};
        to[wanted] = out[0].matrix.view();
        factors[wanted] = 1;
        b.curvature_gradient(x.view(), {}, of.beta.view(), of.c.view(), dout.view(), {}, {},
                             factors[0], to[0], factors[1], to[1], factors[2], to[2],
                             s.workspace());
      });
    }
    compare("dx and a sum", {{poisoned(rows, columns), 40}, {poisoned_wide(1, columns), sums}},
            [&](Backend& b, auto& out) {
              Scratch s = scratch(b, rows, columns);
              b.curvature_gradient(x.view(), of.bias.view(), of.beta.view(), of.c.view(),
                                   dout.view(), out[0].matrix.view(), {}, 1, {}, 1, {}, 0,
                                   out[1].matrix.view(), s.workspace());
            });
  }
}

/// A row of every x with every beta and c.
struct Grid {
  Matrix x, beta, c, ones;
};

Grid grid_of(const std::vector<double>& xs, std::span<const double> betas,
             std::span<const double> cs, DType dtype) {
  const auto columns = static_cast<std::int64_t>(xs.size() * betas.size() * cs.size());
  const DType wide = accumulation_dtype(dtype);
  Grid grid{Matrix(dtype, 1, columns), Matrix(wide, 1, columns), Matrix(wide, 1, columns),
            Matrix(dtype, 1, columns)};
  std::int64_t j = 0;
  for (const double x : xs) {
    for (const double beta : betas) {
      for (const double c : cs) {
        grid.x.set(0, j, x);
        grid.beta.set(0, j, beta);
        grid.c.set(0, j, c);
        grid.ones.set(0, j, 1);
        ++j;
      }
    }
  }
  return grid;
}

void gradient_of(Backend& b, const Grid& grid, std::vector<Output>& out) {
  const std::int64_t columns = grid.x.view().columns;
  Scratch s(b.curvature_gradient_workspace(1, columns, grid.x.dtype()));
  b.curvature_gradient(grid.x.view(), {}, grid.beta.view(), grid.c.view(), grid.ones.view(),
                       out[0].matrix.view(), out[1].matrix.view(), 0, out[2].matrix.view(), 0,
                       out[3].matrix.view(), 0, out[4].matrix.view(), s.workspace());
}

TEST_P(ParityOfCurvature, AtItsEnds) {
  // Far out, around zero, and denormal: values that random numbers do not reach. With beta = 1 the
  // bend is a millionth wide.
  const std::vector<double> ends = {0.0,  -0.0,  1e-40, -1e-40, 1e-20, -1e-20, 1e-7, -1e-7,
                                    3e-6, -3e-6, 1e-5,  -1e-5,  2e-4,  -2e-4,  3.9,  -3.9,
                                    9.0,  -9.0,  15.5,  -15.5,  27,    -27,    100,  -100,
                                    1000, -1000, 1e10,  -1e10,  1e18,  -1e18};
  const Grid grid = grid_of(ends, betas, cs, dtype());
  const std::int64_t columns = grid.x.view().columns;
  std::vector<Output> outputs(2, {poisoned(1, columns), 8});
  outputs.resize(5, {poisoned_wide(1, columns), 40});
  compare("ends", outputs, [&](Backend& b, auto& out) { gradient_of(b, grid, out); });
}

TEST_P(ParityOfCurvature, IsFiniteAtTheLargestNumbersAndNaNAtNaN) {
  const double largest = dtype() == DType::F64 ? 1.7e308 : 3.3e38;
  const Grid grid = grid_of({largest, -largest, std::nan("")}, betas, cs, dtype());
  const std::int64_t columns = grid.x.view().columns;
  std::vector<Output> outputs(2, {poisoned(1, columns), 0});
  outputs.resize(5, {poisoned_wide(1, columns), 0});
  gradient_of(*backend_, grid, outputs);
  for (std::int64_t j = 0; j < columns; ++j) {
    const bool is_number = !std::isnan(grid.x.at(0, j));
    for (const Output& output : outputs) {
      EXPECT_EQ(std::isfinite(output.matrix.at(0, j)), is_number)
          << "x " << grid.x.at(0, j) << ", beta " << grid.beta.at(0, j) << ", c " << grid.c.at(0, j)
          << ", output " << &output - outputs.data() << ": " << output.matrix.at(0, j);
    }
    // A line or nothing, but for the blend that beta = 0 is.
    const double x = grid.x.at(0, j), y = outputs[1].matrix.at(0, j);
    if (is_number && grid.beta.at(0, j) > 0) {
      EXPECT_EQ(y, x > 0 ? x : 0);
    }
  }
}

}  // namespace
}  // namespace basis
