#include "tensor/cuda/emulation/memory.h"

#include <map>
#include <mutex>
#include <vector>

#include <sys/mman.h>

#include "tensor/error.h"

namespace basis::cuda::emulated {

namespace {

/// Address space of which the first `used` bytes have been given out. Blocks that come back are
/// kept by their size.
class Pool {
 public:
  static Pool& get() {
    static Pool& pool = *new Pool;
    return pool;
  }

  std::byte* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const std::size_t size = (bytes + unit - 1) / unit * unit;
    if (std::vector<std::byte*>& kept = kept_[size]; !kept.empty()) {
      std::byte* block = kept.back();
      kept.pop_back();
      return block;
    }
    ensure(used_ + size <= capacity, "the emulated device has memory for it");
    std::byte* block = begin_ + used_;
    used_ += size;
    if (accesses_ > 0) protect(PROT_READ | PROT_WRITE);
    return block;
  }
  void give(std::byte* block, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    kept_[(bytes + unit - 1) / unit * unit].push_back(block);
  }

  // Several threads may copy to the host at once.
  void open() {
    const std::lock_guard lock(mutex_);
    if (accesses_++ == 0) protect(PROT_READ | PROT_WRITE);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    if (--accesses_ == 0) protect(PROT_NONE);
  }

 private:
  static constexpr std::size_t unit = 4096;
  static constexpr std::size_t capacity = std::size_t{16} << 30;

  Pool() {
    void* start =
        mmap(nullptr, capacity, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ensure(start != MAP_FAILED, "the system has address space");
    begin_ = static_cast<std::byte*>(start);
  }
  void protect(int rights) {
    if (used_ > 0) ensure(mprotect(begin_, used_, rights) == 0, "memory can be protected");
  }

  std::mutex mutex_;
  std::byte* begin_ = nullptr;
  std::size_t used_ = 0;
  int accesses_ = 0;
  std::map<std::size_t, std::vector<std::byte*>> kept_;
};

}  // namespace

Block device_memory(std::size_t bytes) {
  return Block(Pool::get().take(bytes), [bytes](std::byte* p) { Pool::get().give(p, bytes); });
}

Access::Access() {
  Pool::get().open();
}
Access::~Access() {
  Pool::get().close();
}

}  // namespace basis::cuda::emulated
