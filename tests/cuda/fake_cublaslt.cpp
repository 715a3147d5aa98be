// A library of cuBLASLt's name whose products are loops: column-major, as the real one's are, and
// strict about what it is given.
#include <cstdint>
#include <cstring>
#include <string>

#include <cublasLt.h>

#include "tensor/cpu/functors.h"

namespace {

struct Layout {
  cudaDataType type;
  std::int64_t rows, columns, ld;
};
struct Description {
  cublasComputeType_t compute;
  cudaDataType scale;
  cublasOperation_t transpose_a, transpose_b;
  cublasLtEpilogue_t epilogue;
  const void* bias;
};
struct Preference {
  std::uint64_t workspace;
  std::uint32_t reductions;
  std::uint32_t alignment[4];
};

int refused_epilogue = -1, status_of_next = 0, heuristics = 0, last_compute = 0;

template <class T, class Opaque>
T& as(Opaque* opaque) {
  static_assert(sizeof(T) <= sizeof(Opaque));
  return *reinterpret_cast<T*>(opaque);
}

double element(const void* data, cudaDataType type, std::int64_t i) {
  if (type == CUDA_R_32F) return static_cast<const float*>(data)[i];
  return basis::widen(static_cast<const basis::BFloat16*>(data)[i]);
}
void set_element(void* data, cudaDataType type, std::int64_t i, double value) {
  if (type == CUDA_R_32F) {
    static_cast<float*>(data)[i] = static_cast<float>(value);
  } else {
    static_cast<basis::BFloat16*>(data)[i] = basis::narrow(static_cast<float>(value));
  }
}

/// m, n, k of a product; m = 0 where its operands do not fit together.
struct Sizes {
  std::int64_t m, n, k;
};
Sizes sizes_of(const Description& d, const Layout& a, const Layout& b, const Layout& out) {
  const bool ta = d.transpose_a == CUBLAS_OP_T, tb = d.transpose_b == CUBLAS_OP_T;
  const std::int64_t m = ta ? a.columns : a.rows, k = ta ? a.rows : a.columns;
  const std::int64_t n = tb ? b.rows : b.columns, other = tb ? b.columns : b.rows;
  const bool is_typed =
      a.type == b.type && (out.type == a.type || out.type == CUDA_R_32F) && d.scale == CUDA_R_32F;
  const bool fits = k == other && out.rows == m && out.columns == n && a.ld >= a.rows &&
                    b.ld >= b.rows && out.ld >= out.rows;
  return fits && is_typed ? Sizes{m, n, k} : Sizes{0, 0, 0};
}

}  // namespace

extern "C" {

void fake_cublaslt_refuse(int epilogue) {
  refused_epilogue = epilogue;
}
void fake_cublaslt_fail_next(int status) {
  status_of_next = status;
}
int fake_cublaslt_heuristics() {
  return heuristics;
}
int fake_cublaslt_last_compute() {
  return last_compute;
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = reinterpret_cast<cublasLtHandle_t>(&heuristics);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t) {
  return CUBLAS_STATUS_SUCCESS;
}
std::size_t cublasLtGetVersion() {
  return 130203;
}
const char* cublasLtGetStatusString(cublasStatus_t) {
  return "the fake's status";
}

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t layout, std::size_t size,
                                                 cudaDataType type, std::uint64_t rows,
                                                 std::uint64_t columns, std::int64_t ld) {
  if (size != sizeof(*layout)) return CUBLAS_STATUS_INVALID_VALUE;
  as<Layout>(layout) = {type, static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns),
                        ld};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t desc, std::size_t size,
                                               cublasComputeType_t compute, cudaDataType_t scale) {
  if (size != sizeof(*desc)) return CUBLAS_STATUS_INVALID_VALUE;
  as<Description>(desc) = {compute, scale, CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT,
                           nullptr};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t name,
                                              const void* value, std::size_t size) {
  Description& d = as<Description>(desc);
  const auto take = [&](auto& to) {
    if (size != sizeof(to)) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&to, value, size);
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (name) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return take(d.transpose_a);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return take(d.transpose_b);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return take(d.epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return take(d.bias);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}
cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t preference,
                                                     std::size_t size) {
  if (size != sizeof(*preference)) return CUBLAS_STATUS_INVALID_VALUE;
  as<Preference>(preference) = {0, CUBLASLT_REDUCTION_SCHEME_MASK, {256, 256, 256, 256}};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t name,
                                                    const void* value, std::size_t size) {
  Preference& p = as<Preference>(preference);
  if (name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) {
    if (size != sizeof(p.workspace)) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&p.workspace, value, size);
    return CUBLAS_STATUS_SUCCESS;
  }
  std::uint32_t* to = nullptr;
  if (name == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) to = &p.reductions;
  if (name == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES) to = &p.alignment[0];
  if (name == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES) to = &p.alignment[1];
  if (name == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES) to = &p.alignment[2];
  if (name == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES) to = &p.alignment[3];
  if (to == nullptr || size != sizeof(*to)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(to, value, size);
  return CUBLAS_STATUS_SUCCESS;
}

