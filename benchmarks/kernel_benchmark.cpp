// Each kernel at the sizes of a MiniLM step (MRPC, 32 pairs: about 1,700 tokens, width 384), in
// GFLOP/s or GB/s beside a roof measured in the same process: a large product, and a copy with
// non-temporal stores. Bytes are the compulsory ones: each operand once. BASIS_ISA and
// BASIS_THREADS choose.
//   build/release/benchmarks/kernel_benchmark --benchmark_filter=attention

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <omp.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "tensor/cpu/cpu_backend.h"

namespace basis {
namespace {

/// Processor time of this process: on one thread it forgets what else the machine does.
double processor_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// The shortest of several runs, a thread's share of the processor time.
double seconds_of(const std::function<void()>& work) {
  double best = 1e9;
  for (int repeat = 0; repeat < 10; ++repeat) {
    const double start = processor_seconds();
    work();
    best = std::min(best, (processor_seconds() - start) / omp_get_max_threads());
  }
  return best;
}

/// What the machine gives at most.
struct Roofs {
  double flops = 0;         // per second
  double cached_bytes = 0;  // copy within the last-level cache, read + written, per second
  double memory_bytes = 0;  // copy beyond the cache with non-temporal stores
};

/// Matrices in the backend's memory, filled with random numbers.
class Pool {
 public:
  explicit Pool(Backend& backend) : backend_(backend) {}
  MatrixView matrix(std::int64_t rows, std::int64_t columns) {
    const auto count = static_cast<std::size_t>(rows * columns);
    blocks_.push_back(backend_.reserve(count * sizeof(float)));
    auto* data = reinterpret_cast<float*>(blocks_.back().get());
    for (std::size_t i = 0; i < count; ++i) data[i] = static_cast<float>(stream_.normal());
    return {data, DType::F32, rows, columns, columns};
  }
  template <class T>
  T* zeros(std::int64_t count, std::size_t bytes_each = sizeof(T)) {
    blocks_.push_back(backend_.reserve(static_cast<std::size_t>(count) * bytes_each));
    std::memset(blocks_.back().get(), 0, static_cast<std::size_t>(count) * bytes_each);
    return reinterpret_cast<T*>(blocks_.back().get());
  }
  Workspace workspace(std::size_t bytes) {
    return {zeros<std::byte>(static_cast<std::int64_t>(bytes)), bytes};
  }

 private:
  Backend& backend_;
  RandomStream stream_{1, 1};
  std::vector<Block> blocks_;
};

void copy_past_cache(const float* from, float* to, std::int64_t count) {
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; i += 16) {
#if defined(__x86_64__)
    for (std::int64_t j = i; j < i + 16; j += 4) _mm_stream_ps(to + j, _mm_load_ps(from + j));
#else
    std::memcpy(to + i, from + i, 16 * sizeof(float));
#endif
  }
}

Roofs measure_roofs(Backend& backend) {
  Pool pool(backend);
  Roofs roofs;
  const std::int64_t n = 1536;
  const MatrixView a = pool.matrix(n, n), b = pool.matrix(n, n), c = pool.matrix(n, n);
  const auto cube = static_cast<double>(n * n * n);
  roofs.flops = 2 * cube / seconds_of([&] { backend.matmul(1, a, false, b, true, 0, c); });
  const std::int64_t far = 32 << 20;
  const auto* from = pool.zeros<float>(far);
  auto* to = pool.zeros<float>(far);
  roofs.memory_bytes =
      8 * static_cast<double>(far) / seconds_of([&] { copy_past_cache(from, to, far); });
  const MatrixView x = pool.matrix(1728, 384), y = pool.matrix(1728, 384);
  roofs.cached_bytes = 20 * 8.0 * 1728 * 384 / seconds_of([&] {
                         for (int repeat = 0; repeat < 20; ++repeat) backend.convert(x, y);
                       });
  return roofs;
}

/// Sequences of 25 to 81 tokens, 53 on average, as MRPC's pairs; or all of one length.
struct Batch {
  Batch(int sequences, int length) {
    RandomStream stream(3, 3);
    offsets.push_back(0);
    for (int b = 0; b < sequences; ++b) {
      const int own = length > 0 ? length : 25 + static_cast<int>(stream.below(57));
      rows.insert(rows.end(), static_cast<std::size_t>(own), b);
      offsets.push_back(offsets.back() + own);
      longest = std::max(longest, own);
      pairs += static_cast<double>(own) * own;
    }
    rows.resize((rows.size() + 63) / 64 * 64, sequences - 1);
  }
  SequenceView view() const {
    return {offsets.data(),
            rows.data(),
            static_cast<std::int64_t>(rows.size()),
            static_cast<std::int64_t>(offsets.size()) - 1,
            longest,
            0};
  }
  std::vector<std::int32_t> offsets, rows;
  int longest = 0;
  double pairs = 0;  // sum of squared lengths
};

struct Bench {
  Backend& backend;
  Roofs roofs;
  Pool pool;
  int threads;

