#include "tensor/arena.h"

#include <gtest/gtest.h>

#include "tensor/cpu/cpu_backend.h"

namespace basis {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

class GrowingArena : public testing::Test {
 protected:
  std::unique_ptr<Backend> backend_ = make_cpu_backend(1);
  Arena arena_{*backend_};
};

TEST_F(GrowingArena, AsksForNothingBeforeItIsAsked) {
  EXPECT_EQ(arena_.generation(), 0u);
  arena_.expect_empty();
  EXPECT_EQ(arena_.generation(), 0u);
}

TEST_F(GrowingArena, FillsAStretchBeforeItAsksForAnother) {
  const Block first = arena_.allocate(20 * mib);
  const Block second = arena_.allocate(12 * mib);
  EXPECT_EQ(arena_.generation(), 1u);
  EXPECT_EQ(second.get() - first.get(), static_cast<std::ptrdiff_t>(20 * mib));
  const Block third = arena_.allocate(1);
  EXPECT_EQ(arena_.generation(), 2u);
  EXPECT_EQ(arena_.live_bytes(), 32 * mib + 64);
  EXPECT_EQ(arena_.high_water(), 32 * mib + 64);
}

TEST_F(GrowingArena, JoinsItsStretchesWhenItIsEmptyAndThenStandsStill) {
  const auto step = [&] {
    const Block large = arena_.allocate(40 * mib);
    Block early = arena_.allocate(30 * mib);
    early.reset();
    const Block late = arena_.allocate(30 * mib);
    return std::pair(large.get(), late.get());
  };
  step();
  arena_.expect_empty();
  const std::size_t settled = arena_.generation();
  const auto places = step();
  arena_.expect_empty();
  EXPECT_EQ(step(), places);
  arena_.expect_empty();
  EXPECT_EQ(arena_.generation(), settled);
  EXPECT_EQ(arena_.high_water(), 94 * mib);
}

TEST_F(GrowingArena, MergesFreedNeighboursWithinAStretch) {
  Block one = arena_.allocate(10 * mib), two = arena_.allocate(10 * mib),
        three = arena_.allocate(10 * mib);
  const std::byte* begin = one.get();
  one.reset();
  three.reset();
  two.reset();
  EXPECT_EQ(arena_.allocate(32 * mib).get(), begin);
  EXPECT_EQ(arena_.generation(), 1u);
}

TEST_F(GrowingArena, RefusesToEndAStepThatLeavesSomething) {
  const Block block = arena_.allocate(1);
  EXPECT_THROW(arena_.expect_empty(), InternalError);
}

TEST_F(GrowingArena, SaysWhatTheStepNeedsAndWhatTheDeviceSays) {
  const Block block = arena_.allocate(3 * mib);
  try {
    arena_.allocate(std::size_t{1} << 62);
    FAIL() << "so much memory is nowhere";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("MiB more beside 3 MiB in use of 32 MiB; a smaller batch"),
              std::string::npos)
        << message;
    EXPECT_NE(message.find("the device: out of memory: the system refuses"), std::string::npos)
        << message;
  }
}

TEST(FixedArena, NeverGrows) {
  const std::unique_ptr<Backend> backend = make_cpu_backend(1);
  Arena arena(*backend, mib);
  const Block block = arena.allocate(mib / 2);
  EXPECT_THROW(arena.allocate(mib), Error);
  EXPECT_EQ(arena.generation(), 1u);
}

}  // namespace
}  // namespace basis