/// Leaves the alignments that it was told in the algorithm: the product checks its pointers.
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int asked,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int* found) {
  ++heuristics;
  *found = 0;
  const Preference& p = as<Preference>(preference);
  const Description& of = as<Description>(desc);
  if (asked < 1 || c != d || (p.reductions & CUBLASLT_REDUCTION_SCHEME_INPLACE) != 0 ||
      sizes_of(of, as<Layout>(a), as<Layout>(b), as<Layout>(d)).m == 0) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (of.epilogue == refused_epilogue) return CUBLAS_STATUS_NOT_SUPPORTED;
  results[0] = {};
  results[0].state = CUBLAS_STATUS_SUCCESS;
  std::memcpy(&results[0].algo, p.alignment, sizeof(p.alignment));
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t*,
                                                    cublasLtMatmulAlgoConfigAttributes_t name,
                                                    void* value, std::size_t size, std::size_t*) {
  const std::uint32_t number = 60 + static_cast<std::uint32_t>(name);
  if (size != sizeof(number)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(value, &number, size);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* out,
                              cublasLtMatrixLayout_t out_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void*, std::size_t,
                              cudaStream_t) {
  if (status_of_next != 0) {
    const auto status = static_cast<cublasStatus_t>(status_of_next);
    status_of_next = 0;
    return status;
  }
  const Description& of = as<Description>(desc);
  const Layout &la = as<Layout>(a_layout), &lb = as<Layout>(b_layout), &lo = as<Layout>(out_layout);
  const Sizes size = sizes_of(of, la, lb, lo);
  std::uint32_t alignment[4];
  std::memcpy(alignment, algorithm, sizeof(alignment));
  const void* pointers[] = {a, b, c, out};
  for (int i = 0; i < 4; ++i) {
    if (reinterpret_cast<std::uintptr_t>(pointers[i]) % alignment[i] != 0) {
      return CUBLAS_STATUS_INVALID_VALUE;
    }
  }
  if (size.m == 0 || c != out || c_layout != out_layout) return CUBLAS_STATUS_INVALID_VALUE;
  last_compute = of.compute;
  const float scale = *static_cast<const float*>(alpha), kept = *static_cast<const float*>(beta);
  const auto at_a = [&](std::int64_t i, std::int64_t k) {
    return element(a, la.type, of.transpose_a == CUBLAS_OP_T ? i * la.ld + k : k * la.ld + i);
  };
  const auto at_b = [&](std::int64_t k, std::int64_t j) {
    return element(b, lb.type, of.transpose_b == CUBLAS_OP_T ? k * lb.ld + j : j * lb.ld + k);
  };
  for (std::int64_t j = 0; j < size.n; ++j) {
    for (std::int64_t i = 0; i < size.m; ++i) {
      double sum = 0;
      for (std::int64_t k = 0; k < size.k; ++k) sum += at_a(i, k) * at_b(k, j);
      sum *= scale;
      const std::int64_t place = j * lo.ld + i;
      if (kept != 0) sum += kept * element(c, lo.type, place);
      if (of.epilogue == CUBLASLT_EPILOGUE_BIAS) sum += element(of.bias, lo.type, i);
      set_element(out, lo.type, place, sum);
    }
  }
  if (of.epilogue == CUBLASLT_EPILOGUE_BGRADB) {
    for (std::int64_t j = 0; j < size.n; ++j) {
      double sum = 0;
      for (std::int64_t k = 0; k < size.k; ++k) sum += at_b(k, j);
      set_element(const_cast<void*>(of.bias), CUDA_R_32F, j, sum);
    }
  }
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
