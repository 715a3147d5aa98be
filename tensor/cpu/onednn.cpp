#include "tensor/cpu/onednn.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <unordered_map>

#include <fmt/format.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>

#include "tensor/cpu/memory.h"
#include "tensor/error.h"

namespace basis::cpu {

namespace {

dnnl::memory::data_type type_of(DType dtype) {
  switch (dtype) {
    case DType::F32:
      return dnnl::memory::data_type::f32;
    case DType::BF16:
      return dnnl::memory::data_type::bf16;
    default:
      throw InternalError(std::string("oneDNN is asked for products in ") + name_of(dtype));
  }
}

/// op(view) as oneDNN describes it: a transposition is a matter of strides.
dnnl::memory::desc describe(ConstMatrixView view, bool is_transposed = false) {
  const dnnl::memory::dim stride = std::max(view.row_stride, view.columns);
  if (is_transposed) return {{view.columns, view.rows}, type_of(view.dtype), {1, stride}};
  return {{view.rows, view.columns}, type_of(view.dtype), {stride, 1}};
}

dnnl::memory::desc describe_vector(ConstMatrixView row) {
  return {{row.columns}, type_of(row.dtype), {1}};
}

/// Everything that a primitive is compiled for.
using Key = std::array<std::int64_t, 16>;

std::int64_t code(ConstMatrixView view) {
  return view.is_absent() ? -1 : static_cast<std::int64_t>(view.dtype);
}

dnnl::primitive_attr attributes(double alpha, double beta) {
  dnnl::post_ops after;
  constexpr auto scale = dnnl::algorithm::eltwise_linear;
  const auto factor = static_cast<float>(alpha);
  if (alpha != 1) {
#if DNNL_VERSION_MAJOR >= 3
    after.append_eltwise(scale, factor, 0.0F);
#else
    after.append_eltwise(1.0F, scale, factor, 0.0F);
#endif
  }
  if (beta != 0) after.append_sum(1.0F);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(after);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

struct Compiled {
  dnnl::primitive primitive;
  dnnl::memory::desc scratch;
};

void* unqualified(const void* data) {
  return const_cast<void*>(data);  // dnnl::memory has one kind of pointer for inputs and outputs
}

}  // namespace

struct OneDnn::State {
  explicit State(int thread_count) : threads(thread_count) {}

  int threads;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::map<Key, Compiled> primitives;
  Block scratch;
  std::size_t scratch_bytes = 0;

  template <class Make>
  const Compiled& find(const Key& key, const Make& make) {
    const auto found = primitives.find(key);
    if (found != primitives.end()) return found->second;
    if (primitives.size() >= most_primitives) primitives.clear();
    return primitives.emplace(key, make()).first->second;
  }

  dnnl::memory memory(const dnnl::memory::desc& description, const void* data) const {
    return {description, engine, unqualified(data)};
  }

  void run(const Compiled& compiled, std::unordered_map<int, dnnl::memory>&& arguments) {
    const std::size_t needed = compiled.scratch.get_size();
    if (needed > scratch_bytes) {
      scratch = reserve(needed);
      scratch_bytes = needed;
    }
    if (needed > 0) arguments[DNNL_ARG_SCRATCHPAD] = memory(compiled.scratch, scratch.get());
    compiled.primitive.execute(stream, arguments);
    stream.wait();
  }

  // oneDNN takes its thread count from OpenMP's setting of the calling thread.
  void use_threads() const {
    if (omp_get_max_threads() != threads) omp_set_num_threads(threads);
  }
};

OneDnn::OneDnn(int threads) : state_(std::make_unique<State>(threads)) {}
OneDnn::~OneDnn() = default;

std::string OneDnn::version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

void OneDnn::limit_to(Isa isa) {
  switch (isa) {
    case Isa::Baseline:
      dnnl_set_max_cpu_isa(dnnl_cpu_isa_sse41);
      return;
    case Isa::Avx2:
      dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);
      return;
    case Isa::Avx512:
      dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core);
      return;
    case Isa::Avx512Bf16:
      dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core_bf16);
      return;
    case Isa::Amx:
      return;  // all that it has
  }
}

