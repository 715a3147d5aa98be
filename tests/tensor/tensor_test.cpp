#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include "tensor/philox.h"

namespace basis {
namespace {

TEST(Shape, CountsRowsAndColumns) {
  const Shape shape{2, 3, 5};
  EXPECT_EQ(shape.element_count(), 30);
  EXPECT_EQ(shape.row_count(), 6);
  EXPECT_EQ(shape.column_count(), 5);
  EXPECT_EQ(shape.to_string(), "(2, 3, 5)");
  EXPECT_EQ(Shape{}.element_count(), 1);
}

TEST(Shape, RefusesAFifthAxisAndANegativeSize) {
  EXPECT_THROW((Shape{1, 1, 1, 1, 1}), ShapeError);
  EXPECT_THROW((Shape{-1}), ShapeError);
}

// Known answers of the authors' Random123 (kat_vectors): philox4x32 10.
TEST(Philox, GivesTheKnownAnswers) {
  const PhiloxCounter zero = philox4x32({{0, 0, 0, 0}}, {0, 0});
  EXPECT_EQ(zero.word[0], 0x6627e8d5u);
  EXPECT_EQ(zero.word[1], 0xe169c58du);
  EXPECT_EQ(zero.word[2], 0xbc57ac4cu);
  EXPECT_EQ(zero.word[3], 0x9b00dbd8u);
  const std::uint32_t ones = 0xffffffffu;
  const PhiloxCounter full = philox4x32({{ones, ones, ones, ones}}, {ones, ones});
  EXPECT_EQ(full.word[0], 0x408f276du);
  EXPECT_EQ(full.word[1], 0x41c83b0eu);
  EXPECT_EQ(full.word[2], 0xa20bc7c6u);
  EXPECT_EQ(full.word[3], 0x6d5451fdu);
}

}  // namespace
}  // namespace basis
