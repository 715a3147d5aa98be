#include "tensor/cuda/cublaslt.h"

#include <algorithm>

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis::cuda::device {

namespace {

constexpr std::size_t workspace_bytes = std::size_t{32} << 20;  // what NVIDIA advises for Hopper
constexpr std::size_t most_plans = 1024;

cudaDataType_t type_of(DType dtype) {
  return dtype == DType::BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/// The largest power of two, up to 256, that an address or a stride in bytes is a multiple of.
std::uint32_t alignment_of(const void* data, std::int64_t stride, DType dtype) {
  const auto bytes = static_cast<std::uint64_t>(stride) * size_of(dtype);
  const std::uint64_t bits = reinterpret_cast<std::uintptr_t>(data) | bytes | 256u;
  return static_cast<std::uint32_t>(bits & (~bits + 1));
}

const char* name_of(Epilogue epilogue) {
  if (epilogue == Epilogue::Bias) return ", with bias";
  return epilogue == Epilogue::BiasGradient ? ", with bias gradient" : "";
}

std::int64_t stride_of(ConstMatrixView view) {
  return std::max(view.row_stride, view.columns);
}

}  // namespace

ProductKey key_of(const Product& p) {
  return {p.out.rows,
          p.out.columns,
          p.transpose_a ? p.a.rows : p.a.columns,
          stride_of(p.a),
          stride_of(p.b),
          stride_of(p.out),
          p.transpose_a,
          p.transpose_b,
          p.beta != 0,
          p.a.dtype,
          p.out.dtype,
          p.epilogue,
          alignment_of(p.a.data, stride_of(p.a), p.a.dtype),
          alignment_of(p.b.data, stride_of(p.b), p.b.dtype),
          alignment_of(p.out.data, stride_of(p.out), p.out.dtype)};
}

struct CublasLt::Functions {
  explicit Functions(const Library& library)
      : create(library.function<decltype(&cublasLtCreate)>("cublasLtCreate")),
        destroy(library.function<decltype(&cublasLtDestroy)>("cublasLtDestroy")),
        version(library.function<decltype(&cublasLtGetVersion)>("cublasLtGetVersion")),
        status_text(
            library.function<decltype(&cublasLtGetStatusString)>("cublasLtGetStatusString")),
        matmul(library.function<decltype(&cublasLtMatmul)>("cublasLtMatmul")),
        heuristic(library.function<decltype(&cublasLtMatmulAlgoGetHeuristic)>(
            "cublasLtMatmulAlgoGetHeuristic")),
        layout_init(library.function<decltype(&cublasLtMatrixLayoutInit_internal)>(
            "cublasLtMatrixLayoutInit_internal")),
        desc_init(library.function<decltype(&cublasLtMatmulDescInit_internal)>(
            "cublasLtMatmulDescInit_internal")),
        desc_set(library.function<decltype(&cublasLtMatmulDescSetAttribute)>(
            "cublasLtMatmulDescSetAttribute")),
        preference_init(library.function<decltype(&cublasLtMatmulPreferenceInit_internal)>(
            "cublasLtMatmulPreferenceInit_internal")),
        algorithm_get(library.function<decltype(&cublasLtMatmulAlgoConfigGetAttribute)>(
            "cublasLtMatmulAlgoConfigGetAttribute")),
        preference_set(library.function<decltype(&cublasLtMatmulPreferenceSetAttribute)>(
            "cublasLtMatmulPreferenceSetAttribute")) {}

  void expect(cublasStatus_t status, const char* what) const {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw Error(fmt::format("cuBLASLt: {}: {}", what, status_text(status)));
  }

  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtGetVersion) version;
  decltype(&cublasLtGetStatusString) status_text;
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatrixLayoutInit_internal) layout_init;
  decltype(&cublasLtMatmulDescInit_internal) desc_init;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set;
  decltype(&cublasLtMatmulPreferenceInit_internal) preference_init;
  decltype(&cublasLtMatmulAlgoConfigGetAttribute) algorithm_get;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
};

