#include "tensor/cuda/emulation/block.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>

#include "tensor/error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace basis::cuda::emulated {

Index3 threadIdx, blockIdx, blockDim, gridDim;

namespace {

namespace context = boost::context;

constexpr unsigned lanes_a_warp = 32;
constexpr std::size_t stack_bytes = std::size_t{64} << 10;

struct Stack {
  const void* bottom = nullptr;
  std::size_t size = 0;
};

// AddressSanitizer must know which stack is in use.
void before_switch([[maybe_unused]] void** kept, [[maybe_unused]] const Stack& to) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(kept, to.bottom, to.size);
#endif
}
void after_switch([[maybe_unused]] void* kept, [[maybe_unused]] Stack* from) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(kept, from == nullptr ? nullptr : &from->bottom,
                                  from == nullptr ? nullptr : &from->size);
#endif
}

/// How often the members of a group have arrived.
struct Barrier {
  std::uint64_t arrivals = 0;
  unsigned members = 1;
  std::uint64_t rounds() const { return arrivals / members; }
};

/// A stack on which threads run one after the other until one of them waits.
struct Worker {
  context::fiber fiber;  // where it stopped
  Stack stack;
  void* kept = nullptr;
  unsigned thread = 0;
  const Barrier* barrier = nullptr;  // that its thread waits for, until so many rounds are over
  std::uint64_t round = 0;

  bool is_ready() const { return barrier->rounds() >= round; }
};
using Workers = std::vector<std::unique_ptr<Worker>>;

struct Warp {
  Barrier barrier{0, lanes_a_warp};
  // Two rounds: a lane that is one ahead must not overwrite what another still reads.
  alignas(16) std::byte left[2][lanes_a_warp * most_bytes_a_lane];
};

/// The one that runs everything. Its workers serve block after block, to the process's end.
class Machine {
 public:
  static Machine& get() {
    static Machine& machine = *new Machine;
    return machine;
  }
  void begin_grid(unsigned threads, std::size_t shared_bytes);
  void run_block(const std::function<void()>& body);
  void wait_for_block() { wait(block_); }
  const void* exchange(const void* value, std::size_t bytes);
  void* shared();

 private:
  void work();
  void start_worker();
  void resume(std::unique_ptr<Worker> worker);
  void resume_all_ready();
  void back_to_main();
  void wait(Barrier& barrier);

  const std::function<void()>* body_ = nullptr;
  unsigned threads_ = 0, started_ = 0;
  std::vector<std::byte> shared_;
  std::vector<Warp> warps_;
  Barrier block_;
  Workers waiting_, idle_, abandoned_;
  Worker* active_ = nullptr;
  context::fiber main_;
  Stack main_stack_;
  void* main_kept_ = nullptr;
};

/// A worker's life: threads that have not begun, then sleep until the next block.
void Machine::work() {
  while (true) {
    while (started_ < threads_) {
      active_->thread = started_++;
      threadIdx = {active_->thread, 0, 0};
      (*body_)();
    }
    back_to_main();
  }
}

void Machine::start_worker() {
  if (!idle_.empty()) {
    std::unique_ptr<Worker> worker = std::move(idle_.back());
    idle_.pop_back();
    return resume(std::move(worker));
  }
  auto worker = std::make_unique<Worker>();
  context::fixedsize_stack stacks(stack_bytes);
  const context::stack_context stack = stacks.allocate();
  worker->stack = {static_cast<std::byte*>(stack.sp) - stack.size, stack.size};
  worker->fiber =
      context::fiber(std::allocator_arg, context::preallocated(stack.sp, stack.size, stack), stacks,
                     [this](context::fiber&& from) {
                       after_switch(nullptr, &main_stack_);
                       main_ = std::move(from);
                       work();
                       return std::move(main_);
                     });
  resume(std::move(worker));
}

void Machine::resume(std::unique_ptr<Worker> worker) {
  active_ = worker.get();
  active_->barrier = nullptr;
  threadIdx = {active_->thread, 0, 0};
  before_switch(&main_kept_, active_->stack);
  context::fiber stopped = std::move(active_->fiber).resume();
  after_switch(main_kept_, nullptr);
  worker->fiber = std::move(stopped);
  (worker->barrier != nullptr ? waiting_ : idle_).push_back(std::move(worker));
  active_ = nullptr;
}

void Machine::back_to_main() {
  Worker& self = *active_;
  before_switch(&self.kept, main_stack_);
  main_ = std::move(main_).resume();
  after_switch(self.kept, &main_stack_);
}

void Machine::wait(Barrier& barrier) {
  const std::uint64_t round = barrier.rounds() + 1;
  ++barrier.arrivals;
  if (barrier.rounds() >= round) return;
  active_->barrier = &barrier;
  active_->round = round;
  back_to_main();
}

const void* Machine::exchange(const void* value, std::size_t bytes) {
  Warp& warp = warps_[active_->thread / lanes_a_warp];
  std::byte* left = warp.left[warp.barrier.rounds() % 2];
  std::memcpy(left + active_->thread % lanes_a_warp * bytes, value, bytes);
  wait(warp.barrier);
  return left;
}

void* Machine::shared() {
  const auto address = reinterpret_cast<std::uintptr_t>(shared_.data());
  return shared_.data() + (16 - address % 16) % 16;
}

void Machine::begin_grid(unsigned threads, std::size_t shared_bytes) {
  ensure(active_ == nullptr, "a kernel starts no other");
  ensure(threads > 0 && threads % lanes_a_warp == 0 && threads <= 1024, "a block is whole warps");
  threads_ = threads;
  shared_.assign(shared_bytes + 16, std::byte{0xFF});
}

void Machine::run_block(const std::function<void()>& body) {
  std::fill(shared_.begin(), shared_.end(), std::byte{0xFF});
  warps_.assign(threads_ / lanes_a_warp, {});
  block_ = {0, threads_};
  body_ = &body;
  started_ = 0;
  while (started_ < threads_) start_worker();
  while (!waiting_.empty()) resume_all_ready();
}

void Machine::resume_all_ready() {
  bool has_moved = false;
  for (std::unique_ptr<Worker>& worker : std::exchange(waiting_, {})) {
    if (worker->is_ready()) {
      has_moved = true;
      resume(std::move(worker));
    } else {
      waiting_.push_back(std::move(worker));
    }
  }
  if (has_moved) return;
  const std::string message =
      "every thread of a block reaches its barriers: " + std::to_string(waiting_.size()) + " of " +
      std::to_string(threads_) + " wait for ever, one is thread " +
      std::to_string(waiting_.front()->thread);
  for (std::unique_ptr<Worker>& worker : std::exchange(waiting_, {})) {
    abandoned_.push_back(std::move(worker));
  }
  throw InternalError(message);
}

}  // namespace

void wait_for_block() {
  Machine::get().wait_for_block();
}
const void* exchange_bytes(const void* value, std::size_t bytes) {
  return Machine::get().exchange(value, bytes);
}
void* dynamic_shared_memory() {
  return Machine::get().shared();
}

void run_grid(Index3 blocks, unsigned threads, std::size_t shared_bytes,
              const std::function<void()>& body) {
  Machine::get().begin_grid(threads, shared_bytes);
  gridDim = blocks;
  blockDim = {threads, 1, 1};
  for (unsigned y = 0; y < blocks.y; ++y) {
    for (unsigned x = 0; x < blocks.x; ++x) {
      blockIdx = {x, y, 0};
      Machine::get().run_block(body);
    }
  }
}

}  // namespace basis::cuda::emulated
