// Runtime without a GPU: memory and copies of the host.
#include "tensor/cuda/runtime.h"

#include <cstring>
#include <utility>

#include "tensor/cuda/emulation/memory.h"
#include "tensor/cuda/emulation/recording.h"
#include "tensor/cuda/reserved_bytes.h"
#include "tensor/error.h"

namespace basis::cuda::emulated {

struct Runtime::State {
  std::shared_ptr<ReservedBytes> reserved = std::make_shared<ReservedBytes>();
};

Runtime::Runtime(int) : state_(std::make_unique<State>()) {}
Runtime::~Runtime() = default;

void expect_success(int status, const char* what) {
  ensure(status == 0, what);
}

Stream Runtime::stream() const {
  return {};
}
std::vector<std::pair<std::string, std::string>> Runtime::description() const {
  return {{"device", "cuda, emulated on a host thread"}};
}
void Runtime::use_on_this_thread() const {}
int Runtime::multiprocessors() const {
  return 4;
}
Block Runtime::reserve(std::size_t bytes) {
  Block memory = device_memory(bytes);
  state_->reserved->add(bytes);
  std::byte* const begin = memory.get();
  return Block(begin, [memory = std::move(memory), bytes, of = state_->reserved](std::byte*) {
    of->remove(bytes);
  });
}
std::size_t Runtime::peak_reserved_bytes() const {
  return state_->reserved->peak();
}
void Runtime::copy_to_device(const void* host, void* device, std::size_t bytes) {
  ensure(current_recording == nullptr, "nothing is copied while work is recorded");
  const Access access;
  if (bytes > 0) std::memcpy(device, host, bytes);
}
void Runtime::copy_to_host(const void* device, void* host, std::size_t bytes) {
  ensure(current_recording == nullptr, "nothing is copied while work is recorded");
  const Access access;
  if (bytes > 0) std::memcpy(host, device, bytes);
}

namespace {

/// Nothing runs ahead here, but who reads before wait() would see nothing.
class EmulatedCopy final : public HostCopy {
 public:
  explicit EmulatedCopy(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  const std::byte* wait() override { return bytes_.data(); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace

std::unique_ptr<HostCopy> Runtime::begin_copy_to_host(const void* device, std::size_t bytes) {
  std::vector<std::byte> copy(bytes);
  copy_to_host(device, copy.data(), bytes);
  return std::make_unique<EmulatedCopy>(std::move(copy));
}

Recording* current_recording = nullptr;

void run_or_record(std::function<void()> work) {
  if (current_recording != nullptr) {
    current_recording->push_back(std::move(work));
    return;
  }
  const Access access;
  work();
}

void Runtime::begin_recording() {
  ensure(current_recording == nullptr, "one recording at a time");
  current_recording = new Recording;
}
std::shared_ptr<void> Runtime::end_recording() {
  ensure(current_recording != nullptr, "a recording was begun");
  return std::shared_ptr<Recording>(std::exchange(current_recording, nullptr));
}
void Runtime::replay(const std::shared_ptr<void>& recording) {
  const Access access;
  for (const auto& work : *static_cast<const Recording*>(recording.get())) work();
}

}  // namespace basis::cuda::emulated
