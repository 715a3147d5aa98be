#pragma once

#include "data/dataset.h"

namespace basis {

/// A set whose row i has `lengths[i]` tokens 1000 i + position, the second half of type 1, label i
/// % 3.
inline EncodedDataset sample_dataset(const std::vector<int>& lengths) {
  EncodedDataset dataset;
  for (int i = 0; i < static_cast<int>(lengths.size()); ++i) {
    Encoding row;
    for (int p = 0; p < lengths[static_cast<std::size_t>(i)]; ++p) {
      row.ids.push_back(1000 * i + p);
      row.type_ids.push_back(2 * p >= lengths[static_cast<std::size_t>(i)] ? 1 : 0);
    }
    dataset.append(row, i % 3);
  }
  return dataset;
}

/// Lengths that vary without a pattern: 3 to 62.
inline std::vector<int> varied_lengths(int count) {
  std::vector<int> lengths;
  for (int i = 0; i < count; ++i) lengths.push_back(3 + (i * 7919 + i * i * 31) % 60);
  return lengths;
}

}  // namespace basis
