#include "experiments/interrupt.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace basis {
namespace {

#if defined(__x86_64__)
/// Sends this thread a SIGINT while its stack pointer is `elsewhere`.
long interrupt_with_stack_pointer(std::byte* elsewhere) {
  long result = SYS_tgkill;
  asm volatile(
      "movq %%rsp, %%rbx\n\t"
      "movq %[elsewhere], %%rsp\n\t"
      "syscall\n\t"
      "movq %%rbx, %%rsp"
      : "+a"(result)
      : [elsewhere] "r"(elsewhere), "D"(long{getpid()}), "S"(long{gettid()}), "d"(long{SIGINT})
      : "rbx", "rcx", "r11", "cc", "memory");
  return result;
}

// oneDNN's weight gradients use the stack pointer as a register: the frame of the handler went over
// the heap, and one Ctrl-C in five ended with "corrupted size vs. prev_size".
TEST(InterruptHandler, WritesNothingWhereTheStackPointerOfAKernelPoints) {
  constexpr std::byte untouched{0x5A};
  std::vector<std::byte> heap(128 << 10, untouched);
  const InterruptHandler handler;
  ASSERT_EQ(interrupt_with_stack_pointer(heap.data() + heap.size() / 2), 0);
  EXPECT_TRUE(handler.flag());
  EXPECT_EQ(std::count(heap.begin(), heap.end(), untouched), std::ssize(heap));
}
#endif

TEST(InterruptHandler, LeavesSignalsAndTheirStackAsTheyWere) {
  const auto stack_now = [] {
    stack_t stack = {};
    sigaltstack(nullptr, &stack);
    return stack;
  };
  const auto handler_now = [] {
    struct sigaction action = {};
    sigaction(SIGINT, nullptr, &action);
    return action.sa_handler;
  };
  const stack_t stack_before = stack_now();
  const auto handler_before = handler_now();
  {
    const InterruptHandler handler;
    EXPECT_NE(stack_now().ss_sp, stack_before.ss_sp);
    EXPECT_NE(handler_now(), handler_before);
  }
  EXPECT_EQ(stack_now().ss_flags, stack_before.ss_flags);
  EXPECT_EQ(stack_now().ss_sp, stack_before.ss_sp);
  EXPECT_EQ(handler_now(), handler_before);
}

}  // namespace
}  // namespace basis
