#include <cmath>

#include "tests/tensor/parity.h"

// Layer norm, sums over rows and columns, row moves, losses and the optimiser.

namespace basis {
namespace {

using ParityOfRows = Parity;
INSTANTIATE_TEST_SUITE_P(Cpu, ParityOfRows, testing::ValuesIn(kernel_variants()), variant_name);
INSTANTIATE_TEST_SUITE_P(Cuda, ParityOfRows, testing::ValuesIn(cuda_variants()), variant_name);

// n products of numbers below 5 and 5, summed: a random walk of n steps of half an epsilon of the
// partial sums, which are below 5 sqrt(n) themselves; 3 standard deviations.
double sum_units(std::int64_t n) {
  return 10 * std::sqrt(static_cast<double>(n));
}

TEST_P(ParityOfRows, ColumnSums) {
  for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
    const Matrix x = random(rows, columns, gap);
    const Matrix y = random(rows, columns, 0);
    for (double beta : {0.0, 1.0}) {
      const Matrix before = beta == 0 ? poisoned_wide(1, columns) : random_wide(1, columns);
      const std::string what = size + " beta " + std::to_string(beta);
      auto scratch = [&](Backend& b) {
        return Scratch(b.column_sum_workspace(rows, columns, dtype()));
      };
      compare(what, {{before, sum_units(rows)}}, [&](Backend& b, auto& out) {
        Scratch s = scratch(b);
        b.column_sum(x.view(), beta, out[0].matrix.view(), s.workspace());
      });
      compare(what + " dot", {{before, sum_units(rows)}}, [&](Backend& b, auto& out) {
        Scratch s = scratch(b);
        b.column_dot(-0.5, x.view(), y.view(), beta, out[0].matrix.view(), s.workspace());
      });
    }
  });
}

TEST_P(ParityOfRows, InverseRowNorms) {
  for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
    Matrix x = random_wide(rows, columns, gap);
    for (std::int64_t j = 0; j < columns; ++j) x.set(rows / 2, j, 0);
    compare(size, {{poisoned_wide(1, rows), 10}},
            [&](Backend& b, auto& out) { b.inverse_row_norms(x.view(), out[0].matrix.view()); });
  });
}

TEST_P(ParityOfRows, LayerNorm) {
  for (double mean : {0.0, 300.0}) {
    for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
      const Matrix x = random(rows, columns, gap, 1, mean);
      const Matrix gamma = random_wide(1, columns);
      const Matrix beta = random_wide(1, columns);
      // Whatever the mean, differences from it are exact but for their last bit; with few columns
      // rstd is large and multiplies it.
      const double units = columns < 10 && columns > 1 ? 200 : 32;
      const double epsilon = 1e-5;
      compare(size + " mean " + std::to_string(mean),
              {{poisoned(rows, columns, gap), units},
               {poisoned(rows, columns), units},
               {poisoned_wide(1, rows), units}},
              [&](Backend& b, auto& out) {
                b.layer_norm(x.view(), gamma.view(), beta.view(), epsilon, out[0].matrix.view(),
                             out[1].matrix.view(), out[2].matrix.view());
              });
      compare(size + " in place", {{x, units}, {poisoned_wide(1, rows), units}},
              [&](Backend& b, auto& out) {
                b.layer_norm(out[0].matrix.view(), gamma.view(), beta.view(), epsilon,
                             out[0].matrix.view(), {}, out[1].matrix.view());
              });
    });
  }
}

