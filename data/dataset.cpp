#include "data/dataset.h"

#include <algorithm>

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis {

std::int64_t EncodedDataset::length(std::int64_t row) const {
  const auto i = static_cast<std::size_t>(row);
  return offsets[i + 1] - offsets[i];
}

std::span<const std::int32_t> EncodedDataset::ids_of(std::int64_t row) const {
  return std::span(ids).subspan(static_cast<std::size_t>(offsets[static_cast<std::size_t>(row)]),
                                static_cast<std::size_t>(length(row)));
}

std::span<const std::uint8_t> EncodedDataset::type_ids_of(std::int64_t row) const {
  return std::span(type_ids).subspan(
      static_cast<std::size_t>(offsets[static_cast<std::size_t>(row)]),
      static_cast<std::size_t>(length(row)));
}

std::span<const float> EncodedDataset::patches_of(std::int64_t row) const {
  const std::int64_t begin = offsets[static_cast<std::size_t>(row)] * patch_values;
  return std::span(patches).subspan(static_cast<std::size_t>(begin),
                                    static_cast<std::size_t>(length(row) * patch_values));
}

void EncodedDataset::append(const Encoding& encoding, std::int32_t label) {
  if (encoding.ids.empty()) throw Error(fmt::format("row {}: no tokens", size()));
  ensure(encoding.ids.size() == encoding.type_ids.size(), "an encoding has a type for every token");
  for (std::int32_t type : encoding.type_ids) {
    if (type != 0 && type != 1)
      throw Error(fmt::format("row {}: token type {}, expected 0 or 1", size(), type));
    type_ids.push_back(static_cast<std::uint8_t>(type));
  }
  ids.insert(ids.end(), encoding.ids.begin(), encoding.ids.end());
  offsets.push_back(std::ssize(ids));
  labels.push_back(label);
}

EncodedDataset first_rows(const EncodedDataset& dataset, std::int64_t rows) {
  const std::int64_t count = std::min(rows, dataset.size());
  const std::int64_t tokens = dataset.offsets[static_cast<std::size_t>(count)];
  EncodedDataset first;
  first.patch_values = dataset.patch_values;
  if (dataset.is_of_patches()) {
    first.patches.assign(dataset.patches.begin(),
                         dataset.patches.begin() + tokens * dataset.patch_values);
  } else {
    first.ids.assign(dataset.ids.begin(), dataset.ids.begin() + tokens);
    first.type_ids.assign(dataset.type_ids.begin(), dataset.type_ids.begin() + tokens);
  }
  first.offsets.assign(dataset.offsets.begin(), dataset.offsets.begin() + count + 1);
  first.labels.assign(dataset.labels.begin(), dataset.labels.begin() + count);
  if (dataset.is_regression()) {
    first.targets.assign(dataset.targets.begin(), dataset.targets.begin() + count);
  }
  return first;
}

EncodedDataset encode(std::span<const Example> rows, bool is_regression,
                      const Tokenizer& tokenizer) {
  if (rows.empty()) throw Error("encode: no rows");
  EncodedDataset dataset;
  for (const Example& row : rows) {
    dataset.append(tokenizer(row), row.label);
    if (is_regression) dataset.targets.push_back(row.target);
  }
  return dataset;
}

}  // namespace basis