  void flops(const std::string& name, double count, std::function<void()> work) {
    add(name, "GFLOP/s", count, roofs.flops, std::move(work));
  }
  /// The roof is the cache's where everything fits into half of 32 MiB.
  void bytes(const std::string& name, double count, std::function<void()> work) {
    add(name, "GB/s", count, count < (16 << 20) ? roofs.cached_bytes : roofs.memory_bytes,
        std::move(work));
  }

 private:
  void add(const std::string& name, const char* unit, double amount, double roof,
           std::function<void()> work) {
    auto* registered = benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
      for (auto _ : state) work();
      const auto done = amount * static_cast<double>(state.iterations());
      state.counters[unit] = benchmark::Counter(done / 1e9, benchmark::Counter::kIsRate);
      state.counters["of_roof"] = benchmark::Counter(done / roof, benchmark::Counter::kIsRate);
    });
    registered->Unit(benchmark::kMicrosecond);
    // With one thread the processor's time is the measure: it forgets what else the machine does.
    if (threads > 1) registered->UseRealTime();
  }
};

void add_products(Bench& bench, std::int64_t T) {
  Backend& b = bench.backend;
  for (auto [in, out] :
       {std::pair<std::int64_t, std::int64_t>{384, 384}, {384, 1536}, {1536, 384}}) {
    const std::string size = std::to_string(in) + "_to_" + std::to_string(out);
    const MatrixView x = bench.pool.matrix(T, in), w = bench.pool.matrix(out, in),
                     y = bench.pool.matrix(T, out), bias = bench.pool.matrix(1, out),
                     dw = bench.pool.matrix(out, in), dx = bench.pool.matrix(T, in);
    const PreparedWeight weight = b.prepare_weight(w, DType::F32);
    const Workspace scratch =
        bench.pool.workspace(b.linear_weight_gradient_workspace(T, out, in, DType::F32));
    const double count = 2 * static_cast<double>(T) * static_cast<double>(in * out);
    bench.flops("linear/" + size, count, [=, &b] { b.linear(x, weight, bias, y); });
    bench.flops("linear_input_gradient/" + size, count,
                [=, &b] { b.linear_input_gradient(y, weight, 0, dx); });
    bench.flops("linear_weight_gradient/" + size, count,
                [=, &b] { b.linear_weight_gradient(y, x, 0, dw, 0, bias, scratch); });
  }
}

void add_attention(Bench& bench, const Batch& batch, const StepState& state,
                   const std::string& name, std::int64_t heads, std::int64_t width) {
  Backend& b = bench.backend;
  const SequenceView packed = batch.view();
  const std::int64_t H = heads * width;
  const MatrixView qkv = bench.pool.matrix(packed.rows, 3 * H),
                   dqkv = bench.pool.matrix(packed.rows, 3 * H),
                   out = bench.pool.matrix(packed.rows, H),
                   dout = bench.pool.matrix(packed.rows, H),
                   lse = bench.pool.matrix(packed.rows, heads);
  auto part = [H](MatrixView m, std::int64_t i) {
    return MatrixView{m.as<float>() + i * H, DType::F32, m.rows, H, m.row_stride};
  };
  const AttentionShape shape{heads, width, 1 / std::sqrt(static_cast<double>(width))};
  const Workspace scratch = bench.pool.workspace(b.attention_workspace(packed, shape, DType::F32));
  const Workspace more =
      bench.pool.workspace(b.attention_gradient_workspace(packed, shape, DType::F32));
  const double products =
      2 * batch.pairs * static_cast<double>(H);  // flops of one L x L x D product
  for (double p : {0.0, 0.1}) {
    const Dropout site = make_dropout(p, 1);
    const std::string what = name + (p > 0 ? "/dropout" : "");
    bench.flops("attention/" + what, 2 * products, [=, &b, &state] {
      b.attention(part(qkv, 0), part(qkv, 1), part(qkv, 2), packed, shape, site, &state, out, lse,
                  scratch);
    });
    bench.flops("attention_gradient/" + what, 5 * products, [=, &b, &state] {
      b.attention_gradient(dout, part(qkv, 0), part(qkv, 1), part(qkv, 2), out, lse, packed, shape,
                           site, &state, part(dqkv, 0), part(dqkv, 1), part(dqkv, 2), more);
    });
  }
}

