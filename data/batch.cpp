#include "data/batch.h"

#include <algorithm>
#include <numeric>

#include "tensor/integer_block.h"

namespace basis {
namespace {

/// The integers of a batch and where they stand.
struct BatchArrays {
  PackedArrays packed;
  SortedRows sorted;
  IntegerBlock block;
  IntegerBlock::Place offsets, sequence_of_row, ids, positions, types, labels;
  IntegerBlock::Place segment_offsets, segment_rows;

  BatchArrays(const HostBatch& host, std::int64_t bucket, BatchForm form)
      : packed(host.lengths, bucket), sorted(host.ids) {
    const std::int64_t rows = std::ssize(packed.sequence_of_row);
    const bool is_text = host.patch_values == 0;
    offsets = block.add(packed.offsets);
    sequence_of_row = block.add(packed.sequence_of_row);
    if (is_text) ids = block.add(host.ids, rows);
    positions = block.add(host.positions, rows);
    if (is_text) types = block.add(host.types, rows);
    labels = block.add(host.labels);
    if (is_text) add_segments(rows, host.tokens(), form);
  }

 private:
  void add_segments(std::int64_t rows, std::int64_t tokens, BatchForm form) {
    const bool is_fixed = form == BatchForm::Fixed;
    segment_offsets = block.add(sorted.offsets, is_fixed ? rows + 1 : std::ssize(sorted.offsets),
                                static_cast<std::int32_t>(tokens));
    segment_rows = block.add(sorted.rows, is_fixed ? rows : tokens);
  }
};

std::int64_t longest_class(std::int64_t longest) {
  std::int64_t size = 64;
  while (size < longest) size *= 2;
  return size;
}

/// All but what is in the backend's memory.
void set_host_fields(const HostBatch& host, Batch& batch) {
  if (host.patch_values == 0) {
    batch.largest_id = *std::max_element(host.ids.begin(), host.ids.end());
    batch.largest_type = *std::max_element(host.types.begin(), host.types.end());
  }
  batch.first_example = host.first_example;
  batch.loss_count = host.targets.empty() ? std::count_if(host.labels.begin(), host.labels.end(),
                                                          [](std::int32_t l) { return l >= 0; })
                                          : std::ssize(host.targets);
  batch.example_indices = host.example_indices;
}

PackedLayout layout_of(const BatchArrays& arrays, const Tensor& memory, const HostBatch& host,
                       BatchForm form) {
  const std::int64_t longest =
      form == BatchForm::Fixed ? longest_class(arrays.packed.longest) : arrays.packed.longest;
  return PackedLayout(arrays.packed, array_at(memory, arrays.offsets),
                      array_at(memory, arrays.sequence_of_row), longest, host.first_example);
}

/// Into f32 or f64 of as many elements, or more, which become zeros.
template <class T>
void write_numbers(Backend& backend, const std::vector<T>& numbers, const Tensor& to) {
  const auto write = [&](auto values) {
    values.resize(static_cast<std::size_t>(to.element_count()), 0);
    backend.copy_to_device(values.data(), to.bytes_begin(), to.bytes());
  };
  if (to.dtype() == DType::F64) return write(std::vector<double>(numbers.begin(), numbers.end()));
  write(std::vector<float>(numbers.begin(), numbers.end()));
}

Tensor targets_of(Backend& backend, Allocator& allocator, const std::vector<double>& targets,
                  DType compute) {
  if (targets.empty()) return {};
  const Tensor tensor = Tensor::allocate(allocator, {std::ssize(targets), 1},
                                         accumulation_dtype(compute), backend.device());
  write_numbers(backend, targets, tensor);
  return tensor;
}

Tensor patches_of(Backend& backend, Allocator& allocator, const HostBatch& host, std::int64_t rows,
                  DType compute) {
  if (host.patch_values == 0) return {};
  const Tensor tensor = Tensor::allocate(allocator, {rows, host.patch_values},
                                         accumulation_dtype(compute), backend.device());
  write_numbers(backend, host.patches, tensor);
  return tensor;
}

void append_tokens(const EncodedDataset& dataset, std::int64_t row, HostBatch& batch) {
  if (dataset.is_of_patches()) {
    const auto patches = dataset.patches_of(row);
    batch.patches.insert(batch.patches.end(), patches.begin(), patches.end());
    return;
  }
  const auto ids = dataset.ids_of(row);
  const auto types = dataset.type_ids_of(row);
  batch.ids.insert(batch.ids.end(), ids.begin(), ids.end());
  batch.types.insert(batch.types.end(), types.begin(), types.end());
}

}  // namespace

HostBatch gather_batch(const EncodedDataset& dataset, std::span<const std::int32_t> examples,
                       std::int64_t first_example) {
  if (examples.empty()) throw Error("batch: no examples");
  HostBatch batch;
  batch.first_example = first_example;
  batch.example_indices.assign(examples.begin(), examples.end());
  batch.patch_values = dataset.patch_values;
  for (std::int32_t example : examples) {
    ensure(example >= 0 && example < dataset.size(), "gather_batch: rows of the set");
    const std::int64_t length = dataset.length(example);
    batch.lengths.push_back(static_cast<std::int32_t>(length));
    append_tokens(dataset, example, batch);
    batch.positions.resize(batch.positions.size() + static_cast<std::size_t>(length));
    std::iota(batch.positions.end() - length, batch.positions.end(), 0);
    batch.labels.push_back(dataset.labels[static_cast<std::size_t>(example)]);
    if (dataset.is_regression()) {
      batch.targets.push_back(dataset.targets[static_cast<std::size_t>(example)]);
    }
  }
  return batch;
}

std::string BatchShape::to_string() const {
  return std::to_string(rows) + " rows, " + std::to_string(sequences) + " sequences of up to " +
         std::to_string(longest);
}

BatchShape shape_of(const Backend& backend, const HostBatch& batch) {
  const std::int64_t bucket = backend.row_bucket();
  return {(batch.tokens() + bucket - 1) / bucket * bucket,
          longest_class(*std::max_element(batch.lengths.begin(), batch.lengths.end())),
          std::ssize(batch.lengths)};
}

Batch to_device(Backend& backend, Allocator& allocator, const HostBatch& host, DType compute,
                BatchForm form) {
  const BatchArrays arrays(host, backend.row_bucket(), form);
  Batch batch;
  batch.memory = arrays.block.to_device(backend, allocator);
  const auto part = [&](IntegerBlock::Place place) { return array_at(batch.memory, place); };
  batch.layout = layout_of(arrays, batch.memory, host, form);
  if (host.patch_values == 0) {
    batch.ids = part(arrays.ids);
    batch.segments =
        RowSegments(arrays.sorted, part(arrays.segment_offsets), part(arrays.segment_rows));
    batch.types = part(arrays.types);
  }
  batch.patches = patches_of(backend, allocator, host, batch.layout.rows(), compute);
  batch.positions = part(arrays.positions);
  batch.labels = part(arrays.labels);
  batch.targets = targets_of(backend, allocator, host.targets, compute);
  set_host_fields(host, batch);
  return batch;
}

void overwrite(Backend& backend, const HostBatch& host, Batch& batch) {
  const BatchArrays arrays(host, backend.row_bucket(), BatchForm::Fixed);
  arrays.block.overwrite(backend, batch.memory);
  batch.layout = layout_of(arrays, batch.memory, host, BatchForm::Fixed);
  if (host.patch_values == 0) batch.segments.set_ids(arrays.sorted.ids);
  if (host.patch_values > 0) write_numbers(backend, host.patches, batch.patches);
  if (!host.targets.empty()) write_numbers(backend, host.targets, batch.targets);
  set_host_fields(host, batch);
}

const Batch* FixedBatches::place(const HostBatch& host) {
  const BatchShape shape = shape_of(backend_, host);
  if (const auto found = batches_.find(shape); found != batches_.end()) {
    overwrite(backend_, host, found->second);
    return &found->second;
  }
  if (batches_.size() == most_shapes) return nullptr;
  const auto added =
      batches_.emplace(shape, to_device(backend_, allocator_, host, compute_, BatchForm::Fixed));
  return &added.first->second;
}

Batch make_batch(Backend& backend, Allocator& allocator, const EncodedDataset& dataset,
                 std::span<const std::int32_t> examples, std::int64_t first_example,
                 DType compute) {
  return to_device(backend, allocator, gather_batch(dataset, examples, first_example), compute);
}

}  // namespace basis