TEST_P(ParityOfRows, LayerNormGradient) {
  for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
    const Matrix dout = random(rows, columns, gap);
    const Matrix normalised = random(rows, columns, 0);
    const Matrix gamma = random_wide(1, columns);
    Matrix rstd = random_wide(1, rows, 0, 0.1, 1);
    for (double beta : {0.0, 1.0}) {
      const Matrix sums = beta == 0 ? poisoned_wide(1, columns) : random_wide(1, columns);
      compare(
          size + " beta " + std::to_string(beta),
          {{poisoned(rows, columns, gap), 64}, {sums, sum_units(rows)}, {sums, sum_units(rows)}},
          [&](Backend& b, auto& out) {
            Scratch s(b.layer_norm_gradient_workspace(rows, columns, dtype()));
            b.layer_norm_gradient(dout.view(), normalised.view(), rstd.view(), gamma.view(),
                                  out[0].matrix.view(), beta, out[1].matrix.view(), beta,
                                  out[2].matrix.view(), s.workspace());
          });
    }
    compare(size + " in place, no sums", {{dout, 64}}, [&](Backend& b, auto& out) {
      Scratch s(b.layer_norm_gradient_workspace(rows, columns, dtype()));
      b.layer_norm_gradient(out[0].matrix.view(), normalised.view(), rstd.view(), gamma.view(),
                            out[0].matrix.view(), 0, {}, 0, {}, s.workspace());
    });
    compare(size + " only dgamma", {{poisoned_wide(1, columns), sum_units(rows)}},
            [&](Backend& b, auto& out) {
              Scratch s(b.layer_norm_gradient_workspace(rows, columns, dtype()));
              b.layer_norm_gradient(dout.view(), normalised.view(), rstd.view(), gamma.view(), {},
                                    0, out[0].matrix.view(), 0, {}, s.workspace());
            });
  });
}

// The fused kernels against the reference, and against the default body on the same backend.
TEST_P(ParityOfRows, ResidualLayerNorm) {
  StepState state;
  state.seed = 5;
  state.step = 3;
  const Packing packing({5, 1, 40, 83}, 7);
  const std::int64_t rows = packing.view().rows;
  for (std::int64_t columns : {7, 33, 384, 768, 1030}) {
    for (double probability : {0.0, 0.1}) {
      for (bool has_residual : {true, false}) {
        const Dropout site = make_dropout(probability, 4);
        const Matrix x = random(rows, columns, 3);
        const Matrix residual = random(rows, columns);
        const Matrix gamma = random_wide(1, columns), beta = random_wide(1, columns);
        const ConstMatrixView added = has_residual ? residual.view() : ConstMatrixView{};
        // A mean of H terms of one sign, summed one by one, is off by up to 3 sqrt(H) units; 16 for
        // the rest. Of few columns the variance may be a small difference.
        const double units = columns < 10 ? 200 : 16 + 3 * std::sqrt(static_cast<double>(columns));
        const std::string what = std::to_string(columns) + " p " + std::to_string(probability) +
                                 (has_residual ? " with residual" : " without");
        for (bool is_composed : {false, true}) {
          if (is_composed && !compares_composition()) continue;
          compare(what + (is_composed ? " composed" : ""),
                  {{poisoned(rows, columns, 2), units},
                   {poisoned(rows, columns), units},
                   {poisoned_wide(1, rows), units}},
                  [&](Backend& b, auto& out) {
                    auto call = [&](auto kernel) {
                      kernel(x.view(), site, added, packing.view(), &state, gamma.view(),
                             beta.view(), 1e-5, out[0].matrix.view(), out[1].matrix.view(),
                             out[2].matrix.view());
                    };
                    if (is_composed) {
                      call([&](auto... a) { b.Backend::residual_layer_norm(a...); });
                    } else {
                      call([&](auto... a) { b.residual_layer_norm(a...); });
                    }
                  });
        }
      }
    }
  }
}

