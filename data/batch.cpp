#include "data/batch.h"

#include <algorithm>
#include <numeric>

namespace basis {
namespace {

/// (rows) i32, zeros behind the values.
Tensor padded(Backend& backend, Allocator& allocator, std::vector<std::int32_t> values,
              std::int64_t rows) {
  values.resize(static_cast<std::size_t>(rows), 0);
  return to_device<std::int32_t>(backend, allocator, values, {rows});
}

Tensor targets_of(Backend& backend, Allocator& allocator, const std::vector<double>& targets,
                  DType compute) {
  if (targets.empty()) return {};
  const Shape shape{std::ssize(targets), 1};
  if (accumulation_dtype(compute) == DType::F64) {
    return to_device<double>(backend, allocator, targets, shape);
  }
  const std::vector<float> values(targets.begin(), targets.end());
  return to_device<float>(backend, allocator, values, shape);
}

}  // namespace

HostBatch gather_batch(const EncodedDataset& dataset, std::span<const std::int32_t> examples,
                       std::int64_t first_example) {
  if (examples.empty()) throw Error("batch: no examples");
  HostBatch batch;
  batch.first_example = first_example;
  batch.example_indices.assign(examples.begin(), examples.end());
  for (std::int32_t example : examples) {
    ensure(example >= 0 && example < dataset.size(), "gather_batch: rows of the set");
    const auto ids = dataset.ids_of(example);
    const auto types = dataset.type_ids_of(example);
    batch.lengths.push_back(static_cast<std::int32_t>(ids.size()));
    batch.ids.insert(batch.ids.end(), ids.begin(), ids.end());
    batch.types.insert(batch.types.end(), types.begin(), types.end());
    batch.positions.resize(batch.ids.size());
    std::iota(batch.positions.end() - std::ssize(ids), batch.positions.end(), 0);
    batch.labels.push_back(dataset.labels[static_cast<std::size_t>(example)]);
    if (dataset.is_regression()) {
      batch.targets.push_back(dataset.targets[static_cast<std::size_t>(example)]);
    }
  }
  return batch;
}

Batch to_device(Backend& backend, Allocator& allocator, const HostBatch& host, DType compute) {
  Batch batch;
  batch.layout = PackedLayout(backend, allocator, host.lengths, host.first_example);
  const std::int64_t rows = batch.layout.rows();
  batch.ids = padded(backend, allocator, host.ids, rows);
  batch.segments = RowSegments(backend, allocator, host.ids);
  batch.positions = padded(backend, allocator, host.positions, rows);
  batch.types = padded(backend, allocator, host.types, rows);
  batch.labels =
      to_device<std::int32_t>(backend, allocator, host.labels, {std::ssize(host.labels)});
  batch.targets = targets_of(backend, allocator, host.targets, compute);
  if (!host.ids.empty()) {
    batch.largest_id = *std::max_element(host.ids.begin(), host.ids.end());
    batch.largest_type = *std::max_element(host.types.begin(), host.types.end());
  }
  batch.first_example = host.first_example;
  batch.loss_count = host.targets.empty() ? std::count_if(host.labels.begin(), host.labels.end(),
                                                          [](std::int32_t l) { return l >= 0; })
                                          : std::ssize(host.targets);
  batch.example_indices = host.example_indices;
  return batch;
}

Batch make_batch(Backend& backend, Allocator& allocator, const EncodedDataset& dataset,
                 std::span<const std::int32_t> examples, std::int64_t first_example,
                 DType compute) {
  return to_device(backend, allocator, gather_batch(dataset, examples, first_example), compute);
}

}  // namespace basis
