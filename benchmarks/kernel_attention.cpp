#include <cmath>

#include "benchmarks/kernel_kit.h"

namespace basis::benchmarks {

namespace {

void add_shape(Bench& bench, DType dtype, const Batch& batch, const std::string& name,
               std::int64_t heads, std::int64_t width) {
  Backend& b = bench.backend;
  const SequenceView packed = batch.view;
  const std::int64_t H = heads * width;
  const MatrixView qkv = bench.pool.matrix(packed.rows, 3 * H, dtype),
                   dqkv = bench.pool.matrix(packed.rows, 3 * H, dtype),
                   out = bench.pool.matrix(packed.rows, H, dtype),
                   dout = bench.pool.matrix(packed.rows, H, dtype),
                   lse = bench.pool.matrix(packed.rows, heads);
  auto part = [H](MatrixView m, std::int64_t i) {
    auto* const begin = m.as<std::byte>() + static_cast<std::size_t>(i * H) * size_of(m.dtype);
    return MatrixView{begin, m.dtype, m.rows, H, m.row_stride};
  };
  const AttentionShape shape{heads, width, 1 / std::sqrt(static_cast<double>(width))};
  const Workspace scratch = bench.pool.workspace(b.attention_workspace(packed, shape, dtype));
  const Workspace more = bench.pool.workspace(b.attention_gradient_workspace(packed, shape, dtype));
  const double product = 2 * batch.pairs * static_cast<double>(H);  // one L x L x D for each head
  const StepState* const state = bench.state;
  for (const double p : {0.0, 0.1}) {
    const Dropout site = make_dropout(p, 1);
    const std::string what = "/" + name + (p > 0 ? "/dropout/" : "/") + name_of(dtype);
    bench.flops("attention" + what, dtype, 2 * product, [=, &b] {
      b.attention(part(qkv, 0), part(qkv, 1), part(qkv, 2), packed, shape, site, state, out, lse,
                  scratch);
    });
    bench.flops("attention_gradient" + what, dtype, 5 * product, [=, &b] {
      b.attention_gradient(dout, part(qkv, 0), part(qkv, 1), part(qkv, 2), out, lse, packed, shape,
                           site, state, part(dqkv, 0), part(dqkv, 1), part(dqkv, 2), more);
    });
  }
}

}  // namespace

void add_attention(Bench& bench, DType dtype) {
  const Batch mrpc(bench.pool, 32, 0), longest(bench.pool, 4, 512);
  add_shape(bench, dtype, mrpc, "32_of_53", 12, 32);
  add_shape(bench, dtype, longest, "4_of_512", 12, 32);
  add_shape(bench, dtype, mrpc, "32_of_53_heads_of_64", 12, 64);
}

}  // namespace basis::benchmarks