TEST_P(ParityOfRows, ResidualLayerNormGradient) {
  StepState state;
  state.seed = 5;
  state.step = 3;
  const Packing packing({5, 1, 40, 83}, 7);
  const std::int64_t rows = packing.view().rows;
  for (std::int64_t columns : {7, 33, 384, 768, 1030}) {
    for (double probability : {0.0, 0.1}) {
      const Dropout site = make_dropout(probability, 4);
      const Matrix dout = random(rows, columns, 3), normalised = random(rows, columns);
      const Matrix gamma = random_wide(1, columns), rstd = random_wide(1, rows, 0, 0.1, 1);
      for (bool is_composed : {false, true}) {
        if (is_composed && !compares_composition()) continue;
        compare(std::to_string(columns) + " p " + std::to_string(probability),
                {{poisoned(rows, columns, 2), 64},
                 {poisoned(rows, columns), 64},
                 {random_wide(1, columns), sum_units(rows)},
                 {poisoned_wide(1, columns), sum_units(rows)}},
                [&](Backend& b, auto& out) {
                  Scratch s(b.layer_norm_gradient_workspace(rows, columns, dtype()));
                  auto call = [&](auto kernel) {
                    kernel(dout.view(), normalised.view(), rstd.view(), gamma.view(), site,
                           packing.view(), &state, out[0].matrix.view(), out[1].matrix.view(), 1,
                           out[2].matrix.view(), 0, out[3].matrix.view(), s.workspace());
                  };
                  if (is_composed) {
                    call([&](auto... a) { b.Backend::residual_layer_norm_gradient(a...); });
                  } else {
                    call([&](auto... a) { b.residual_layer_norm_gradient(a...); });
                  }
                });
      }
    }
  }
}

/// Of a table of 11 rows: two of three owe.
struct Debt {
  std::vector<std::int32_t> slots = {-1, 4, -1, -1, 0, -1, -1, 2, -1, -1, 1};
  double owed = 0.875 + 1e-3;
  RowDebt view() const { return {slots.data(), &owed}; }
};

TEST_P(ParityOfRows, GatherAndScatter) {
  for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
    const Matrix own = random(11, columns, gap), table = random_wide(11, columns, gap);
    const Matrix x = random(rows, columns, gap);
    const Integers ids = random_ids(rows, 11), positions = random_ids(rows, 11),
                   types = random_ids(rows, 2);
    for (const Matrix* from : {&own, &table}) {  // rounding has one answer: no error is allowed
      compare(size + " gather", {{poisoned(rows, columns, gap), 0}}, [&](Backend& b, auto& out) {
        b.gather_rows(from->view(), {}, ids.view(), 0, out[0].matrix.view());
      });
    }
    compare(size + " gather, added", {{random(rows, columns, gap), 8}}, [&](Backend& b, auto& out) {
      b.gather_rows(table.view(), {}, ids.view(), 1, out[0].matrix.view());
    });
    compare(size + " scatter", {{random_wide(11, columns, gap), sum_units(rows)}},
            [&](Backend& b, auto& out) {
              b.scatter_add_rows(x.view(), ids.view(), out[0].matrix.view());
            });
    const Debt debt;
    for (double beta : {0.0, 1.0}) {
      compare(size + " gather from rows that owe", {{random(rows, columns, gap), 8}},
              [&](Backend& b, auto& out) {
                b.gather_rows(table.view(), debt.view(), ids.view(), beta, out[0].matrix.view());
              });
    }
    const EmbeddingRows embedding{table.view(),     ids.view(),   debt.view(), table.view(),
                                  positions.view(), table.view(), types.view()};
    compare(size + " embedding", {{poisoned(rows, columns, gap), 16}},
            [&](Backend& b, auto& out) { b.embedding_sum(embedding, out[0].matrix.view()); });
    const Matrix gamma = random_wide(1, columns), beta = random_wide(1, columns);
    const double units = columns < 10 ? 200 : 16 + 3 * std::sqrt(static_cast<double>(columns));
    for (bool is_composed : {false, true}) {
      if (is_composed && !compares_composition()) continue;
      compare(size + " embedding and norm",
              {{poisoned(rows, columns, gap), units},
               {poisoned(rows, columns), units},
               {poisoned_wide(1, rows), units}},
              [&](Backend& b, auto& out) {
                auto call = [&](auto kernel) {
                  kernel(embedding, gamma.view(), beta.view(), 1e-5, out[0].matrix.view(),
                         out[1].matrix.view(), out[2].matrix.view());
                };
                if (is_composed) {
                  call([&](auto... a) { b.Backend::embedding_layer_norm(a...); });
                } else {
                  call([&](auto... a) { b.embedding_layer_norm(a...); });
                }
              });
    }
  });
}

