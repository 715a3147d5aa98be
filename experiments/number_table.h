#pragma once

#include <cstdint>
#include <filesystem>
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

}  // namespace basis
