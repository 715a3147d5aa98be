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

}  // namespace

void add_products(Bench& bench, DType dtype) {
  const std::int64_t T = Batch(32, 0).view().rows;
  for (const std::int64_t H : {384, 768}) {
    add_linear(bench, dtype, T, H, H);
    add_linear(bench, dtype, T, H, 3 * H);
    add_linear(bench, dtype, T, H, 4 * H);
    add_linear(bench, dtype, T, 4 * H, H);
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
