#include <algorithm>

#include "benchmarks/kernel_kit.h"

namespace basis::benchmarks {

namespace {

void add_linear(Bench& bench, DType dtype, std::int64_t T, std::int64_t in, std::int64_t out) {
  Backend& b = bench.backend;
  const std::string size =
      "/" + std::to_string(in) + "_to_" + std::to_string(out) + "/" + name_of(dtype);
  const MatrixView x = bench.pool.matrix(T, in, dtype), y = bench.pool.matrix(T, out, dtype),
                   dx = bench.pool.matrix(T, in, dtype), w = bench.pool.matrix(out, in),
                   dw = bench.pool.matrix(out, in), bias = bench.pool.matrix(1, out);
  const PreparedWeight weight = b.prepare_weight(w, dtype);
  const Workspace scratch =
      bench.pool.workspace(b.linear_weight_gradient_workspace(T, out, in, dtype));
  const double count = 2 * static_cast<double>(T) * static_cast<double>(in * out);
  bench.flops("linear" + size, dtype, count, [=, &b] { b.linear(x, weight, bias, y); });
  bench.flops("linear_input_gradient" + size, dtype, count,
              [=, &b] { b.linear_input_gradient(y, weight, 0, dx); });
  bench.flops("linear_weight_gradient" + size, dtype, count,
              [=, &b] { b.linear_weight_gradient(y, x, 0, dw, 0, bias, scratch); });
  if (weight.is_plain()) return;
  const double bytes = static_cast<double>(in * out) * (4 + 2);
  bench.bytes("prepare_weight" + size, bytes, [=, &b] { b.prepare_weight(w, dtype); });
}

MatrixView rows_of(const MatrixView& x, std::int64_t first, std::int64_t count) {
  auto* data = static_cast<std::byte*>(x.data) +
               static_cast<std::size_t>(first * x.row_stride) * size_of(x.dtype);
  return {data, x.dtype, count, x.columns, x.row_stride};
}

/// A feed-forward's forward pass, `tile` rows at a time. The pre-activation is kept for backward;
/// of the activation's output a tile is alive, which a small tile leaves in the second cache.
void add_feed_forward(Bench& bench, DType dtype, std::int64_t T, std::int64_t H,
                      std::int64_t tile) {
  Backend& b = bench.backend;
  const MatrixView x = bench.pool.matrix(T, H, dtype), y = bench.pool.matrix(T, H, dtype),
                   wide = bench.pool.matrix(T, 4 * H, dtype),
                   active = bench.pool.matrix(tile, 4 * H, dtype), up = bench.pool.matrix(4 * H, H),
                   down = bench.pool.matrix(H, 4 * H), up_bias = bench.pool.matrix(1, 4 * H),
                   down_bias = bench.pool.matrix(1, H);
  const PreparedWeight first = b.prepare_weight(up, dtype), second = b.prepare_weight(down, dtype);
  const double count = 2 * static_cast<double>(T) * static_cast<double>(2 * H * 4 * H);
  const std::string name = "feed_forward/" + std::to_string(H) + "/" +
                           (tile == T ? "whole" : "tiles_of_" + std::to_string(tile)) + "/" +
                           name_of(dtype);
  bench.flops(name, dtype, count, [=, &b] {
    for (std::int64_t row = 0; row < T; row += tile) {
      const std::int64_t rows = std::min(tile, T - row);
      const MatrixView pre = rows_of(wide, row, rows), value = rows_of(active, 0, rows);
      b.linear(rows_of(x, row, rows), first, up_bias, pre);
      b.activation(Activation::GeluErf, pre, {}, value);
      b.linear(value, second, down_bias, rows_of(y, row, rows));
    }
  });
}

}  // namespace

void add_products(Bench& bench, DType dtype) {
  const std::int64_t T = Batch(bench.pool, 32, 0).view.rows;
  for (const std::int64_t H : {384, 768}) {
    add_linear(bench, dtype, T, H, H);
    add_linear(bench, dtype, T, H, 3 * H);
    add_linear(bench, dtype, T, H, 4 * H);
    add_linear(bench, dtype, T, 4 * H, H);
    for (const std::int64_t tile : {T, std::int64_t{512}, std::int64_t{256}, std::int64_t{128}}) {
      add_feed_forward(bench, dtype, T, H, tile);
    }
    // A side path of rank 32: down and up.
    const std::int64_t k = 32;
    Backend& b = bench.backend;
    const MatrixView x = bench.pool.matrix(T, H, dtype), f = bench.pool.matrix(k, H, dtype),
                     p = bench.pool.matrix(T, k, dtype), u = bench.pool.matrix(H, k, dtype),
                     y = bench.pool.matrix(T, H, dtype);
    const double count = 2 * static_cast<double>(T) * static_cast<double>(H * k);
    const std::string size = "/" + std::to_string(H) + "_rank_32/" + name_of(dtype);
    bench.flops("side_path_down" + size, dtype, count,
                [=, &b] { b.matmul(1, x, false, f, true, 0, p); });
    bench.flops("side_path_up" + size, dtype, count,
                [=, &b] { b.matmul(1, p, false, u, true, 1, y); });
  }
}

}  // namespace basis::benchmarks
