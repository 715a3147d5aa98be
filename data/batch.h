#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "tensor/packed.h"
#include "tensor/row_segments.h"

namespace basis {

/// A (micro-)batch on the host, packed: T tokens one behind the other. Of images it has patches in
/// place of ids and types.
struct HostBatch {
  std::vector<std::int32_t> lengths;          // (B)
  std::vector<std::int32_t> ids;              // (T)
  std::vector<std::int32_t> positions;        // (T): 0 at the first token of every sequence
  std::vector<std::int32_t> types;            // (T)
  std::vector<float> patches;                 // (T, patch_values)
  std::int64_t patch_values = 0;              // pixels of a patch; 0: text
  std::vector<std::int32_t> labels;           // (B): -1 where unknown, which the loss ignores
  std::vector<double> targets;                // (B) for a regression, else empty
  std::vector<std::int32_t> example_indices;  // (B): rows of the set
  std::int64_t first_example = 0;             // place of sequence 0 in the step's global batch

  std::int64_t tokens() const { return std::ssize(positions); }
};

/// How a batch stands in a backend's memory. Exact: as it is. Fixed: so that all batches of one
/// BatchShape can stand in the same place and are read by the same launches (a CUDA graph).
enum class BatchForm : std::uint8_t { Exact, Fixed };

struct BatchShape {
  std::int64_t rows = 0;       // T rounded up to the backend's bucket
  std::int64_t longest = 0;    // of 64, 128, 256, 512: the class of the longest sequence
  std::int64_t sequences = 0;  // B

  /// "384 rows, 32 sequences of up to 64".
  std::string to_string() const;
  auto operator<=>(const BatchShape&) const = default;
};
BatchShape shape_of(const Backend& backend, const HostBatch& batch);

/// The same in a backend's memory, what a model takes. Rows beyond T hold zeros. Ids, segments and
/// types are empty for images, patches for text.
struct Batch {
  Tensor memory;  // all integers below are parts of it
  PackedLayout layout;
  Tensor ids;            // (rows) i32
  RowSegments segments;  // the T rows by their id
  Tensor positions;      // (rows) i32
  Tensor types;          // (rows) i32
  Tensor patches;        // (rows, patch_values) of the accumulation dtype
  Tensor labels;         // (B) i32
  Tensor targets;        // (B, 1) of the accumulation dtype; empty unless a regression
  std::int32_t largest_id = 0;
  std::int32_t largest_type = 0;
  std::int64_t first_example = 0;
  std::int64_t loss_count = 0;  // rows that the loss counts: labels that are known, or all targets
  std::vector<std::int32_t> example_indices;
};

/// Gathers rows of a set. Throws Error for no rows; InternalError for a row that the set does not
/// have.
HostBatch gather_batch(const EncodedDataset& dataset, std::span<const std::int32_t> examples,
                       std::int64_t first_example);

/// Copies a batch to the backend. `compute`: dtype of the activations, whose accumulation dtype
/// targets and patches take.
Batch to_device(Backend& backend, Allocator& allocator, const HostBatch& batch,
                DType compute = DType::F32, BatchForm form = BatchForm::Exact);
/// Puts another batch of the same BatchShape where a Fixed one stands. Queued: what was queued
/// before still reads the old one.
void overwrite(Backend& backend, const HostBatch& host, Batch& batch);

/// Fixed batches, one for each BatchShape that has come, for a bounded number of shapes.
class FixedBatches {
 public:
  FixedBatches(Backend& backend, Allocator& allocator, DType compute)
      : backend_(backend), allocator_(allocator), compute_(compute) {}

  /// Puts a batch in the place of its shape; null where there are too many shapes. Valid until the
  /// next batch of its shape.
  const Batch* place(const HostBatch& host);

 private:
  static constexpr std::size_t most_shapes = 64;
  Backend& backend_;
  Allocator& allocator_;
  DType compute_;
  std::map<BatchShape, Batch> batches_;
};

/// Both in one.
Batch make_batch(Backend& backend, Allocator& allocator, const EncodedDataset& dataset,
                 std::span<const std::int32_t> examples, std::int64_t first_example,
                 DType compute = DType::F32);

}  // namespace basis
