#include "tensor/cuda/solver.h"

#include <vector>

#include <cusolverDn.h>
#include <fmt/format.h>

#include "tensor/cuda/library.h"
#include "tensor/error.h"

namespace basis::cuda::device {

namespace {

Library load() {
  return Library(
      {{"libcusolver.so.12",
        {"libnvJitLink.so.13", "libcublasLt.so.13", "libcublas.so.13", "libcusparse.so.12"}},
       {"libcusolver.so.11",
        {"libnvJitLink.so.12", "libcublasLt.so.12", "libcublas.so.12", "libcusparse.so.12"}}});
}

struct Functions {
  explicit Functions(const Library& library)
      : version(library.function<decltype(&cusolverGetVersion)>("cusolverGetVersion")),
        create(library.function<decltype(&cusolverDnCreate)>("cusolverDnCreate")),
        destroy(library.function<decltype(&cusolverDnDestroy)>("cusolverDnDestroy")),
        set_stream(library.function<decltype(&cusolverDnSetStream)>("cusolverDnSetStream")),
        create_params(
            library.function<decltype(&cusolverDnCreateParams)>("cusolverDnCreateParams")),
        destroy_params(
            library.function<decltype(&cusolverDnDestroyParams)>("cusolverDnDestroyParams")),
        polar_sizes(library.function<decltype(&cusolverDnXgesvdp_bufferSize)>(
            "cusolverDnXgesvdp_bufferSize")),
        polar(library.function<decltype(&cusolverDnXgesvdp)>("cusolverDnXgesvdp")),
        qr_sizes(library.function<decltype(&cusolverDnXgesvd_bufferSize)>(
            "cusolverDnXgesvd_bufferSize")),
        qr(library.function<decltype(&cusolverDnXgesvd)>("cusolverDnXgesvd")) {}

  std::string name() const {
    int number = 0;
    version(&number);
    return fmt::format("cuSOLVER {}.{}.{}", number / 1000, number / 100 % 10, number % 100);
  }

  decltype(&cusolverGetVersion) version;
  decltype(&cusolverDnCreate) create;
  decltype(&cusolverDnDestroy) destroy;
  decltype(&cusolverDnSetStream) set_stream;
  decltype(&cusolverDnCreateParams) create_params;
  decltype(&cusolverDnDestroyParams) destroy_params;
  decltype(&cusolverDnXgesvdp_bufferSize) polar_sizes;
  decltype(&cusolverDnXgesvdp) polar;
  decltype(&cusolverDnXgesvd_bufferSize) qr_sizes;
  decltype(&cusolverDnXgesvd) qr;
};

/// "" for success. cuSOLVER has names for its statuses but no function that tells them.
std::string words_of(cusolverStatus_t status, const char* what) {
  if (status == CUSOLVER_STATUS_SUCCESS) return "";
  return fmt::format("{} ended with status {}", what, static_cast<int>(status));
}

}  // namespace

/// The 64-bit interface. Results do not vary from run to run: that is the library's default.
struct Solver::State {
  explicit State(Runtime& of) : runtime(of), functions(load()) {}
  ~State() {
    if (params != nullptr) functions.destroy_params(params);
    if (handle != nullptr) functions.destroy(handle);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// At the first decomposition: the handle takes time and memory of the device.
  std::string start() {
    if (params != nullptr) return "";
    const auto stream = static_cast<cudaStream_t>(runtime.stream().handle);
    std::string refusal;
    if (handle == nullptr) refusal = words_of(functions.create(&handle), "the start of cuSOLVER");
    if (refusal.empty()) refusal = words_of(functions.set_stream(handle, stream), "its stream");
    if (refusal.empty()) refusal = words_of(functions.create_params(&params), "its parameters");
    if (refusal.empty() && !info) info = runtime.reserve(sizeof(int));
    return refusal;
  }

  void grow_workspace(std::size_t on_device, std::size_t on_host) {
    if (on_device > device_bytes) {
      device_bytes = 0;
      device_workspace.reset();
      device_workspace = runtime.reserve(on_device);
      device_bytes = on_device;
    }
    if (on_host > host_workspace.size()) host_workspace.resize(on_host);
  }

  /// Waits, and reads what the library left on the device.
  std::string outcome() {
    int code = 0;
    runtime.copy_to_host(info.get(), &code, sizeof(code));
    return code == 0 ? "" : fmt::format("it did not converge (info {})", code);
  }

  Runtime& runtime;
  Functions functions;
  cusolverDnHandle_t handle = nullptr;
  cusolverDnParams_t params = nullptr;
  Block info, device_workspace;
  std::size_t device_bytes = 0;
  std::vector<std::byte> host_workspace;
};

Solver::Solver(Runtime& runtime) : state_(std::make_unique<State>(runtime)) {}
Solver::~Solver() = default;

std::string Solver::name() const {
  return state_->functions.name();
}

std::string Solver::describe() {
  const Library library = load();
  return fmt::format("{} ({})", Functions(library).name(), library.path());
}

std::string Solver::polar(const SvdOperands& at) {
  State& of = *state_;
  if (std::string refusal = of.start(); !refusal.empty()) return refusal;
  constexpr cudaDataType_t f64 = CUDA_R_64F;
  constexpr int is_thin = 1;
  std::size_t on_device = 0, on_host = 0;
  std::string refusal =
      words_of(of.functions.polar_sizes(of.handle, of.params, CUSOLVER_EIG_MODE_VECTOR, is_thin,
                                        at.m, at.n, f64, at.a, at.m, f64, at.sigma, f64, at.u, at.m,
                                        f64, at.v, at.n, f64, &on_device, &on_host),
               "Xgesvdp_bufferSize");
  if (!refusal.empty()) return refusal;
  of.grow_workspace(on_device, on_host);
  double moved = 0;
  refusal = words_of(
      of.functions.polar(of.handle, of.params, CUSOLVER_EIG_MODE_VECTOR, is_thin, at.m, at.n, f64,
                         at.a, at.m, f64, at.sigma, f64, at.u, at.m, f64, at.v, at.n, f64,
                         of.device_workspace.get(), on_device, of.host_workspace.data(), on_host,
                         reinterpret_cast<int*>(of.info.get()), &moved),
      "Xgesvdp");
  if (refusal.empty()) refusal = of.outcome();
  if (refusal.empty() && moved != 0) {
    return fmt::format("small singular values were moved by {:.1e}", moved);
  }
  return refusal;
}

std::string Solver::qr(const SvdOperands& at) {
  State& of = *state_;
  if (std::string refusal = of.start(); !refusal.empty()) return refusal;
  constexpr cudaDataType_t f64 = CUDA_R_64F;
  std::size_t on_device = 0, on_host = 0;
  std::string refusal = words_of(
      of.functions.qr_sizes(of.handle, of.params, 'S', 'S', at.m, at.n, f64, at.a, at.m, f64,
                            at.sigma, f64, at.u, at.m, f64, at.v, at.n, f64, &on_device, &on_host),
      "Xgesvd_bufferSize");
  if (!refusal.empty()) return refusal;
  of.grow_workspace(on_device, on_host);
  refusal = words_of(
      of.functions.qr(of.handle, of.params, 'S', 'S', at.m, at.n, f64, at.a, at.m, f64, at.sigma,
                      f64, at.u, at.m, f64, at.v, at.n, f64, of.device_workspace.get(), on_device,
                      of.host_workspace.data(), on_host, reinterpret_cast<int*>(of.info.get())),
      "Xgesvd");
  return refusal.empty() ? of.outcome() : refusal;
}

}  // namespace basis::cuda::device
