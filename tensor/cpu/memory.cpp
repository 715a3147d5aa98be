#include "tensor/cpu/memory.h"

#include <atomic>
#include <cstdlib>
#include <limits>

#include <fmt/format.h>
#include <sys/mman.h>

#include "tensor/error.h"

namespace basis::cpu {

namespace {

std::atomic<std::size_t> reservation_count{0};

constexpr std::size_t line_bytes = 64;
constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

[[noreturn]] void refuse(std::size_t bytes) {
  throw Error(fmt::format(
      "out of memory: the system refuses {} MiB; a smaller batch or model helps", bytes >> 20));
}

Block map_pages(std::size_t bytes) {
  if (bytes > std::numeric_limits<std::size_t>::max() / 2) refuse(bytes);
  const std::size_t size = (bytes + huge_page_bytes - 1) / huge_page_bytes * huge_page_bytes;
  // One huge page more than needed: the ends are cut off to align.
  const std::size_t mapped = size + huge_page_bytes;
  void* start = mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) refuse(bytes);
  auto* first = static_cast<std::byte*>(start);
  const std::size_t skipped =
      (huge_page_bytes - reinterpret_cast<std::uintptr_t>(first) % huge_page_bytes) %
      huge_page_bytes;
  std::byte* data = first + skipped;
  if (skipped > 0) munmap(first, skipped);
  if (mapped - skipped > size) munmap(data + size, mapped - skipped - size);
  madvise(data, size, MADV_HUGEPAGE);  // advice: without huge pages it still works
  return Block(data, [size](std::byte* p) { munmap(p, size); });
}

}  // namespace

std::size_t reservations() {
  return reservation_count;
}

Block reserve(std::size_t bytes) {
  ++reservation_count;
  if (bytes >= huge_page_bytes) return map_pages(bytes);
  const std::size_t size =
      bytes == 0 ? line_bytes : (bytes + line_bytes - 1) / line_bytes * line_bytes;
  auto* data = static_cast<std::byte*>(std::aligned_alloc(line_bytes, size));
  if (data == nullptr) refuse(bytes);
  return Block(data, [](std::byte* p) { std::free(p); });
}

}  // namespace basis::cpu
