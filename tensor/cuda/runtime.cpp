#include "tensor/cuda/runtime.h"

#include <cstring>

#include <cuda_runtime.h>
#include <fmt/format.h>

#include "tensor/cuda/reserved_bytes.h"
#include "tensor/error.h"

namespace basis::cuda::device {

namespace {

/// Compute capability 8.0: bf16 tensor cores and asynchronous copies to shared memory.
constexpr int oldest_major = 8;

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

/// What the machine has, for an error message.
std::string what_is_there() {
  int driver = 0, devices = 0;
  const bool has_driver = cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0;
  if (!has_driver) return "there is no NVIDIA driver";
  if (cudaGetDeviceCount(&devices) != cudaSuccess) devices = 0;
  cudaGetLastError();
  return fmt::format("the driver serves CUDA {} and {} device{}", version_text(driver), devices,
                     devices == 1 ? "" : "s");
}

[[noreturn]] void refuse_device(const std::string& reason) {
  throw Error(
      "device \"cuda\": " + reason + "; " + what_is_there() +
      ". Basis needs an NVIDIA GPU of compute capability 8.0 or more and a driver for CUDA " +
      version_text(CUDART_VERSION) +
      "; look at nvidia-smi and CUDA_VISIBLE_DEVICES, or compute with device = \"cpu\"");
}

cudaStream_t handle_of(Stream stream) {
  return static_cast<cudaStream_t>(stream.handle);
}

/// Pinned memory through which copies from pageable memory go, so that they are queued and the
/// host's memory may be reused at once. A ring: what the device may still read is not overwritten.
class Staging {
 public:
  explicit Staging(cudaStream_t stream) : stream_(stream) {
    expect_success(cudaMallocHost(reinterpret_cast<void**>(&memory_), bytes_),
                   "pinned memory for copies");
    for (cudaEvent_t& event : events_) {
      expect_success(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "event");
    }
  }
  ~Staging() {
    for (cudaEvent_t event : events_) cudaEventDestroy(event);
    cudaFreeHost(memory_);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  void copy(const std::byte* host, std::byte* device, std::size_t bytes) {
    while (bytes > 0) {
      const std::size_t count = std::min(bytes, part_bytes_ - used_);
      if (count == 0) {
        next_part();
        continue;
      }
      std::byte* pinned = memory_ + part_ * part_bytes_ + used_;
      std::memcpy(pinned, host, count);
      expect_success(cudaMemcpyAsync(device, pinned, count, cudaMemcpyHostToDevice, stream_),
                     "copy to the device");
      used_ += (count + alignment_ - 1) / alignment_ * alignment_;
      host += count;
      device += count;
      bytes -= count;
    }
  }

 private:
  /// The next part, once the device has read what was in it.
  void next_part() {
    expect_success(cudaEventRecord(events_[part_], stream_), "event");
    is_recorded_[part_] = true;
    part_ = (part_ + 1) % parts_;
    used_ = 0;
    if (is_recorded_[part_]) expect_success(cudaEventSynchronize(events_[part_]), "event");
  }

  static constexpr std::size_t parts_ = 4;
  static constexpr std::size_t part_bytes_ = std::size_t{4} << 20;
  static constexpr std::size_t bytes_ = parts_ * part_bytes_;
  static constexpr std::size_t alignment_ = 64;  // divides part_bytes_
  cudaStream_t stream_;
  std::byte* memory_ = nullptr;
  std::size_t part_ = 0, used_ = 0;
  cudaEvent_t events_[parts_] = {};
  bool is_recorded_[parts_] = {};
};

/// A pinned page and the event that says when a copy into it has arrived. Pages are used again:
/// taking one from the system would wait for the device.
struct PinnedPage {
  static constexpr std::size_t bytes = 4096;

  PinnedPage() {
    expect_success(cudaMallocHost(&memory, bytes), "pinned memory for copies");
    expect_success(cudaEventCreateWithFlags(&arrived, cudaEventDisableTiming), "event");
  }
  ~PinnedPage() {
    cudaEventDestroy(arrived);
    cudaFreeHost(memory);
  }
  PinnedPage(const PinnedPage&) = delete;
  PinnedPage& operator=(const PinnedPage&) = delete;

  void* memory = nullptr;
  cudaEvent_t arrived = nullptr;
};
using Pages = std::vector<std::unique_ptr<PinnedPage>>;

class QueuedCopy final : public HostCopy {
 public:
  QueuedCopy(std::unique_ptr<PinnedPage> page, std::shared_ptr<Pages> idle)
      : page_(std::move(page)), idle_(std::move(idle)) {}
  ~QueuedCopy() override {
    cudaEventSynchronize(page_->arrived);  // the device may still write into it
    idle_->push_back(std::move(page_));
  }
  const std::byte* wait() override {
    expect_success(cudaEventSynchronize(page_->arrived), "copy to the host");
    return static_cast<const std::byte*>(page_->memory);
  }

 private:
  std::unique_ptr<PinnedPage> page_;
  std::shared_ptr<Pages> idle_;
};

}  // namespace

void expect_success(int status, const char* what) {
  if (status == cudaSuccess) return;
  const auto error = static_cast<cudaError_t>(status);
  throw Error(
      fmt::format("cuda: {}: {} ({})", what, cudaGetErrorString(error), cudaGetErrorName(error)));
}

struct Runtime::State {
  int device = 0;
  cudaDeviceProp properties = {};
  cudaStream_t stream = nullptr;
  std::unique_ptr<Staging> staging;
  std::shared_ptr<Pages> idle_pages = std::make_shared<Pages>();
  std::shared_ptr<ReservedBytes> reserved = std::make_shared<ReservedBytes>();

