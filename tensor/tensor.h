#pragma once

#include <string>
#include <vector>

#include "tensor/allocator.h"
#include "tensor/error.h"
#include "tensor/shape.h"
#include "tensor/view.h"

namespace basis {

enum class DeviceKind : std::uint8_t { Cpu, Cuda };

/// A handle on shared storage: always contiguous, row-major. Copies share the elements, as do
/// `reshape` and `rows`; a transposition is a flag of the matrix product.
class Tensor {
 public:
  Tensor() = default;
  /// Elements at `data`, kept alive by `storage` (which may own more, a mapped file for instance).
  Tensor(Block storage, std::byte* data, const Shape& shape, DType dtype, DeviceKind device);

  /// Uninitialised elements from an allocator of `device`.
  static Tensor allocate(Allocator& allocator, const Shape& shape, DType dtype,
                         DeviceKind device = DeviceKind::Cpu);

  /// Uninitialised elements in the host's memory, for files and for what comes from a device.
  static Tensor on_host(const Shape& shape, DType dtype);

  bool is_empty() const { return data_ == nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  DeviceKind device() const { return device_; }
  std::int64_t element_count() const { return shape_.element_count(); }
  std::size_t bytes() const { return static_cast<std::size_t>(element_count()) * size_of(dtype_); }

  /// The elements, in the device's memory: for kernels and for tensor/transfer.h, which reads and
  /// writes them. Throws InternalError when T is not the dtype.
  template <class T>
  T* data() const {
    ensure(DTypeOf<T>::value == dtype_, "Tensor::data<T> with T of the tensor's dtype");
    return reinterpret_cast<T*>(data_);
  }
  std::byte* bytes_begin() const { return data_; }

  /// Lets go of pages that are read from a mapped file again when they are touched, for elements
  /// that are rarely needed and were never written. Nothing happens where they are no file's.
  void release_pages() const;

  /// Whether this handle alone keeps the storage, so that its elements may be overwritten.
  bool is_sole_owner() const { return storage_.use_count() == 1; }

  /// The same elements in another shape of equal size. Throws ShapeError.
  Tensor reshape(const Shape& shape) const;
  /// Rows [begin, end) of the outermost axis. Throws ShapeError out of range.
  Tensor rows(std::int64_t begin, std::int64_t end) const;

  /// As a matrix: all axes but the last are rows.
  MatrixView view() const;
  /// Columns [begin, end) of that matrix.
  MatrixView columns(std::int64_t begin, std::int64_t end) const;

  /// "f32 (1606, 384)".
  std::string to_string() const;

 private:
  Block storage_;
  std::byte* data_ = nullptr;
  Shape shape_;
  DType dtype_ = DType::F32;
  DeviceKind device_ = DeviceKind::Cpu;
};

}  // namespace basis
