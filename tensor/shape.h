#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace basis {

/// Sizes of a Tensor's axes, outermost first. Rank 0 (a scalar) to 4.
class Shape {
 public:
  static constexpr int max_rank = 4;

  Shape() = default;
  /// Throws ShapeError for more than four axes or a negative size.
  Shape(std::initializer_list<std::int64_t> sizes);

  int rank() const { return rank_; }
  /// Size of an axis; negative axes count from the end. Throws ShapeError out of range.
  std::int64_t operator[](int axis) const;
  std::int64_t element_count() const;
  /// Product of all axes but the last: how many rows the tensor has as a matrix. 1 for rank 0
  /// and 1.
  std::int64_t row_count() const;
  /// Size of the last axis; 1 for rank 0.
  std::int64_t column_count() const;

  /// Adds an axis behind the others. Throws ShapeError beyond four.
  void append(std::int64_t size);

  bool operator==(const Shape& other) const = default;

  /// "(1606, 384)".
  std::string to_string() const;

 private:
  std::array<std::int64_t, max_rank> sizes_{};
  int rank_ = 0;
};

}  // namespace basis