  ~State() {
    staging.reset();
    idle_pages->clear();
    if (stream != nullptr) cudaStreamDestroy(stream);
  }
};

Runtime::Runtime(int device) : state_(std::make_unique<State>()) {
  int devices = 0;
  const cudaError_t counted = cudaGetDeviceCount(&devices);
  if (counted != cudaSuccess || devices == 0) {
    cudaGetLastError();
    refuse_device(counted == cudaSuccess ? "no GPU is visible" : cudaGetErrorString(counted));
  }
  if (device < 0 || device >= devices) {
    refuse_device(fmt::format("GPU {} was asked for", device));
  }
  state_->device = device;
  expect_success(cudaGetDeviceProperties(&state_->properties, device), "properties of the device");
  if (state_->properties.major < oldest_major) {
    refuse_device(fmt::format("{} has compute capability {}.{}", state_->properties.name,
                              state_->properties.major, state_->properties.minor));
  }
  expect_success(cudaSetDevice(device), "choice of the device");
  expect_success(cudaStreamCreateWithFlags(&state_->stream, cudaStreamNonBlocking), "stream");
  state_->staging = std::make_unique<Staging>(state_->stream);
}

Runtime::~Runtime() = default;

Stream Runtime::stream() const {
  return {state_->stream};
}

void Runtime::use_on_this_thread() const {
  expect_success(cudaSetDevice(state_->device), "choice of the device");
}

int Runtime::multiprocessors() const {
  return state_->properties.multiProcessorCount;
}

std::vector<std::pair<std::string, std::string>> Runtime::description() const {
  const cudaDeviceProp& of = state_->properties;
  int driver = 0;
  cudaDriverGetVersion(&driver);
  return {{"device", "cuda"},
          {"processor",
           fmt::format("{}, compute capability {}.{}, {} multiprocessors, {} MiB", of.name,
                       of.major, of.minor, of.multiProcessorCount, of.totalGlobalMem >> 20)},
          {"cuda runtime", version_text(CUDART_VERSION)},
          {"cuda driver", version_text(driver)}};
}

Block Runtime::reserve(std::size_t bytes) {
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, std::max<std::size_t>(bytes, 256));
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    std::size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    throw Error(
        fmt::format("out of memory: {} MiB more asked of {}, which has {} of {} MiB free; "
                    "a smaller batch or micro-batch (batch_size, micro_batch) helps",
                    bytes >> 20, state_->properties.name, free >> 20, total >> 20));
  }
  expect_success(status, "memory of the device");
  state_->reserved->add(bytes);
  return Block(static_cast<std::byte*>(memory), [bytes, of = state_->reserved](std::byte* p) {
    cudaFree(p);
    of->remove(bytes);
  });
}

std::size_t Runtime::peak_reserved_bytes() const {
  return state_->reserved->peak();
}

void Runtime::copy_to_device(const void* host, void* device, std::size_t bytes) {
  constexpr std::size_t most_staged_bytes = std::size_t{16} << 20;
  if (bytes <= most_staged_bytes) {
    return state_->staging->copy(static_cast<const std::byte*>(host),
                                 static_cast<std::byte*>(device), bytes);
  }
  // Weights: once, and waited for.
  expect_success(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, handle_of(stream())),
                 "copy to the device");
  expect_success(cudaStreamSynchronize(handle_of(stream())), "copy to the device");
}

void Runtime::copy_to_host(const void* device, void* host, std::size_t bytes) {
  use_on_this_thread();  // any may ask
  if (bytes > 0) {
    expect_success(
        cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, handle_of(stream())),
        "copy to the host");
  }
  expect_success(cudaStreamSynchronize(handle_of(stream())), "copy to the host");
}

std::unique_ptr<HostCopy> Runtime::begin_copy_to_host(const void* device, std::size_t bytes) {
  ensure(bytes <= PinnedPage::bytes, "a copy that is waited for later is small");
  if (state_->idle_pages->empty()) state_->idle_pages->push_back(std::make_unique<PinnedPage>());
  std::unique_ptr<PinnedPage> page = std::move(state_->idle_pages->back());
  state_->idle_pages->pop_back();
  expect_success(
      cudaMemcpyAsync(page->memory, device, bytes, cudaMemcpyDeviceToHost, handle_of(stream())),
      "copy to the host");
  expect_success(cudaEventRecord(page->arrived, handle_of(stream())), "event");
  return std::make_unique<QueuedCopy>(std::move(page), state_->idle_pages);
}

void Runtime::begin_recording() {
  // Relaxed: what this thread allocates meanwhile is none of the graph's business.
  expect_success(cudaStreamBeginCapture(handle_of(stream()), cudaStreamCaptureModeRelaxed),
                 "begin of a graph");
}

std::shared_ptr<void> Runtime::end_recording() {
  cudaGraph_t graph = nullptr;
  expect_success(cudaStreamEndCapture(handle_of(stream()), &graph), "end of a graph");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  expect_success(status, "making of a graph");
  return std::shared_ptr<void>(
      executable, [](void* made) { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(made)); });
}

void Runtime::replay(const std::shared_ptr<void>& recording) {
  expect_success(
      cudaGraphLaunch(static_cast<cudaGraphExec_t>(recording.get()), handle_of(stream())),
      "launch of a graph");
}

}  // namespace basis::cuda::device
