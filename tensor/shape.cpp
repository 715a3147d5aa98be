#include "tensor/shape.h"

#include "tensor/error.h"

namespace basis {

Shape::Shape(std::initializer_list<std::int64_t> sizes) {
  for (std::int64_t size : sizes) append(size);
}

void Shape::append(std::int64_t size) {
  if (rank_ == max_rank) throw ShapeError("shape: more than 4 axes");
  if (size < 0) throw ShapeError("shape: negative size " + std::to_string(size));
  sizes_[static_cast<std::size_t>(rank_++)] = size;
}

std::int64_t Shape::operator[](int axis) const {
  const int index = axis < 0 ? axis + rank_ : axis;
  if (index < 0 || index >= rank_) {
    throw ShapeError("shape: axis " + std::to_string(axis) + " of " + to_string());
  }
  return sizes_[static_cast<std::size_t>(index)];
}

std::int64_t Shape::element_count() const {
  std::int64_t count = 1;
  for (int axis = 0; axis < rank_; ++axis) count *= sizes_[static_cast<std::size_t>(axis)];
  return count;
}

std::int64_t Shape::row_count() const {
  std::int64_t count = 1;
  for (int axis = 0; axis + 1 < rank_; ++axis) count *= sizes_[static_cast<std::size_t>(axis)];
  return count;
}

std::int64_t Shape::column_count() const {
  return rank_ == 0 ? 1 : (*this)[-1];
}

std::string Shape::to_string() const {
  std::string text = "(";
  for (int axis = 0; axis < rank_; ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(sizes_[static_cast<std::size_t>(axis)]);
  }
  return text + ")";
}

}  // namespace basis
