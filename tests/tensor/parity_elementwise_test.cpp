#include <cmath>

#include "tests/tensor/parity.h"

namespace basis {
namespace {

INSTANTIATE_TEST_SUITE_P(Cpu, Parity, testing::ValuesIn(kernel_variants()), variant_name);
INSTANTIATE_TEST_SUITE_P(Cuda, Parity, testing::ValuesIn(cuda_variants()), variant_name);

TEST_P(Parity, Fill) {
  for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
    compare(size, {{poisoned(rows, columns, gap), 1}},
            [](Backend& b, auto& out) { b.fill(1.0 / 3, out[0].matrix.view()); });
  });
}

TEST_P(Parity, AddScaled) {
  for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
    const Matrix x = random(rows, columns, gap);
    // Two products and a sum of numbers below 8: each rounds by half an epsilon of 16 at most.
    const double units = 24;
    compare(size + " over NaN", {{poisoned(rows, columns, gap), units}},
            [&](Backend& b, auto& out) { b.add_scaled(-1.5, x.view(), 0, out[0].matrix.view()); });
    compare(size + " beta 1", {{random(rows, columns), units}},
            [&](Backend& b, auto& out) { b.add_scaled(1, x.view(), 1, out[0].matrix.view()); });
    compare(size + " beta 0.7", {{random(rows, columns, gap), units}},
            [&](Backend& b, auto& out) { b.add_scaled(0.3, x.view(), 0.7, out[0].matrix.view()); });
  });
}

TEST_P(Parity, ScaleColumns) {
  for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
    const Matrix x = random(rows, columns, gap);
    const Matrix v = random_wide(1, columns);
    compare(size, {{poisoned(rows, columns, gap), 1}}, [&](Backend& b, auto& out) {
      b.scale_columns(x.view(), v.view(), out[0].matrix.view());
    });
    compare(size + " in place", {{x, 1}}, [&](Backend& b, auto& out) {
      b.scale_columns(out[0].matrix.view(), v.view(), out[0].matrix.view());
    });
  });
}

TEST_P(Parity, ScaleShiftColumns) {
  for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
    const Matrix x = random(rows, columns, gap);
    const Matrix scale = random_wide(1, columns), shift = random_wide(1, columns);
    // A product of numbers below 5 and a sum: half an epsilon of 25 and of 30.
    compare(size, {{poisoned(rows, columns, gap), 28}}, [&](Backend& b, auto& out) {
      b.scale_shift_columns(x.view(), scale.view(), shift.view(), out[0].matrix.view());
    });
    compare(size + " in place", {{x, 28}}, [&](Backend& b, auto& out) {
      b.scale_shift_columns(out[0].matrix.view(), scale.view(), shift.view(), out[0].matrix.view());
    });
  });
}

constexpr Activation all_activations[] = {Activation::GeluErf, Activation::GeluTanh,
                                          Activation::Relu, Activation::Tanh, Activation::Sigmoid};

TEST_P(Parity, Activations) {
  for (Activation kind : all_activations) {
    for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
      const Matrix x = random(rows, columns, gap, 2);
      const Matrix dout = random(rows, columns, gap);
      const Matrix some = random_wide(1, columns);
      for (const ConstMatrixView bias : {ConstMatrixView{}, some.view()}) {
        const std::string what =
            std::string(name_of(kind)) + " " + size + (bias.is_absent() ? "" : " with bias");
        // erf and tanh are within 4 units; |x|, |dout| and the slope are below 8, 5 and 2. A bias
        // moves x by half an epsilon of 8.
        compare(what, {{poisoned(rows, columns, gap), 16}}, [&](Backend& b, auto& out) {
          b.activation(kind, x.view(), bias, out[0].matrix.view());
        });
        compare(what + " in place", {{x, 16}}, [&](Backend& b, auto& out) {
          b.activation(kind, out[0].matrix.view(), bias, out[0].matrix.view());
        });
        compare(what + " gradient", {{poisoned(rows, columns, gap), 40}},
                [&](Backend& b, auto& out) {
                  b.activation_gradient(kind, x.view(), bias, dout.view(), out[0].matrix.view());
                });
        compare(what + " gradient in place", {{dout, 40}}, [&](Backend& b, auto& out) {
          b.activation_gradient(kind, x.view(), bias, out[0].matrix.view(), out[0].matrix.view());
        });
      }
    });
  }
}