TEST_P(ParityOfRows, SegmentSum) {
  // Long, short and single segments; some places have sums already, the others hold NaN.
  const Integers offsets{{0, 1, 97, 99, 104, 129}};
  const Integers places{{5, 0, 3, 1, 4}};
  constexpr std::int64_t written = 2;
  for (std::int64_t columns : parity_columns) {
    const Matrix x = random(140, columns, 3);
    const Integers rows = random_ids(129, 140);
    Matrix out = poisoned_wide(6, columns, 2);
    for (std::int64_t i = 0; i < written; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) out.set(i, j, 0.5 + static_cast<double>(i + j));
    }
    out.set(2, 0, 0);  // no place's: stays
    for (std::int64_t j = 0; j < columns; ++j) out.set(2, j, 7);
    compare(std::to_string(columns), {{out, sum_units(97)}}, [&](Backend& b, auto& o) {
      b.segment_sum_rows(x.view(), offsets.view(), rows.view(), places.view(), written,
                         o[0].matrix.view());
    });
  }
}

TEST_P(ParityOfRows, RowsPayWhatTheyOwe) {
  for (std::int64_t columns : parity_columns) {
    const Matrix table = random_wide(11, columns, 3);
    const Debt debt;
    const Integers some{{9, 4, 0}};
    compare("all " + std::to_string(columns), {{table, 1}},
            [&](Backend& b, auto& out) { b.pay_rows(out[0].matrix.view(), {}, debt.view()); });
    compare("some " + std::to_string(columns), {{table, 1}}, [&](Backend& b, auto& out) {
      b.pay_rows(out[0].matrix.view(), some.view(), debt.view());
    });
    // What an owing row is read as is what it pays down to, bit for bit.
    const Integers ids{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
    Matrix read = poisoned(11, columns), paid = table, then_read = poisoned(11, columns);
    backend_->gather_rows(table.view(), debt.view(), ids.view(), 0, read.view());
    backend_->pay_rows(paid.view(), {}, debt.view());
    backend_->gather_rows(paid.view(), {}, ids.view(), 0, then_read.view());
    EXPECT_TRUE(read.bytes() == then_read.bytes()) << columns;
  }
}

TEST_P(ParityOfRows, MeanPool) {
  const Packing packing({5, 1, 40, 83, 300});
  Packing with_empty({5, 0, 7});
  const std::int64_t rows = packing.view().rows;
  for (std::int64_t columns : parity_columns) {
    const Matrix x = random(rows, columns, 3);
    const Matrix dout = random(5, columns, 1);
    const std::string what = std::to_string(columns);
    compare(what, {{poisoned(5, columns, 2), sum_units(300)}}, [&](Backend& b, auto& out) {
      b.mean_pool(x.view(), packing.view(), out[0].matrix.view());
    });
    compare(what + " an empty sequence", {{poisoned(3, columns), sum_units(7)}},
            [&](Backend& b, auto& out) {
              b.mean_pool(x.view(), with_empty.view(), out[0].matrix.view());
            });
    compare(what + " gradient", {{poisoned(rows, columns, 2), 4}}, [&](Backend& b, auto& out) {
      b.mean_pool_gradient(dout.view(), packing.view(), out[0].matrix.view());
    });
  }
}

TEST_P(ParityOfRows, CrossEntropy) {
  for (std::int64_t rows : parity_rows) {
    for (std::int64_t classes : {2, 3, 33, 1000}) {
      const Matrix logits = random(rows, classes, 1, 5);
      Integers labels = random_ids(rows, static_cast<std::int32_t>(classes));
      labels.values[static_cast<std::size_t>(rows / 2)] = -100;
      // Each of up to 1000 exponentials is within 4 units, and so is their sum; the loss is kept in
      // f64, but made from exponentials of the logits' dtype.
      const double loss_units =
          dtype() == DType::F64 ? 16 : 16.0 * static_cast<double>(rows) * std::ldexp(1.0, 52 - 23);
      const std::string what = std::to_string(rows) + " x " + std::to_string(classes);
      auto run = [&](bool wants_gradient, bool in_place) {
        return [&, wants_gradient, in_place](Backend& b, auto& out) {
          Scratch s(static_cast<std::size_t>(rows) * sizeof(double));
          const ConstMatrixView from = in_place ? out[1].matrix.view() : logits.view();
          b.cross_entropy(from, labels.view(), out[0].matrix.view(),
                          wants_gradient ? out[1].matrix.view() : MatrixView{}, s.workspace());
        };
      };
      const Matrix loss(DType::F64, 1, 1);
      compare(what, {{loss, loss_units}, {poisoned(rows, classes, 2), 16}}, run(true, false));
      compare(what + " in place", {{loss, loss_units}, {logits, 16}}, run(true, true));
      compare(what + " loss alone", {{loss, loss_units}}, run(false, false));
    }
  }
}

TEST_P(ParityOfRows, SquaredErrorAndNorm) {
  for_sizes([&](auto rows, auto columns, auto gap, const std::string& size) {
    const Matrix x = random(rows, columns, gap), y = random_wide(rows, columns);
    // Differences round in the dtype, sums in f64: relative error below one epsilon of the dtype.
    const double units = dtype() == DType::F64 ? 1000 : std::ldexp(2.0, 52 - 23);
    const Matrix sum(DType::F64, 1, 1);
    Matrix before = sum;
    before.set(0, 0, 5);
    compare(size, {{sum, units}, {poisoned(rows, columns, gap), 16}}, [&](Backend& b, auto& out) {
      b.squared_error(x.view(), y.view(), out[0].matrix.view(), out[1].matrix.view());
    });
    compare(size + " norm over NaN", {{sum, 1000}},
            [&](Backend& b, auto& out) { b.squared_norm(x.view(), 0, out[0].matrix.view()); });
    compare(size + " norm, added", {{before, 1000}},
            [&](Backend& b, auto& out) { b.squared_norm(x.view(), 1, out[0].matrix.view()); });
  });
}

// The host may read it a step late: until then no update passes.
TEST_P(ParityOfRows, AClipThatSkipsStaysUntilTheHostSetsItBack) {
  Matrix sum(DType::F64, 1, 1);
  StepState state;
  sum.set(0, 0, NAN);
  backend_->update_clip(sum.view(), 1, &state);
  sum.set(0, 0, 4);
  backend_->update_clip(sum.view(), 1, &state);
  EXPECT_EQ(state.skip_update, 1);
  EXPECT_EQ(state.gradient_norm, 2);
}

TEST_P(ParityOfRows, SquaredNormIsNotFiniteWhereAnElementIsNot) {
  for (double bad : {static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    for (std::int64_t at : {0, 1000, 76799}) {
      Matrix x = random(1, 76800);
      x.set(0, at, bad);
      Matrix sum(DType::F64, 1, 1);
      backend_->squared_norm(x.view(), 0, sum.view());
      StepState state;
      backend_->update_clip(sum.view(), 1, &state);
      EXPECT_EQ(state.skip_update, 1) << bad << " at " << at;
    }
  }
}

/// A step in the middle of a run, whose parameters are in group 2.
StepState optimiser_state() {
  StepState state;
  state.learning_rate[2] = 3e-3;
  state.bias_correction1 = 1 - 0.9;
  state.bias_correction2 = 1 - 0.999;
  state.clip_factor = 0.7;
  return state;
}

Matrix squared(Matrix x) {
  for (std::int64_t i = 0; i < x.view().rows; ++i) {
    for (std::int64_t j = 0; j < x.view().columns; ++j) x.set(i, j, x.at(i, j) * x.at(i, j));
  }
  return x;
}

TEST_P(ParityOfRows, Optimisers) {
  StepState state = optimiser_state();
  for (std::uint64_t step : {0, 4}) {
    state.step = step;
    for (std::int64_t n : {1, 7, 33, 384, 70001}) {
      const Matrix gradient = random_wide(1, n);
      const Matrix squares = squared(random_wide(1, n));
      const Matrix value = random_wide(1, n), moment = random_wide(1, n);
      auto range = [&](std::vector<Output>& out) {
        return OptimizerRange{out[0].matrix.view(),
                              gradient.view(),
                              out[1].matrix.view(),
                              out[2].matrix.view(),
                              2,
                              0.01};
      };
      const std::vector<Output> before = {{value, 8}, {moment, 8}, {squares, 16}};
      compare("adamw " + std::to_string(n), before,
              [&](Backend& b, auto& out) { b.adamw(range(out), AdamWConstants{}, &state); });
      for (const SgdConstants& constants :
           {SgdConstants{0, false}, SgdConstants{0.9, false}, SgdConstants{0.9, true}}) {
        compare("sgd " + std::to_string(n), before, [&](Backend& b, auto& out) {
          OptimizerRange with_momentum = range(out);
          with_momentum.moment2 = {};
          b.sgd(with_momentum, constants, &state);
        });
      }
      StepState skipped = state;
      skipped.skip_update = 1;
      std::vector<Output> unchanged = before;
      backend_->adamw(range(unchanged), AdamWConstants{}, &skipped);
      EXPECT_TRUE(unchanged[0].matrix.bytes() == before[0].matrix.bytes());
    }
  }
}

TEST_P(ParityOfRows, OptimisersOfRows) {
  StepState state = optimiser_state();
  state.step = 4;
  const Integers rows{{7, 0, 3, 9, 2}}, sources{{1, -1, 0, -1, 2}};
  for (std::int64_t columns : {1, 7, 33, 384, 9001}) {
    const Matrix gradient = random_wide(3, columns, 1);
    const Matrix squares = squared(random_wide(5, columns));
    Matrix owed(DType::F64, 1, 1);
    owed.set(0, 0, 0.75);
    const std::vector<Output> before = {
        {random_wide(11, columns, 2), 8}, {random_wide(5, columns), 8}, {squares, 16}, {owed, 1}};
    auto view = [&](std::vector<Output>& out) {
      return OptimizerRows{out[0].matrix.view(),
                           rows.view(),
                           sources.view(),
                           gradient.view(),
                           out[1].matrix.view(),
                           out[2].matrix.view(),
                           out[3].matrix.view(),
                           2,
                           0.01};
    };
    compare("adamw " + std::to_string(columns), before,
            [&](Backend& b, auto& out) { b.adamw_rows(view(out), AdamWConstants{}, &state); });
    compare("sgd " + std::to_string(columns), before, [&](Backend& b, auto& out) {
      OptimizerRows without_moments = view(out);
      without_moments.moment1 = without_moments.moment2 = {};
      b.sgd_rows(without_moments, &state);
    });
    StepState skipped = state;
    skipped.skip_update = 1;
    std::vector<Output> unchanged = before;
    backend_->adamw_rows(view(unchanged), AdamWConstants{}, &skipped);
    backend_->sgd_rows(view(unchanged), &skipped);
    for (std::size_t i = 0; i < before.size(); ++i) {
      EXPECT_TRUE(unchanged[i].matrix.bytes() == before[i].matrix.bytes()) << i;
    }
  }
}

TEST_P(ParityOfRows, ClipsLikePyTorch) {
  Matrix sum(DType::F64, 1, 1);
  sum.set(0, 0, 25);
  for (double clip_norm : {0.0, 1.0, 10.0}) {
    StepState actual, expected;
    backend_->update_clip(sum.view(), clip_norm, &actual);
    reference_->update_clip(sum.view(), clip_norm, &expected);
    EXPECT_EQ(actual.gradient_norm, expected.gradient_norm);
    EXPECT_EQ(actual.clip_factor, expected.clip_factor);
    EXPECT_EQ(actual.skip_update, 0);
  }
}

}  // namespace
}  // namespace basis
