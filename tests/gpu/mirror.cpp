#include "tests/gpu/mirror.h"

#include <algorithm>
#include <cstring>

#include <gtest/gtest.h>

namespace basis {

void Mirror::add(const void* begin, std::size_t bytes, bool is_written) {
  if (begin == nullptr || bytes == 0) return;
  auto* first = static_cast<std::byte*>(const_cast<void*>(begin));
  stretches_.push_back({first, first + bytes, is_written});
}

void Mirror::merge() {
  std::sort(stretches_.begin(), stretches_.end(),
            [](const Stretch& a, const Stretch& b) { return a.begin < b.begin; });
  std::vector<Stretch> merged;
  for (const Stretch& stretch : stretches_) {
    if (merged.empty() || stretch.begin >= merged.back().end) {
      merged.push_back(stretch);
      continue;
    }
    merged.back().end = std::max(merged.back().end, stretch.end);
    merged.back().is_written |= stretch.is_written;
  }
  stretches_ = std::move(merged);
}

void Mirror::copy_in() {
  merge();
  std::size_t end = 0;
  for (Stretch& stretch : stretches_) {
    stretch.place = end + margin + reinterpret_cast<std::uintptr_t>(stretch.begin) % 64;
    end = (stretch.place + stretch.size() + 63) / 64 * 64;
  }
  image_.assign(end + margin, std::byte{0xFF});
  for (const Stretch& stretch : stretches_) {
    std::memcpy(image_.data() + stretch.place, stretch.begin, stretch.size());
  }
  block_ = memory_.allocate(image_.size());
  device_.copy_to_device(image_.data(), block_.get(), image_.size());
}

void* Mirror::mapped(const void* host) const {
  if (host == nullptr) return nullptr;
  for (const Stretch& stretch : stretches_) {
    if (host < stretch.begin || host >= stretch.end) continue;
    return block_.get() + stretch.place + (static_cast<const std::byte*>(host) - stretch.begin);
  }
  throw InternalError("a pointer of a mirrored call was not named");
}

void Mirror::copy_out() {
  std::vector<std::byte> after(image_.size());
  device_.copy_to_host(block_.get(), after.data(), after.size());
  for (const Stretch& stretch : stretches_) {
    if (!stretch.is_written) continue;
    std::memcpy(stretch.begin, after.data() + stretch.place, stretch.size());
    std::memcpy(image_.data() + stretch.place, after.data() + stretch.place, stretch.size());
  }
  const auto wrong = std::mismatch(image_.begin(), image_.end(), after.begin());
  if (wrong.first == image_.end()) return;
  const auto at = static_cast<std::size_t>(wrong.first - image_.begin());
  for (const Stretch& stretch : stretches_) {
    if (at >= stretch.place + stretch.size() + margin) continue;
    ADD_FAILURE() << "a kernel wrote where it must not: byte "
                  << static_cast<std::ptrdiff_t>(at) - static_cast<std::ptrdiff_t>(stretch.place)
                  << " of an operand of " << stretch.size() << " bytes"
                  << (stretch.is_written ? "" : " that it only reads");
    return;
  }
}

}  // namespace basis