namespace {

Compiled compile_matmul(const dnnl::engine& engine, const dnnl::memory::desc& a,
                        const dnnl::memory::desc& b, const dnnl::memory::desc& bias,
                        const dnnl::memory::desc& out, const dnnl::primitive_attr& attributes) {
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc description(engine, a, b, bias, out, attributes);
#else
  const dnnl::matmul::primitive_desc description({a, b, bias, out}, attributes, engine);
#endif
  return {dnnl::matmul(description), description.scratchpad_desc()};
}

/// `weight`: of the forward product that the library wants to hear of first.
Compiled compile_weight_gradient(const dnnl::engine& engine, const dnnl::memory::desc& x,
                                 const dnnl::memory::desc& weight,
                                 const dnnl::memory::desc& dweight, const dnnl::memory::desc& dbias,
                                 const dnnl::memory::desc& g) {
  using Forward = dnnl::inner_product_forward;
  using Backward = dnnl::inner_product_backward_weights;
  constexpr auto training = dnnl::prop_kind::forward_training;
  const dnnl::primitive_attr plain = attributes(1, 0);
#if DNNL_VERSION_MAJOR >= 3
  const Forward::primitive_desc hint(engine, training, x, weight, g);
  const Backward::primitive_desc description(engine, x, dweight, dbias, g, hint, plain);
#else
  const Forward::primitive_desc hint({training, x, weight, g}, engine);
  const Backward::primitive_desc description({x, dweight, dbias, g}, plain, engine, hint);
#endif
  return {Backward(description), description.scratchpad_desc()};
}

}  // namespace

void OneDnn::matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
                    bool transpose_b, ConstMatrixView bias, double beta, MatrixView out) {
  state_->use_threads();
  const dnnl::memory::desc left = describe(a, transpose_a), right = describe(b, transpose_b);
  const dnnl::memory::desc result = describe(out);
  const dnnl::memory::desc shift =
      bias.is_absent()
          ? dnnl::memory::desc()
          : dnnl::memory::desc({1, bias.columns}, type_of(bias.dtype), {bias.columns, 1});
  const Key key{0,
                a.rows,
                a.columns,
                a.row_stride,
                b.rows,
                b.columns,
                b.row_stride,
                out.row_stride,
                code(a),
                code(out),
                code(bias),
                (transpose_a ? 1 : 0) + (transpose_b ? 2 : 0),
                std::bit_cast<std::int64_t>(alpha),
                std::bit_cast<std::int64_t>(beta)};
  const Compiled& compiled = state_->find(key, [&] {
    return compile_matmul(state_->engine, left, right, shift, result, attributes(alpha, beta));
  });
  std::unordered_map<int, dnnl::memory> arguments{{DNNL_ARG_SRC, state_->memory(left, a.data)},
                                                  {DNNL_ARG_WEIGHTS, state_->memory(right, b.data)},
                                                  {DNNL_ARG_DST, state_->memory(result, out.data)}};
  if (!bias.is_absent()) arguments[DNNL_ARG_BIAS] = state_->memory(shift, bias.data);
  state_->run(compiled, std::move(arguments));
}

void OneDnn::weight_gradient(ConstMatrixView g, ConstMatrixView x, MatrixView dweight,
                             MatrixView dbias) {
  state_->use_threads();
  const dnnl::memory::desc input = describe(x), gradient = describe(g);
  const dnnl::memory::desc weight = describe(dweight), shift = describe_vector(dbias);
  const Key key{1, g.rows, g.columns, x.columns, code(g)};
  const Compiled& compiled = state_->find(key, [&] {
    const dnnl::memory::desc any({dweight.rows, dweight.columns}, type_of(x.dtype),
                                 dnnl::memory::format_tag::any);
    return compile_weight_gradient(state_->engine, input, any, weight, shift, gradient);
  });
  state_->run(compiled, {{DNNL_ARG_SRC, state_->memory(input, x.data)},
                         {DNNL_ARG_DIFF_DST, state_->memory(gradient, g.data)},
                         {DNNL_ARG_DIFF_WEIGHTS, state_->memory(weight, dweight.data)},
                         {DNNL_ARG_DIFF_BIAS, state_->memory(shift, dbias.data)}});
}

}  // namespace basis::cpu
