#include "tensor/philox.h"

#include <gtest/gtest.h>

namespace basis {
namespace {

TEST(RandomStream, SkipsTheBlocksThatNumbersTake) {
  for (const std::uint64_t blocks : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}}) {
    RandomStream drawn(7, 9), skipped(7, 9);
    for (std::uint64_t i = 0; i < blocks; ++i) drawn.normal();
    skipped.skip(blocks);
    EXPECT_EQ(drawn.normal(), skipped.normal()) << blocks;
  }
}

TEST(RandomStream, SkipsIntoTheCountersSecondWord) {
  RandomStream once(7, 9), twice(7, 9), unmoved(7, 9);
  once.skip((std::uint64_t{1} << 32) + 5);
  twice.skip(std::uint64_t{1} << 32);
  twice.skip(5);
  EXPECT_EQ(once.next_u32(), twice.next_u32());
  unmoved.skip(5);
  EXPECT_NE(unmoved.next_u32(), twice.next_u32());
}

}  // namespace
}  // namespace basis
