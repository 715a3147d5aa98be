#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace basis {

/// Tsv: as GLUE's, tabs between fields and no quoting (a '"' is an ordinary character).
/// Csv: RFC 4180, commas, quoted fields may hold commas, line breaks and doubled quotes.
/// Jsonl: a JSON object a line; numbers and true/false become text.
enum class TableFormat : std::uint8_t { Tsv, Csv, Jsonl };

/// "tsv", "csv", "jsonl".
const char* name_of(TableFormat format);

/// The format of that name. Throws Error with the names there are.
TableFormat table_format_named(std::string_view name);

/// By the file name's ending. Throws Error for another ending.
TableFormat table_format_of(const std::filesystem::path& path);

struct TableColumn {
  std::string name;
  bool is_required = true;  // an optional one may be missing from the file
};

/// One row: the columns that were asked for, in that order; absent where the file has none.
struct TableRow {
  std::int64_t line = 0;  // where it begins, from 1
  std::vector<std::optional<std::string>> fields;
  std::string problem;  // not empty: the row is malformed, and why; the fields are then empty
};

/// Reads a table of UTF-8 text row by row, columns by name and not by place. A byte order mark at
/// the start is skipped, as are empty lines; lines may end in CR LF.
class TableReader {
 public:
  /// `header`: the columns of a file that has no header line; empty where the first line names them
  /// (JSON lines need none). Throws Error for a file that cannot be read, invalid UTF-8 (with its
  /// line), a required column that is missing or stands twice.
  TableReader(const std::filesystem::path& path, TableFormat format,
              std::span<const TableColumn> columns, const std::vector<std::string>& header = {});

  /// The next row, or nothing at the end. Throws Error for a quote that is never closed.
  std::optional<TableRow> next();

  /// "mrpc/train.tsv:1207", for messages.
  std::string place(std::int64_t line) const;

 private:
  std::optional<std::vector<std::string>> next_record(std::string& problem);
  std::string_view next_line();
  std::string quoted_field();
  std::vector<std::string> csv_record(std::string& problem);
  void find_columns(std::span<const TableColumn> columns);
  TableRow row_of(std::vector<std::string> record) const;
  TableRow json_row(std::string_view line) const;

  std::filesystem::path path_;
  TableFormat format_;
  std::string text_;              // the whole file
  std::size_t at_ = 0;            // first byte not read yet
  std::int64_t next_line_ = 1;    // its line
  std::int64_t record_line_ = 1;  // where the last record began
  std::vector<std::string> header_;
  std::vector<TableColumn> columns_;
  std::vector<std::ptrdiff_t> place_of_column_;  // index into a record, -1 where absent
};

/// Where the first byte stands that is not UTF-8; nothing for valid text.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

}  // namespace basis