void add_rows(Bench& bench, const Batch& batch, const StepState& state, std::int64_t H) {
  Backend& b = bench.backend;
  const SequenceView packed = batch.view();
  const std::int64_t T = packed.rows;
  const MatrixView x = bench.pool.matrix(T, H), residual = bench.pool.matrix(T, H),
                   out = bench.pool.matrix(T, H), normalised = bench.pool.matrix(T, H),
                   rstd = bench.pool.matrix(1, T), gamma = bench.pool.matrix(1, H),
                   beta = bench.pool.matrix(1, H), wide = bench.pool.matrix(T, 4 * H),
                   wide_out = bench.pool.matrix(T, 4 * H), wide_dout = bench.pool.matrix(T, 4 * H),
                   dsum = bench.pool.matrix(T, H), dropped = bench.pool.matrix(T, H),
                   dgamma = bench.pool.matrix(1, H), dbeta = bench.pool.matrix(1, H);
  const Workspace scratch =
      bench.pool.workspace(b.layer_norm_gradient_workspace(T, 4 * H, DType::F32));
  const double row_bytes = 4 * static_cast<double>(T * H);
  const std::string size = std::string("/").append(std::to_string(H));
  for (double p : {0.0, 0.1}) {
    const Dropout site = make_dropout(p, 1);
    const std::string what = size + (p > 0 ? "/dropout" : "");
    bench.bytes("residual_layer_norm" + what, 4 * row_bytes, [=, &b, &state] {
      b.residual_layer_norm(x, site, residual, packed, &state, gamma, beta, 1e-12, out, normalised,
                            rstd);
    });
    bench.bytes("residual_layer_norm_gradient" + what, (p > 0 ? 4 : 3) * row_bytes,
                [=, &b, &state] {
                  b.residual_layer_norm_gradient(out, normalised, rstd, gamma, site, packed, &state,
                                                 dsum, p > 0 ? dropped : MatrixView{}, 0, dgamma, 0,
                                                 dbeta, scratch);
                });
  }
  bench.bytes("dropout" + size, 2 * row_bytes,
              [=, &b, &state] { b.dropout(x, make_dropout(0.1, 1), packed, &state, out); });
  bench.bytes("layer_norm" + size, 3 * row_bytes,
              [=, &b] { b.layer_norm(x, gamma, beta, 1e-12, out, normalised, rstd); });
  bench.bytes("gelu" + size, 8 * row_bytes,
              [=, &b] { b.activation(Activation::GeluErf, wide, {}, wide_out); });
  bench.bytes("gelu_gradient" + size, 12 * row_bytes, [=, &b] {
    b.activation_gradient(Activation::GeluErf, wide, {}, wide_dout, wide_out);
  });
  bench.bytes("gelu_tanh" + size, 8 * row_bytes,
              [=, &b] { b.activation(Activation::GeluTanh, wide, {}, wide_out); });
  bench.bytes("column_sum" + size, 4 * row_bytes, [=, &b] {
    b.column_sum(wide, 0, {wide_out.data, DType::F32, 1, 4 * H, 4 * H}, scratch);
  });
  bench.bytes("add_scaled" + size, 3 * row_bytes, [=, &b] { b.add_scaled(1, x, 1, out); });
}

void add_tables(Bench& bench, std::int64_t T, std::int64_t H) {
  Backend& b = bench.backend;
  const std::int64_t vocabulary = 30522;
  const MatrixView table = bench.pool.matrix(vocabulary, H), out = bench.pool.matrix(T, H);
  auto* ids = bench.pool.zeros<std::int32_t>(T);
  RandomStream stream(5, 5);
  for (std::int64_t t = 0; t < T; ++t) ids[t] = static_cast<std::int32_t>(stream.below(30522));
  const ConstMatrixView id_view{ids, DType::I32, 1, T, T};
  const double row_bytes = 4 * static_cast<double>(T * H);
  bench.bytes("gather_rows", 2 * row_bytes, [=, &b] { b.gather_rows(table, {}, id_view, 0, out); });
  bench.bytes("scatter_add_rows", 3 * row_bytes,
              [=, &b] { b.scatter_add_rows(out, id_view, table); });
  const std::int64_t masked = 256;
  const MatrixView logits = bench.pool.matrix(masked, vocabulary),
                   dlogits = bench.pool.matrix(masked, vocabulary);
  const Workspace losses = bench.pool.workspace(static_cast<std::size_t>(masked) * 8);
  auto* loss = bench.pool.zeros<double>(1);
  const ConstMatrixView labels{ids, DType::I32, 1, masked, masked};
  bench.bytes("cross_entropy/30522", 8 * static_cast<double>(masked * vocabulary), [=, &b] {
    b.cross_entropy(logits, labels, {loss, DType::F64, 1, 1, 1}, dlogits, losses);
  });
}

