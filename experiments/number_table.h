#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>

#include "data/table.h"

namespace basis {

/// A CSV file of numbers and names, as stages leave it.
class NumberTable {
 public:
  /// Throws Error where the file or a column is missing.
  NumberTable(const std::filesystem::path& path, std::span<const TableColumn> columns)
      : reader_(path, TableFormat::Csv, columns) {}

  /// The next row, if there is one. Throws Error with file and line for a damaged one.
  bool next();
  const std::string& text(std::size_t column) const { return *row_.fields[column]; }
  /// NaN for an empty field. Throws Error with file and line for what is no number.
  double number(std::size_t column) const;
  /// A place among the leading ones: k or i, from 1.
  std::int64_t place(std::size_t column) const;

 private:
  TableReader reader_;
  TableRow row_;
};

/// A geometric mean that grows; zeros and what is not finite do not count.
class GeometricMean {
 public:
  void add(double value) {
    if (!std::isfinite(value) || value <= 0) return;
    sum_ += std::log(value);
    ++count_;
  }
  double value() const {
    return count_ > 0 ? std::exp(sum_ / static_cast<double>(count_))
                      : std::numeric_limits<double>::quiet_NaN();
  }
  std::int64_t count() const { return count_; }

 private:
  double sum_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace basis
