#include "experiments/compute.h"

#include <fstream>

#include <fmt/format.h>
#include <unistd.h>

#include "tensor/cpu/cpu_backend.h"
#include "tensor/cuda/cuda_backend.h"

namespace basis {

namespace {

/// Address space for a step's activations: as much as the machine has memory.
std::size_t physical_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_bytes = sysconf(_SC_PAGE_SIZE);
  constexpr std::size_t fallback_bytes = std::size_t{8} << 30;
  if (pages <= 0 || page_bytes <= 0) return fallback_bytes;
  return static_cast<std::size_t>(pages) * static_cast<std::size_t>(page_bytes);
}

}  // namespace

std::unique_ptr<Backend> make_backend(const std::string& device, std::int64_t threads,
                                      bool is_tf32) {
  if (device == "cpu") return make_cpu_backend(static_cast<int>(threads));
  if (device != "cuda") {
    throw Error("device = \"" + device + "\": choose \"cpu\" or \"cuda\"");
  }
  CudaOptions options;
  options.is_tf32 = is_tf32;
  return make_cuda_backend(options);
}

Compute::Compute(const std::string& device, std::int64_t threads, bool is_tf32)
    : Compute(make_backend(device, threads, is_tf32)) {}

Compute::Compute(std::unique_ptr<Backend> backend)
    : backend_(std::move(backend)), memory_(std::make_unique<CachingAllocator>(*backend_)) {
  const bool is_cpu = backend_->device() == DeviceKind::Cpu;
  arena_ = is_cpu ? std::make_unique<Arena>(*backend_, physical_memory())
                  : std::make_unique<Arena>(*backend_);
}

double Compute::peak_memory_mib() const {
  if (backend_->device() == DeviceKind::Cpu) return basis::peak_memory_mib();
  constexpr double mib = 1 << 20;
  return static_cast<double>(backend_->peak_reserved_bytes()) / mib;
}

DeviceDecompositions::DeviceDecompositions(const std::string& device, std::int64_t threads,
                                           bool is_tf32) {
  if (device == "cpu") return;
  backend_ = make_backend(device, threads, is_tf32);
  decompositions_ = backend_->make_decompositions();
}

ComputeDType compute_dtype(const Backend& backend, const std::string& name) {
  for (const DType dtype : {DType::F32, DType::BF16, DType::F64}) {
    if (name != name_of(dtype)) continue;
    if (dtype == DType::F64 && backend.device() != DeviceKind::Cpu) {
      throw Error(
          "dtype = \"f64\" is for checks on the CPU: choose device = \"cpu\", or \"f32\" or "
          "\"bf16\"");
    }
    if (backend.is_native(dtype)) return {dtype, ""};
    return {DType::F32, fmt::format("this processor has no {} instructions: computes in f32 (see "
                                    "`basis info`)",
                                    name)};
  }
  throw Error("dtype = \"" + name + "\": choose \"f32\", \"bf16\" or \"f64\"");
}

void expect_memory_to_train(std::int64_t parameters, DType dtype, const std::string& source) {
  constexpr double copies = 4;  // values, gradients and AdamW's two moments
  constexpr double gib = 1 << 30;
  const double needed =
      copies * static_cast<double>(parameters) * static_cast<double>(size_of(dtype));
  const auto there = static_cast<double>(physical_memory());
  if (needed <= there) return;
  throw Error(
      fmt::format("{}: a model of {} parameters takes {:.0f} GiB to train, and this machine "
                  "has {:.0f} GiB of memory: choose smaller sizes",
                  source, parameters, needed / gib, there / gib));
}

double peak_memory_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "VmHWM:") continue;
    double kib = 0;
    status >> kib;
    return kib / 1024;
  }
  return 0;
}

void reset_peak_memory() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5";  // proc(5): resets VmHWM
}

}  // namespace basis
