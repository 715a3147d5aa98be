#include <gtest/gtest.h>

#include "spectral/adapter_method.h"

namespace basis {
namespace {

using Path = Adapter::Path;

// MiniLM's matrices and a batch of MRPC: worked out by hand in docs/methods.md.
TEST(CheapestPath, FoldsASmallRankOverManyTokens) {
  EXPECT_EQ(cheapest_path(1728, 384, 384, 32, DType::F32), Path::Folded);
  EXPECT_EQ(cheapest_path(1728, 1536, 384, 32, DType::F32), Path::Folded);
}

TEST(CheapestPath, TakesTheSidePathForFewTokens) {
  EXPECT_EQ(cheapest_path(384, 384, 384, 32, DType::F32), Path::Side);
  EXPECT_EQ(cheapest_path(385, 384, 384, 32, DType::F32), Path::Folded);
}

TEST(CheapestPath, MergesALargeRank) {
  EXPECT_EQ(cheapest_path(1728, 384, 384, 192, DType::F32), Path::Folded);
  EXPECT_EQ(cheapest_path(1728, 384, 384, 193, DType::F32), Path::Merged);
  EXPECT_EQ(cheapest_path(1728, 384, 384, 384, DType::F32), Path::Merged);
}

TEST(CheapestPath, NeverFoldsInBf16) {
  EXPECT_EQ(cheapest_path(1728, 384, 384, 32, DType::BF16), Path::Side);
  EXPECT_EQ(cheapest_path(1728, 384, 384, 64, DType::BF16), Path::Side);
  EXPECT_EQ(cheapest_path(1728, 384, 384, 384, DType::BF16), Path::Merged);
}

}  // namespace
}  // namespace basis
