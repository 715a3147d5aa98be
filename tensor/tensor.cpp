#include "tensor/tensor.h"

#include <algorithm>
#include <new>

#include "tensor/mapped_file.h"

namespace basis {

Tensor::Tensor(Block storage, std::byte* data, const Shape& shape, DType dtype, DeviceKind device)
    : storage_(std::move(storage)), data_(data), shape_(shape), dtype_(dtype), device_(device) {}

Tensor Tensor::allocate(Allocator& allocator, const Shape& shape, DType dtype, DeviceKind device) {
  Block block =
      allocator.allocate(static_cast<std::size_t>(shape.element_count()) * size_of(dtype));
  std::byte* data = block.get();
  return Tensor(std::move(block), data, shape, dtype, device);
}

Tensor Tensor::on_host(const Shape& shape, DType dtype) {
  constexpr std::align_val_t alignment{64};
  const auto bytes = static_cast<std::size_t>(shape.element_count()) * size_of(dtype);
  auto* memory =
      static_cast<std::byte*>(::operator new(std::max<std::size_t>(bytes, 1), alignment));
  Block block(memory, [](std::byte* begin) { ::operator delete(begin, alignment); });
  return Tensor(std::move(block), memory, shape, dtype, DeviceKind::Cpu);
}

Tensor Tensor::reshape(const Shape& shape) const {
  if (shape.element_count() != element_count()) {
    throw ShapeError("reshape: " + shape_.to_string() + " does not hold as many elements as " +
                     shape.to_string());
  }
  return Tensor(storage_, data_, shape, dtype_, device_);
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t end) const {
  if (shape_.rank() == 0 || begin < 0 || end < begin || end > shape_[0]) {
    throw ShapeError("rows: [" + std::to_string(begin) + ", " + std::to_string(end) + ") of " +
                     shape_.to_string());
  }
  Shape part{end - begin};
  for (int axis = 1; axis < shape_.rank(); ++axis) part.append(shape_[axis]);
  const std::int64_t row_elements = shape_[0] == 0 ? 0 : element_count() / shape_[0];
  std::byte* first = data_ + static_cast<std::size_t>(begin * row_elements) * size_of(dtype_);
  return Tensor(storage_, first, part, dtype_, device_);
}

void Tensor::release_pages() const {
  MappedFile::release_pages(storage_);
}

MatrixView Tensor::view() const {
  return {data_, dtype_, shape_.row_count(), shape_.column_count(), shape_.column_count()};
}

MatrixView Tensor::columns(std::int64_t begin, std::int64_t end) const {
  MatrixView whole = view();
  if (begin < 0 || end < begin || end > whole.columns) {
    throw ShapeError("columns: [" + std::to_string(begin) + ", " + std::to_string(end) + ") of " +
                     shape_.to_string());
  }
  whole.data = data_ + static_cast<std::size_t>(begin) * size_of(dtype_);
  whole.columns = end - begin;
  return whole;
}

std::string Tensor::to_string() const {
  return std::string(name_of(dtype_)) + " " + shape_.to_string();
}

}  // namespace basis
