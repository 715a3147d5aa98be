// What Basis calls of cuSOLVER, as LAPACK on memory of the host: a shared library of its name, for
// cusolver_test.cpp. It takes what NVIDIA's manual allows and refuses all else.
#include <algorithm>
#include <cstring>
#include <vector>

#include <cusolverDn.h>

#include "spectral/matrix_lapack.h"

namespace {

struct Sizes {
  int64_t m = 0, n = 0;
  size_t device = 0, host = 0;
};
Sizes told;
int handles = 0;
int next_info = 0;      // what decompositions end with
double next_error = 0;  // in one element of U
int polar_calls = 0, qr_calls = 0;

constexpr size_t host_bytes = 48;

cusolverStatus_t tell_sizes(int64_t m, int64_t n, size_t* device, size_t* host) {
  told = {m, n, static_cast<size_t>(m * n) * sizeof(double), host_bytes};
  *device = told.device;
  *host = told.host;
  return CUSOLVER_STATUS_SUCCESS;
}

bool are_f64(std::initializer_list<cudaDataType> types) {
  return std::all_of(types.begin(), types.end(), [](auto type) { return type == CUDA_R_64F; });
}

struct Arguments {
  cusolverDnHandle_t handle;
  int64_t m, n, lda, ldu, ldv;
  void *a, *device;
  size_t device_bytes;
  void* host;
  size_t host_bytes;
};

bool are_good(const Arguments& of) {
  const bool sizes_are_told = told.m == of.m && told.n == of.n && told.device == of.device_bytes &&
                              told.host == of.host_bytes;
  if (!sizes_are_told || of.handle == nullptr || of.m < of.n || of.n < 1) return false;
  if (of.lda < of.m || of.ldu < of.m || of.ldv < of.n) return false;
  // Workspaces are the library's to write.
  std::memset(of.device, 0xff, of.device_bytes);
  std::memset(of.host, 0xff, of.host_bytes);
  return true;
}

void decompose(const Arguments& of, double* sigma, double* u, double* vt, int* info) {
  const auto m = static_cast<int>(of.m), n = static_cast<int>(of.n);
  const auto lda = static_cast<int>(of.lda), ldu = static_cast<int>(of.ldu),
             ldv = static_cast<int>(of.ldv);
  const int size = 10 * (m + n) + 64;
  std::vector<double> work(static_cast<size_t>(size));
  int code = 0;
  basis::dgesvd_("S", "S", &m, &n, static_cast<double*>(of.a), &lda, sigma, u, &ldu, vt, &ldv,
                 work.data(), &size, &code, 1, 1);
  u[0] += next_error;
  *info = next_info != 0 ? next_info : code;
}

}  // namespace

extern "C" {

void fake_cusolver_end_with(int info, double error) {
  next_info = info;
  next_error = error;
}
void fake_cusolver_calls(int* polar, int* qr, int* open_handles) {
  *polar = polar_calls;
  *qr = qr_calls;
  *open_handles = handles;
}

cusolverStatus_t cusolverGetVersion(int* version) {
  *version = 12304;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t* handle) {
  *handle = reinterpret_cast<cusolverDnHandle_t>(&told);
  ++handles;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t) {
  --handles;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t, cudaStream_t stream) {
  return stream == nullptr ? CUSOLVER_STATUS_INVALID_VALUE : CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t* params) {
  *params = reinterpret_cast<cusolverDnParams_t>(&handles);
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnDestroyParams(cusolverDnParams_t) {
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnXgesvdp_bufferSize(cusolverDnHandle_t, cusolverDnParams_t,
                                              cusolverEigMode_t, int, int64_t m, int64_t n,
                                              cudaDataType, const void*, int64_t, cudaDataType,
                                              const void*, cudaDataType, const void*, int64_t,
                                              cudaDataType, const void*, int64_t, cudaDataType,
                                              size_t* device, size_t* host) {
  return tell_sizes(m, n, device, host);
}

cusolverStatus_t cusolverDnXgesvdp(cusolverDnHandle_t handle, cusolverDnParams_t,
                                   cusolverEigMode_t mode, int is_thin, int64_t m, int64_t n,
                                   cudaDataType of_a, void* a, int64_t lda, cudaDataType of_s,
                                   void* s, cudaDataType of_u, void* u, int64_t ldu,
                                   cudaDataType of_v, void* v, int64_t ldv, cudaDataType compute,
                                   void* device, size_t device_bytes, void* host, size_t in_host,
                                   int* info, double* moved) {
  ++polar_calls;
  const Arguments of{handle, m, n, lda, ldu, ldv, a, device, device_bytes, host, in_host};
  if (mode != CUSOLVER_EIG_MODE_VECTOR || is_thin != 1 || !are_good(of) ||
      !are_f64({of_a, of_s, of_u, of_v, compute})) {
    return CUSOLVER_STATUS_INVALID_VALUE;
  }
  auto* sigma = static_cast<double*>(s);
  auto* columns = static_cast<double*>(v);
  decompose(of, sigma, static_cast<double*>(u), columns, info);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j) std::swap(columns[i * ldv + j], columns[j * ldv + i]);
  }
  *moved = 0;
  if (sigma[n - 1] > 1e-14 * sigma[0]) return CUSOLVER_STATUS_SUCCESS;
  *moved = 1e-13 * sigma[0];  // less than what a check of the result would see
  for (int64_t i = 0; i < n; ++i) sigma[i] += *moved;
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnXgesvd_bufferSize(cusolverDnHandle_t, cusolverDnParams_t, signed char,
                                             signed char, int64_t m, int64_t n, cudaDataType,
                                             const void*, int64_t, cudaDataType, const void*,
                                             cudaDataType, const void*, int64_t, cudaDataType,
                                             const void*, int64_t, cudaDataType, size_t* device,
                                             size_t* host) {
  return tell_sizes(m, n, device, host);
}

cusolverStatus_t cusolverDnXgesvd(cusolverDnHandle_t handle, cusolverDnParams_t, signed char job_u,
                                  signed char job_v, int64_t m, int64_t n, cudaDataType of_a,
                                  void* a, int64_t lda, cudaDataType of_s, void* s,
                                  cudaDataType of_u, void* u, int64_t ldu, cudaDataType of_v,
                                  void* v, int64_t ldv, cudaDataType compute, void* device,
                                  size_t device_bytes, void* host, size_t in_host, int* info) {
  ++qr_calls;
  const Arguments of{handle, m, n, lda, ldu, ldv, a, device, device_bytes, host, in_host};
  if (job_u != 'S' || job_v != 'S' || !are_good(of) ||
      !are_f64({of_a, of_s, of_u, of_v, compute})) {
    return CUSOLVER_STATUS_INVALID_VALUE;
  }
  decompose(of, static_cast<double*>(s), static_cast<double*>(u), static_cast<double*>(v), info);
  return CUSOLVER_STATUS_SUCCESS;
}

}  // extern "C"
