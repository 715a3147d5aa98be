#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/task.h"
#include "data/wordpiece.h"

namespace basis {

/// A set of rows as tokens, flat: row i stands in [offsets[i], offsets[i + 1]) of `ids` and
/// `type_ids`, or, of images, of `patches`. On the host.
struct EncodedDataset {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> type_ids;       // 0 or 1
  std::vector<float> patches;               // (tokens, patch_values)
  std::int64_t patch_values = 0;            // pixels of a patch; 0: the rows are text
  std::vector<std::int64_t> offsets = {0};  // (rows + 1)
  std::vector<std::int32_t> labels;         // (rows), -1 where unknown
  std::vector<double> targets;              // (rows) for a regression, else empty

  std::int64_t size() const { return std::ssize(offsets) - 1; }
  bool is_regression() const { return !targets.empty(); }
  bool is_of_patches() const { return patch_values > 0; }
  std::int64_t token_count() const { return offsets.back(); }
  std::int64_t length(std::int64_t row) const;
  std::span<const std::int32_t> ids_of(std::int64_t row) const;
  std::span<const std::uint8_t> type_ids_of(std::int64_t row) const;
  std::span<const float> patches_of(std::int64_t row) const;

  /// Adds a row of text. Throws Error for one without tokens or with a type other than 0 and 1.
  void append(const Encoding& encoding, std::int32_t label);
};

/// The first `rows` rows, or all where there are fewer.
EncodedDataset first_rows(const EncodedDataset& dataset, std::int64_t rows);

using Tokenizer = std::function<Encoding(const Example&)>;

/// Every row through a tokenizer, in order. `is_regression`: keep the targets. Throws Error (with
/// the row) where the tokenizer gives nothing, and for no rows.
EncodedDataset encode(std::span<const Example> rows, bool is_regression,
                      const Tokenizer& tokenizer);

/// The set as bytes, closed by an XXH3-128 of all before it: for the cache and for files. Of text
/// alone: images are cut faster than they are read.
std::string serialize(const EncodedDataset& dataset);
/// Throws Error, beginning with `source_name`, for bytes that are cut, damaged, or of another
/// version.
EncodedDataset deserialize(std::string_view bytes, const std::string& source_name);

/// The same as a file, written beside and renamed. Throws Error when it cannot be written.
void save(const EncodedDataset& dataset, const std::filesystem::path& path);
/// Throws Error for a file that is missing, or as deserialize does.
EncodedDataset load_dataset(const std::filesystem::path& path);

}  // namespace basis
