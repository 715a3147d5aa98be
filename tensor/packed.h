#pragma once

#include <span>
#include <vector>

#include "tensor/backend.h"
#include "tensor/tensor.h"
#include "tensor/transfer.h"

namespace basis {

/// The packed layout of a batch: `T` tokens in a row, sequence b in rows [offsets[b],
/// offsets[b+1]), no padding between them; rows rounded up to the backend's bucket. Shared by data
/// and nn.
class PackedLayout {
 public:
  PackedLayout() = default;
  /// Copies offsets and the row-to-sequence map into the backend's memory.
  /// `first_example`: place of sequence 0 in the step's global batch. Throws Error for no sequence
  /// or an empty one.
  PackedLayout(Backend& backend, Allocator& allocator, std::span<const std::int32_t> lengths,
               std::int64_t first_example = 0);

  std::int64_t tokens() const { return tokens_; }             // T
  std::int64_t rows() const { return view_.rows; }            // T rounded up to the bucket
  std::int64_t sequences() const { return view_.sequences; }  // B
  std::int64_t longest() const { return view_.longest; }
  /// First row of each sequence, on the host: (B + 1).
  std::span<const std::int32_t> host_offsets() const { return host_offsets_; }
  /// (B) i32 on the device: the first row of each sequence, where `[CLS]` stands.
  Tensor first_rows() const { return offsets_.rows(0, sequences()); }
  const SequenceView& view() const { return view_; }
  /// A layout for tensors with one row per sequence (after pooling): row b is example b.
  SequenceView pooled_view() const;

 private:
  std::int64_t tokens_ = 0;
  std::vector<std::int32_t> host_offsets_;
  Tensor offsets_;
  Tensor sequence_of_row_;
  SequenceView view_;
};

}  // namespace basis