/// Descriptions of one shape. The library's matrices are column-major, so it multiplies the
/// transposes: outᵀ = op(b)ᵀ op(a)ᵀ, and a row-major matrix is its own transpose.
struct CublasLt::Plan {
  Plan(const Functions& of, const Product& p, cublasComputeType_t compute) {
    of.expect(of.desc_init(&desc, sizeof(desc), compute, CUDA_R_32F), "a product's description");
    set(of, CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(of, CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(of, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(p.epilogue));
    layout(of, first, p.b);
    layout(of, second, p.a);
    layout(of, out, p.out);
  }

  template <class T>
  void set(const Functions& of, cublasLtMatmulDescAttributes_t attribute, T value) {
    of.expect(of.desc_set(&desc, attribute, &value, sizeof(value)), "a product's attribute");
  }

  static cublasLtEpilogue_t epilogue_of(Epilogue epilogue) {
    if (epilogue == Epilogue::Bias) return CUBLASLT_EPILOGUE_BIAS;
    if (epilogue == Epilogue::BiasGradient) return CUBLASLT_EPILOGUE_BGRADB;
    return CUBLASLT_EPILOGUE_DEFAULT;
  }
  static void layout(const Functions& of, cublasLtMatrixLayoutOpaque_t& layout,
                     ConstMatrixView view) {
    of.expect(of.layout_init(&layout, sizeof(layout), type_of(view.dtype),
                             static_cast<std::uint64_t>(view.columns),
                             static_cast<std::uint64_t>(view.rows), stride_of(view)),
              "a matrix's layout");
  }

  cublasLtMatmulDescOpaque_t desc;
  cublasLtMatrixLayoutOpaque_t first, second, out;
  std::optional<cublasLtMatmulAlgo_t> algorithm;
};

CublasLt::CublasLt(Runtime& runtime, bool is_tf32)
    : runtime_(runtime),
      library_({{"libcublasLt.so.13", {}}, {"libcublasLt.so.12", {}}}),
      functions_(std::make_unique<Functions>(library_)),
      is_tf32_(is_tf32),
      workspace_(runtime.reserve(workspace_bytes)),
      plans_(most_plans) {
  functions_->expect(functions_->create(&handle_), "start");
}

CublasLt::~CublasLt() {
  if (handle_ != nullptr) functions_->destroy(handle_);
}

std::string CublasLt::version() const {
  const std::size_t version = functions_->version();
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

CublasLt::Plan& CublasLt::plan_of(const Product& product) {
  const ProductKey key = key_of(product);
  if (const auto* known = plans_.find(key)) return **known;
  const bool has_tf32 = is_tf32_ && product.a.dtype == DType::F32;
  auto plan = std::make_unique<Plan>(*functions_, product,
                                     has_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F);
  if (product.row != nullptr) {
    plan->set(*functions_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, product.row);
  }
  plan->algorithm = choose(product, *plan);
  return *plans_.add(key, std::move(plan));
}

std::optional<cublasLtMatmulAlgo_t> CublasLt::choose(const Product& product, Plan& plan) const {
  const Functions& of = *functions_;
  cublasLtMatmulPreferenceOpaque_t preference;
  of.expect(of.preference_init(&preference, sizeof(preference)), "a preference");
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    of.expect(of.preference_set(&preference, attribute, &value, sizeof(value)), "a preference");
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{workspace_bytes});
  // Not in place: blocks would add to the output in whatever order they end.
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE |
                                 CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE));
  const ProductKey key = key_of(product);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.b_alignment);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.a_alignment);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.out_alignment);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.out_alignment);
  cublasLtMatmulHeuristicResult_t best = {};
  int found = 0;
  const cublasStatus_t status = of.heuristic(handle_, &plan.desc, &plan.first, &plan.second,
                                             &plan.out, &plan.out, &preference, 1, &best, &found);
  if (status != CUBLAS_STATUS_SUCCESS || found == 0) return std::nullopt;
  return best.algo;
}

std::vector<std::string> CublasLt::choices() const {
  const auto attribute = [&](const cublasLtMatmulAlgo_t& algorithm,
                             cublasLtMatmulAlgoConfigAttributes_t name) {
    std::uint32_t value = 0;  // the library wants an attribute's own size, four bytes for these
    std::size_t written = 0;
    const bool is_known = functions_->algorithm_get(&algorithm, name, &value, sizeof(value),
                                                    &written) == CUBLAS_STATUS_SUCCESS;
    return is_known ? std::to_string(value) : "?";
  };
  std::vector<std::string> lines;
  for (const auto& [key, plan] : plans_) {
    std::string line = fmt::format("{} to {}: ({}, {}) of {} terms{}{}{}{}", name_of(key.dtype),
                                   name_of(key.out_dtype), key.rows, key.columns, key.inner,
                                   key.transpose_a ? ", left transposed" : "",
                                   key.transpose_b ? ", right transposed" : "",
                                   key.adds ? ", added" : "", name_of(key.epilogue));
    if (!plan->algorithm) {
      lines.push_back(line + ": none, a plain kernel");
      continue;
    }
    const cublasLtMatmulAlgo_t& algorithm = *plan->algorithm;
    lines.push_back(line +
                    fmt::format(": algorithm {}, tile {}, stages {}, split {}, reduction {}",
                                attribute(algorithm, CUBLASLT_ALGO_CONFIG_ID),
                                attribute(algorithm, CUBLASLT_ALGO_CONFIG_TILE_ID),
                                attribute(algorithm, CUBLASLT_ALGO_CONFIG_STAGES_ID),
                                attribute(algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM),
                                attribute(algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME)));
  }
  return lines;
}

bool CublasLt::run(const Product& product) {
  const Functions& of = *functions_;
  Plan& plan = plan_of(product);
  if (!plan.algorithm) return false;
  if (product.row != nullptr) {
    plan.set(of, CUBLASLT_MATMUL_DESC_BIAS_POINTER, product.row);
  }
  const auto alpha = static_cast<float>(product.alpha), beta = static_cast<float>(product.beta);
  const cublasStatus_t status = of.matmul(
      handle_, &plan.desc, &alpha, product.b.data, &plan.first, product.a.data, &plan.second, &beta,
      product.out.data, &plan.out, product.out.data, &plan.out, &*plan.algorithm, workspace_.get(),
      workspace_bytes, static_cast<cudaStream_t>(runtime_.stream().handle));
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw Error(fmt::format("cuBLASLt: ({}, {}){} times ({}, {}){} in {}: {}", product.a.rows,
                            product.a.columns, product.transpose_a ? " transposed" : "",
                            product.b.rows, product.b.columns,
                            product.transpose_b ? " transposed" : "", name_of(product.a.dtype),
                            of.status_text(status)));
  }
  return true;
}

}  // namespace basis::cuda::device