// The fused kernel against the reference, and against the default body on the same backend.
TEST_P(Parity, ActivationBackward) {
  for (Activation kind : all_activations) {
    for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
      const Matrix x = random(rows, columns, gap, 2);
      const Matrix dout = random(rows, columns, gap);
      const Matrix some = random_wide(1, columns);
      // dx within 40 units, added up over the rows: a random walk, 3 standard deviations.
      const double sums = 3 * 40 * std::sqrt(static_cast<double>(rows));
      for (const ConstMatrixView bias : {ConstMatrixView{}, some.view()}) {
        for (const bool is_composed : {false, true}) {
          if (is_composed && !compares_composition()) continue;
          auto run = [&](Backend& b, ConstMatrixView from, ConstMatrixView g, MatrixView dx,
                         MatrixView again, double beta, MatrixView dbias) {
            Scratch s(b.column_sum_workspace(rows, columns, dtype()));
            if (is_composed) {
              b.Backend::activation_backward(kind, from, bias, g, dx, again, beta, dbias,
                                             s.workspace());
            } else {
              b.activation_backward(kind, from, bias, g, dx, again, beta, dbias, s.workspace());
            }
          };
          const std::string what = std::string(name_of(kind)) + " " + size +
                                   (bias.is_absent() ? "" : " with bias") +
                                   (is_composed ? " composed" : "");
          compare(what, {{poisoned(rows, columns, gap), 40}, {poisoned(rows, columns), 16}},
                  [&](Backend& b, auto& out) {
                    run(b, x.view(), dout.view(), out[0].matrix.view(), out[1].matrix.view(), 0,
                        {});
                  });
          for (const double beta : {0.0, 1.0}) {
            const Matrix before = beta == 0 ? poisoned_wide(1, columns) : some;
            compare(what + " in place, sums with beta " + std::to_string(beta),
                    {{dout, 40}, {x, 16}, {before, sums}}, [&](Backend& b, auto& out) {
                      run(b, out[1].matrix.view(), out[0].matrix.view(), out[0].matrix.view(),
                          out[1].matrix.view(), beta, out[2].matrix.view());
                    });
          }
          compare(what + " sums, no output", {{poisoned(rows, columns), 40}, {some, sums}},
                  [&](Backend& b, auto& out) {
                    run(b, x.view(), dout.view(), out[0].matrix.view(), {}, 1,
                        out[1].matrix.view());
                  });
        }
      }
    });
  }
}

TEST_P(Parity, ActivationsAtTheirEnds) {
  // Far out, around zero, and denormal: values that random numbers do not reach.
  const std::vector<double> ends = {0.0,  -0.0,  1e-40, -1e-40, 1e-20, -1e-20, 3.9, -3.9,
                                    5.5,  -5.5,  9.0,   -9.0,   14.0,  -14.0,  40,  -40,
                                    1000, -1000, 1e18,  -1e18,  3e38,  -3e38};
  Matrix x = random(1, static_cast<std::int64_t>(ends.size()));
  for (std::size_t i = 0; i < ends.size(); ++i) x.set(0, static_cast<std::int64_t>(i), ends[i]);
  const Matrix ones = [&] {
    Matrix matrix = x;
    for (std::size_t i = 0; i < ends.size(); ++i) matrix.set(0, static_cast<std::int64_t>(i), 1);
    return matrix;
  }();
  for (Activation kind :
       {Activation::GeluErf, Activation::Relu, Activation::Tanh, Activation::Sigmoid}) {
    compare(name_of(kind), {{poisoned(1, ones.view().columns), 8}},
            [&](Backend& b, auto& out) { b.activation(kind, x.view(), {}, out[0].matrix.view()); });
    compare(std::string(name_of(kind)) + " gradient", {{poisoned(1, ones.view().columns), 8}},
            [&](Backend& b, auto& out) {
              b.activation_gradient(kind, x.view(), {}, ones.view(), out[0].matrix.view());
            });
  }
}

