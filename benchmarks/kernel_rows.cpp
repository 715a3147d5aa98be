#include "benchmarks/kernel_kit.h"

namespace basis::benchmarks {

namespace {

struct Rows {
  Rows(Bench& bench, const Batch& sequences, const std::string& name, DType dtype_, std::int64_t H)
      : packed(sequences.view), dtype(dtype_), width(H) {
    const std::int64_t T = packed.rows;
    Pool& pool = bench.pool;
    x = pool.matrix(T, H, dtype);
    residual = pool.matrix(T, H, dtype);
    out = pool.matrix(T, H, dtype);
    normalised = pool.matrix(T, H, dtype);
    dsum = pool.matrix(T, H, dtype);
    dropped = pool.matrix(T, H, dtype);
    wide = pool.matrix(T, 4 * H, dtype);
    wide_dx = pool.matrix(T, 4 * H, dtype);
    wide_out = pool.matrix(T, 4 * H, dtype);
    wide_dout = pool.matrix(T, 4 * H, dtype);
    rstd = pool.matrix(1, T);
    gamma = pool.matrix(1, H);
    beta = pool.matrix(1, H);
    dgamma = pool.matrix(1, H);
    dbeta = pool.matrix(1, H);
    dbias = pool.matrix(1, 4 * H);
    for (MatrixView* row : {&curve_beta, &curve_c, &dcurve_beta, &dcurve_c}) {
      *row = pool.matrix(1, 4 * H);
    }
    bench.backend.fill(0.8, curve_beta);
    bench.backend.fill(0.5, curve_c);
    curve_scratch = pool.workspace(bench.backend.curvature_gradient_workspace(T, 4 * H, dtype));
    scratch = pool.workspace(
        bench.backend.layer_norm_gradient_workspace(T, 4 * H, accumulation_dtype(dtype)));
    pass = static_cast<double>(T * H) * static_cast<double>(size_of(dtype));
    suffix = name + "/" + name_of(dtype);
  }