void add_optimizer(Bench& bench, const StepState& state) {
  Backend& b = bench.backend;
  const std::int64_t n = 22'700'000;
  const MatrixView p = bench.pool.matrix(1, n), g = bench.pool.matrix(1, n);
  const MatrixView m{bench.pool.zeros<float>(n), DType::F32, 1, n, n},
      v{bench.pool.zeros<float>(n), DType::F32, 1, n, n};
  auto* sum = bench.pool.zeros<double>(1);
  const auto count = static_cast<double>(n);
  const OptimizerRange range{p, g, m, v, 0, 0.01};
  bench.bytes("adamw/22.7M", 28 * count, [=, &b, &state] { b.adamw(range, {}, &state); });
  bench.bytes("squared_norm/22.7M", 4 * count, [=, &b] {
    b.squared_norm(g, 0, {sum, DType::F64, 1, 1, 1});
  });
  bench.bytes("fill/22.7M", 4 * count, [=, &b] { b.fill(0, m); });
}

/// Slots for 12,000 of 30,522 rows in random order; 600 of them have a gradient.
void add_row_table(Bench& bench, const StepState& state, std::int64_t T, std::int64_t H) {
  Backend& b = bench.backend;
  const std::int64_t vocabulary = 30522, slots = 12000, unique = 600;
  const auto list = [](const std::int32_t* values, std::int64_t count) {
    return ConstMatrixView{values, DType::I32, 1, count, count};
  };
  auto* rows = bench.pool.zeros<std::int32_t>(slots);
  auto* sources = bench.pool.zeros<std::int32_t>(slots);
  auto* offsets = bench.pool.zeros<std::int32_t>(unique + 1);
  auto* order = bench.pool.zeros<std::int32_t>(T);
  const std::int64_t stride = 7919;  // prime to both
  for (std::int64_t s = 0; s < slots; ++s) {
    rows[s] = static_cast<std::int32_t>(s * stride % vocabulary);
    sources[s] = s % (slots / unique) == 0 ? static_cast<std::int32_t>(s * unique / slots) : -1;
  }
  for (std::int64_t u = 0; u <= unique; ++u) {
    offsets[u] = static_cast<std::int32_t>(u * T / unique);
  }
  for (std::int64_t t = 0; t < T; ++t) order[t] = static_cast<std::int32_t>(t * stride % T);
  const MatrixView table = bench.pool.matrix(vocabulary, H),
                   gradient = bench.pool.matrix(unique, H);
  const MatrixView x = bench.pool.matrix(T, H);
  const MatrixView m{bench.pool.zeros<float>(slots * H), DType::F32, slots, H, H},
      v{bench.pool.zeros<float>(slots * H), DType::F32, slots, H, H};
  auto* owed = bench.pool.zeros<double>(1);
  const OptimizerRows update{table,
                             list(rows, slots),
                             list(sources, slots),
                             gradient,
                             m,
                             v,
                             {owed, DType::F64, 1, 1, 1},
                             0,
                             0.01};
  const double row_bytes = 4 * static_cast<double>(H);
  bench.bytes("adamw_rows/12000_of_30522", row_bytes * static_cast<double>(6 * slots + unique),
              [=, &b, &state] { b.adamw_rows(update, {}, &state); });
  const ConstMatrixView at = list(offsets, unique + 1), from = list(order, T),
                        places = list(rows, unique);
  bench.bytes("segment_sum_rows/600", row_bytes * static_cast<double>(T + unique),
              [=, &b] { b.segment_sum_rows(x, at, from, places, 0, table); });
}

}  // namespace
}  // namespace basis

int main(int argc, char** argv) {
  using namespace basis;
  const std::unique_ptr<Backend> backend = make_cpu_backend();
  const int threads = chosen_threads();
  omp_set_num_threads(threads);
  Bench bench{*backend, measure_roofs(*backend), Pool(*backend), threads};
  for (const auto& [key, value] : backend->description()) benchmark::AddCustomContext(key, value);
  auto giga = [](double value) { return std::to_string(value / 1e9); };
  benchmark::AddCustomContext("roof GFLOP/s", giga(bench.roofs.flops));
  benchmark::AddCustomContext("roof GB/s beyond the cache", giga(bench.roofs.memory_bytes));
  benchmark::AddCustomContext("roof GB/s in the cache", giga(bench.roofs.cached_bytes));

  StepState state;
  state.learning_rate[0] = 1e-5;
  state.bias_correction1 = 0.1;
  state.bias_correction2 = 0.001;
  const Batch mrpc(32, 0), longest(4, 512);
  add_products(bench, mrpc.view().rows);
  add_attention(bench, mrpc, state, "32_of_53", 12, 32);
  add_attention(bench, longest, state, "4_of_512", 12, 32);
  add_attention(bench, mrpc, state, "32_of_53_heads_of_64", 12, 64);
  add_rows(bench, mrpc, state, 384);
  add_rows(bench, mrpc, state, 768);
  add_tables(bench, mrpc.view().rows, 384);
  add_optimizer(bench, state);
  add_row_table(bench, state, mrpc.view().rows, 384);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
