#pragma once

#include <cstdint>

#include "tensor/dtype.h"
#include "tensor/host_device.h"

namespace basis {

/// A row-major matrix in a backend's memory, as kernels see it. Tensors are contiguous, but an
/// operand may be a column slice of a wider one: `row_stride` (in elements) is then above
/// `columns`.
struct ConstMatrixView {
  const void* data = nullptr;
  DType dtype = DType::F32;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_stride = 0;

  bool is_absent() const { return data == nullptr; }
  bool is_contiguous() const { return rows <= 1 || row_stride == columns; }
  std::int64_t element_count() const { return rows * columns; }
  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
};

/// A ConstMatrixView that may be written.
struct MatrixView {
  void* data = nullptr;
  DType dtype = DType::F32;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_stride = 0;

  bool is_absent() const { return data == nullptr; }
  bool is_contiguous() const { return rows <= 1 || row_stride == columns; }
  std::int64_t element_count() const { return rows * columns; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  operator ConstMatrixView() const { return {data, dtype, rows, columns, row_stride}; }
};

/// The packed layout as kernels see it: sequences one behind the other, no padding between them.
/// All pointers are in the backend's memory.
struct SequenceView {
  const std::int32_t* offsets = nullptr;          // (B + 1): first row of each sequence; last = T
  const std::int32_t* sequence_of_row = nullptr;  // (rows): rows beyond T name the last sequence
  std::int64_t rows = 0;                          // T rounded up to the backend's bucket
  std::int64_t sequences = 0;                     // B
  std::int64_t longest = 0;                       // rows of the longest sequence
  std::int64_t first_example = 0;                 // place of sequence 0 in the step's global batch
  std::int64_t pairs = 0;   // of rows within a sequence: the sum of squared lengths, for counting
  std::int64_t tokens = 0;  // T, on the host, for counting
};

/// Rows of a table that no gradient has reached yet owe weight decay: such a row is worth `owed`
/// times what stands there. Pointers are in the backend's memory; null: no row owes.
struct RowDebt {
  const std::int32_t* slots = nullptr;  // (V): below 0 where a row owes
  const double* owed = nullptr;         // one number for all of them

  BASIS_HOST_DEVICE bool owes(std::int64_t row) const { return slots != nullptr && slots[row] < 0; }
};

/// Scratch memory that an operation hands to a kernel, of the size its `..._workspace` twin told.
struct Workspace {
  void* data = nullptr;
  std::size_t bytes = 0;
};

}  // namespace basis