  SequenceView packed;
  DType dtype;
  std::int64_t width;
  MatrixView x, residual, out, normalised, dsum, dropped, wide, wide_out, wide_dout, wide_dx, rstd,
      gamma, beta, dgamma, dbeta, dbias, curve_beta, curve_c, dcurve_beta, dcurve_c;
  Workspace scratch, curve_scratch;
  double pass = 0;  // bytes of one (T, H)
  std::string suffix;
};

void add_norms(Bench& bench, const Rows& r) {
  Backend& b = bench.backend;
  const StepState* const state = bench.state;
  for (const double p : {0.0, 0.1}) {
    const Dropout site = make_dropout(p, 1);
    const std::string what = (p > 0 ? "/dropout" : "") + r.suffix;
    bench.bytes("residual_layer_norm" + what, 4 * r.pass, [=, &b] {
      b.residual_layer_norm(r.x, site, r.residual, r.packed, state, r.gamma, r.beta, 1e-12, r.out,
                            r.normalised, r.rstd);
    });
    bench.bytes("residual_layer_norm_gradient" + what, (p > 0 ? 4 : 3) * r.pass, [=, &b] {
      b.residual_layer_norm_gradient(r.out, r.normalised, r.rstd, r.gamma, site, r.packed, state,
                                     r.dsum, p > 0 ? r.dropped : MatrixView{}, 0, r.dgamma, 0,
                                     r.dbeta, r.scratch);
    });
  }
  bench.bytes("layer_norm" + r.suffix, 3 * r.pass,
              [=, &b] { b.layer_norm(r.x, r.gamma, r.beta, 1e-12, r.out, r.normalised, r.rstd); });
  bench.bytes("dropout" + r.suffix, 2 * r.pass,
              [=, &b] { b.dropout(r.x, make_dropout(0.1, 1), r.packed, state, r.out); });
}

void add_activations(Bench& bench, const Rows& r) {
  Backend& b = bench.backend;
  for (const Activation kind : {Activation::GeluErf, Activation::GeluTanh}) {
    const std::string what = std::string("/") + name_of(kind) + r.suffix;
    bench.bytes("activation" + what, 8 * r.pass,
                [=, &b] { b.activation(kind, r.wide, {}, r.wide_out); });
    // dx, and the output once more: backward has both to make. Not in place, as a step has it:
    // again and again it would end in denormal numbers, which take twice the time.
    bench.bytes("activation_backward" + what, 16 * r.pass, [=, &b] {
      b.activation_backward(kind, r.wide, {}, r.wide_dout, r.wide_dx, r.wide_out, 0, r.dbias,
                            r.scratch);
    });
  }
  bench.bytes("curvature" + r.suffix, 8 * r.pass,
              [=, &b] { b.curvature(r.wide, {}, r.curve_beta, r.curve_c, r.wide_out); });
  bench.bytes("curvature_gradient" + r.suffix, 16 * r.pass, [=, &b] {
    b.curvature_gradient(r.wide, {}, r.curve_beta, r.curve_c, r.wide_dout, r.wide_dx, r.wide_out, 0,
                         r.dbias, 0, r.dcurve_beta, 0, r.dcurve_c, r.curve_scratch);
  });
  bench.bytes("column_sum" + r.suffix, 4 * r.pass,
              [=, &b] { b.column_sum(r.wide, 0, r.dbias, r.scratch); });
  bench.bytes("add_scaled" + r.suffix, 3 * r.pass, [=, &b] { b.add_scaled(1, r.x, 1, r.out); });
}

void add_norms_and_activations(Bench& bench, const Rows& rows) {
  add_norms(bench, rows);
  add_activations(bench, rows);
}

}  // namespace

void add_rows(Bench& bench, DType dtype) {
  const Batch mrpc(bench.pool, 32, 0);
  // 25 MiB a pass: two of them are beyond 32 MiB of cache.
  const Batch far[] = {Batch(bench.pool, 128, 64), Batch(bench.pool, 256, 64),
                       Batch(bench.pool, 512, 64)};
  const int narrow = dtype == DType::F32 ? 1 : 2;
  add_norms_and_activations(bench, Rows(bench, mrpc, "/384", dtype, 384));
  add_norms_and_activations(bench, Rows(bench, mrpc, "/768", dtype, 768));
  add_norms_and_activations(bench, Rows(bench, far[narrow], "/384/far", dtype, 384));
  add_norms_and_activations(bench, Rows(bench, far[narrow - 1], "/768/far", dtype, 768));
}

void add_tables(Bench& bench, DType dtype) {
  Backend& b = bench.backend;
  const std::int64_t T = Batch(bench.pool, 32, 0).view.rows, H = 384, vocabulary = 30522;
  const std::string suffix = std::string("/") + name_of(dtype);
  const MatrixView table = bench.pool.matrix(vocabulary, H), out = bench.pool.matrix(T, H, dtype);
  std::vector<std::int32_t> drawn(static_cast<std::size_t>(T));
  RandomStream stream(5, 5);
  for (std::int32_t& id : drawn) id = static_cast<std::int32_t>(stream.below(30522));
  const std::int32_t* const ids = bench.pool.integers(drawn);
  const ConstMatrixView id_view{ids, DType::I32, 1, T, T};
  const auto one_row = static_cast<double>(H);
  const auto count = static_cast<double>(T), width = static_cast<double>(size_of(dtype));
  bench.bytes("gather_rows" + suffix, count * one_row * (4 + width),
              [=, &b] { b.gather_rows(table, {}, id_view, 0, out); });
  bench.bytes("scatter_add_rows" + suffix, count * one_row * (2 * 4 + width),
              [=, &b] { b.scatter_add_rows(out, id_view, table); });
  if (dtype != DType::F32) return;  // losses are computed in f32
  const std::int64_t masked = 256;
  const MatrixView logits = bench.pool.matrix(masked, vocabulary),
                   dlogits = bench.pool.matrix(masked, vocabulary);
  const Workspace losses = bench.pool.workspace(static_cast<std::size_t>(masked) * 8);
  auto* loss = bench.pool.zeros<double>(1);
  const ConstMatrixView labels{ids, DType::I32, 1, masked, masked};
  bench.bytes("cross_entropy/30522" + suffix, 8 * static_cast<double>(masked * vocabulary),
              [=, &b] {
                b.cross_entropy(logits, labels, {loss, DType::F64, 1, 1, 1}, dlogits, losses);
              });
}

void add_optimizer(Bench& bench) {
  Backend& b = bench.backend;
  const StepState* const state = bench.state;
  const std::int64_t n = 22'700'000;
  const MatrixView p = bench.pool.matrix(1, n), g = bench.pool.matrix(1, n);
  const MatrixView m{bench.pool.zeros<float>(n), DType::F32, 1, n, n},
      v{bench.pool.zeros<float>(n), DType::F32, 1, n, n};
  auto* sum = bench.pool.zeros<double>(1);
  const auto count = static_cast<double>(n);
  const OptimizerRange range{p, g, m, v, 0, 0.01};
  bench.bytes("adamw/22.7M", 28 * count, [=, &b] { b.adamw(range, {}, state); });
  bench.bytes("squared_norm/22.7M", 4 * count, [=, &b] {
    b.squared_norm(g, 0, {sum, DType::F64, 1, 1, 1});
  });
  bench.bytes("fill/22.7M", 4 * count, [=, &b] { b.fill(0, m); });
}

/// Slots for 12,000 of 30,522 rows in random order; 600 of them have a gradient.
void add_row_table(Bench& bench, DType dtype) {
  Backend& b = bench.backend;
  const std::int64_t T = Batch(bench.pool, 32, 0).view.rows, H = 384;
  const std::int64_t vocabulary = 30522, slots = 12000, unique = 600;
  const auto list = [](const std::int32_t* values, std::int64_t count) {
    return ConstMatrixView{values, DType::I32, 1, count, count};
  };
  std::vector<std::int32_t> row_of_slot, source_of_slot, first_of_id, row_order;
  const std::int64_t stride = 7919;  // prime to both
  for (std::int64_t s = 0; s < slots; ++s) {
    row_of_slot.push_back(static_cast<std::int32_t>(s * stride % vocabulary));
    const bool has_gradient = s % (slots / unique) == 0;
    source_of_slot.push_back(has_gradient ? static_cast<std::int32_t>(s * unique / slots) : -1);
  }
  for (std::int64_t u = 0; u <= unique; ++u) {
    first_of_id.push_back(static_cast<std::int32_t>(u * T / unique));
  }
  for (std::int64_t t = 0; t < T; ++t) {
    row_order.push_back(static_cast<std::int32_t>(t * stride % T));
  }
  const std::int32_t* const rows = bench.pool.integers(row_of_slot);
  const std::int32_t* const sources = bench.pool.integers(source_of_slot);
  const std::int32_t* const offsets = bench.pool.integers(first_of_id);
  const std::int32_t* const order = bench.pool.integers(row_order);
  const MatrixView table = bench.pool.matrix(vocabulary, H),
                   gradient = bench.pool.matrix(unique, H);
  const MatrixView x = bench.pool.matrix(T, H, dtype);
  const std::string suffix = std::string("/") + name_of(dtype);
  const ConstMatrixView at = list(offsets, unique + 1), from = list(order, T),
                        places = list(rows, unique);
  const auto width = static_cast<double>(H);
  bench.bytes("segment_sum_rows/600" + suffix,
              width * static_cast<double>(T * std::int64_t(size_of(dtype)) + 4 * unique),
              [=, &b] { b.segment_sum_rows(x, at, from, places, 0, table); });
  if (dtype != DType::F32) return;  // master values
  const MatrixView m{bench.pool.zeros<float>(slots * H), DType::F32, slots, H, H},
      v{bench.pool.zeros<float>(slots * H), DType::F32, slots, H, H};
  auto* owed = bench.pool.zeros<double>(1);
  const StepState* const state = bench.state;
  const OptimizerRows update{table,
                             list(rows, slots),
                             list(sources, slots),
                             gradient,
                             m,
                             v,
                             {owed, DType::F64, 1, 1, 1},
                             0,
                             0.01};
  bench.bytes("adamw_rows/12000_of_30522" + suffix, 4 * width * (6 * slots + unique),
              [=, &b] { b.adamw_rows(update, {}, state); });
}

}  // namespace basis::benchmarks