TEST_P(Parity, Convert) {
  for (DType target : {DType::F32, DType::F64, DType::BF16}) {
    for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
      const Matrix x = random(rows, columns, gap, 100);
      const std::string what = size + " to " + name_of(target);
      // Round to nearest even has one answer: no error is allowed.
      compare(what, {{Matrix(target, rows, columns, gap), 0}},
              [&](Backend& b, auto& out) { b.convert(x.view(), out[0].matrix.view()); });
      Matrix middle(target, rows, columns);
      backend_->convert(x.view(), middle.view());
      compare(what + " and back", {{poisoned(rows, columns, gap), 0}},
              [&](Backend& b, auto& out) { b.convert(middle.view(), out[0].matrix.view()); });
    });
  }
}

TEST_P(Parity, ConvertRoundsTiesToEven) {
  // Halfway between two bf16 (even below, even above), a hair to either side, the largest,
  // infinity.
  const std::vector<double> ties = {1.00390625,
                                    1.01171875,
                                    -1.00390625,
                                    1.00390625 + 1e-6,
                                    1.00390625 - 1e-6,
                                    1.00390625 + 1e-15,
                                    1.00390625 - 1e-15,
                                    3.3895313892515355e38,
                                    3.4e38,
                                    INFINITY,
                                    -INFINITY,
                                    1e-40,
                                    9.2e-41,
                                    0.0};
  Matrix x = random(1, static_cast<std::int64_t>(ties.size()));
  for (std::size_t i = 0; i < ties.size(); ++i) x.set(0, static_cast<std::int64_t>(i), ties[i]);
  compare("ties", {{Matrix(DType::BF16, 1, x.view().columns), 0}},
          [&](Backend& b, auto& out) { b.convert(x.view(), out[0].matrix.view()); });
}

TEST_P(Parity, Dropout) {
  StepState state;
  state.seed = 0x123456789ABCDEF0u;
  state.step = 77;
  const Packing packing({5, 1, 40, 83}, 12);
  for (std::int64_t columns : {1, 7, 24, 33, 384, 1030, 1536}) {
    for (double probability : {0.0, 0.1, 0.9}) {
      const Dropout site = make_dropout(probability, 9);
      const std::string what = std::to_string(columns) + " p " + std::to_string(probability);
      const Matrix x = random(packing.view().rows, columns, 3);
      compare(what, {{poisoned(packing.view().rows, columns, 2), 1}}, [&](Backend& b, auto& out) {
        b.dropout(x.view(), site, packing.view(), &state, out[0].matrix.view());
      });
      compare(what + " in place", {{x, 1}}, [&](Backend& b, auto& out) {
        b.dropout(out[0].matrix.view(), site, packing.view(), &state, out[0].matrix.view());
      });
      const SequenceView one_row_each{nullptr, nullptr, x.view().rows, x.view().rows, 1, 3};
      compare(what + " one row each", {{poisoned(x.view().rows, columns), 1}},
              [&](Backend& b, auto& out) {
                b.dropout(x.view(), site, one_row_each, &state, out[0].matrix.view());
              });
    }
  }
}

TEST_P(Parity, Bands) {
  for (std::int64_t k : {1, 5, 33}) {
    for (std::int64_t half : {0, 1, 4, 40}) {
      const Matrix band = random_wide(2 * half + 1, k);
      const Matrix dense = random_wide(k, k);
      const std::string what = std::to_string(k) + " half width " + std::to_string(half);
      compare(what, {{poisoned_wide(k, k), 0}},
              [&](Backend& b, auto& out) { b.band_to_dense(band.view(), out[0].matrix.view()); });
      compare(
          what + " back over NaN", {{poisoned_wide(2 * half + 1, k), 0}},
          [&](Backend& b, auto& out) { b.dense_to_band(dense.view(), 0, out[0].matrix.view()); });
      compare(
          what + " back, added", {{random_wide(2 * half + 1, k), 4}},
          [&](Backend& b, auto& out) { b.dense_to_band(dense.view(), 1, out[0].matrix.view()); });
    }
  }
}

}  // namespace
}  // namespace basis
