#include "data/table.h"

#include <algorithm>
#include <array>
#include <fstream>

#include <fmt/format.h>
#include <utf8proc.h>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json.h"

namespace basis {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

constexpr std::array all_formats = {TableFormat::Tsv, TableFormat::Csv, TableFormat::Jsonl};

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

std::vector<std::string> split_at_tabs(std::string_view line) {
  std::vector<std::string> fields;
  for (std::size_t begin = 0;;) {
    const std::size_t tab = line.find('\t', begin);
    fields.emplace_back(line.substr(begin, tab - begin));
    if (tab == std::string_view::npos) return fields;
    begin = tab + 1;
  }
}

}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    utf8proc_int32_t code = -1;
    const auto length =
        utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
                         static_cast<utf8proc_ssize_t>(text.size() - at), &code);
    if (length <= 0) return at;
    at += static_cast<std::size_t>(length);
  }
  return std::nullopt;
}

const char* name_of(TableFormat format) {
  switch (format) {
    case TableFormat::Tsv:
      return "tsv";
    case TableFormat::Csv:
      return "csv";
    case TableFormat::Jsonl:
      return "jsonl";
  }
  return "?";
}

TableFormat table_format_named(std::string_view name) {
  for (TableFormat format : all_formats) {
    if (name == name_of(format)) return format;
  }
  throw Error(fmt::format("unknown table format \"{}\"; there are tsv, csv, jsonl", name));
}

TableFormat table_format_of(const std::filesystem::path& path) {
  for (TableFormat format : all_formats) {
    if (path.extension() == fmt::format(".{}", name_of(format))) return format;
  }
  throw Error(path.string() + ": expected a name that ends in .tsv, .csv or .jsonl");
}

TableReader::TableReader(const std::filesystem::path& path, TableFormat format,
                         std::span<const TableColumn> columns,
                         const std::vector<std::string>& header)
    : path_(path),
      format_(format),
      text_(read_file(path)),
      header_(header),
      columns_(columns.begin(), columns.end()) {
  if (const auto bad = find_invalid_utf8(text_)) {
    const auto line =
        1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(*bad), '\n');
    throw Error(fmt::format("{}: invalid UTF-8 (byte 0x{:02x} at offset {})", place(line),
                            static_cast<unsigned char>(text_[*bad]), *bad));
  }
  if (text_.starts_with(byte_order_mark)) at_ = byte_order_mark.size();
  if (format_ == TableFormat::Jsonl) return;
  if (header_.empty()) {
    std::string problem;
    auto names = next_record(problem);
    if (!names)
      throw Error(path_.string() + ": empty, expected a header line with the column names");
    if (!problem.empty()) throw Error(place(record_line_) + ": " + problem);
    header_ = std::move(*names);
  }
  find_columns(columns);
}

void TableReader::find_columns(std::span<const TableColumn> columns) {
  for (const TableColumn& column : columns) {
    const auto found = std::find(header_.begin(), header_.end(), column.name);
    if (found == header_.end()) {
      if (column.is_required) {
        throw Error(fmt::format("{}: no column \"{}\"; there are {}", place(1), column.name,
                                joined(header_)));
      }
      place_of_column_.push_back(-1);
      continue;
    }
    if (std::find(found + 1, header_.end(), column.name) != header_.end()) {
      throw Error(fmt::format("{}: column \"{}\" stands twice", place(1), column.name));
    }
    place_of_column_.push_back(found - header_.begin());
  }
}

std::string TableReader::place(std::int64_t line) const {
  return fmt::format("{}:{}", path_.string(), line);
}

std::string_view TableReader::next_line() {
  const std::size_t end = std::min(text_.find('\n', at_), text_.size());
  std::string_view line(text_.data() + at_, end - at_);
  at_ = std::min(end + 1, text_.size());
  ++next_line_;
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::optional<std::vector<std::string>> TableReader::next_record(std::string& problem) {
  while (at_ < text_.size()) {
    record_line_ = next_line_;
    if (text_[at_] == '\n' || text_.compare(at_, 2, "\r\n") == 0) {
      next_line();
      continue;
    }
    return format_ == TableFormat::Csv ? csv_record(problem) : split_at_tabs(next_line());
  }
  return std::nullopt;
}

std::string TableReader::quoted_field() {
  std::string field;
  for (++at_; at_ < text_.size(); ++at_) {
    if (text_[at_] == '"') {
      if (text_.compare(at_, 2, "\"\"") != 0) {
        ++at_;
        return field;
      }
      ++at_;  // a doubled quote stands for one
    }
    if (text_[at_] == '\n') ++next_line_;
    field += text_[at_];
  }
  throw Error(place(record_line_) + ": a quote is never closed");
}

// RFC 4180, section 2. A quote inside an unquoted field is an ordinary character.
std::vector<std::string> TableReader::csv_record(std::string& problem) {
  std::vector<std::string> fields;
  for (;;) {
    std::string field;
    const bool is_quoted = at_ < text_.size() && text_[at_] == '"';
    if (is_quoted) field = quoted_field();
    const std::size_t end = std::min(text_.find_first_of(",\n", at_), text_.size());
    std::string_view rest(text_.data() + at_, end - at_);
    const bool ends_record = end == text_.size() || text_[end] == '\n';
    if (ends_record && rest.ends_with('\r')) rest.remove_suffix(1);
    if (is_quoted && !rest.empty()) problem = "text behind a closing quote";
    field += rest;
    fields.push_back(std::move(field));
    at_ = std::min(end + 1, text_.size());
    if (ends_record) break;
  }
  ++next_line_;
  return fields;
}

TableRow TableReader::row_of(std::vector<std::string> record) const {
  TableRow row;
  row.line = record_line_;
  if (record.size() != header_.size()) {
    row.problem = fmt::format("{} column{}, expected {} ({})", record.size(),
                              record.size() == 1 ? "" : "s", header_.size(), joined(header_));
    return row;
  }
  for (const std::ptrdiff_t index : place_of_column_) {
    if (index < 0) {
      row.fields.emplace_back(std::nullopt);
    } else {
      row.fields.emplace_back(std::move(record[static_cast<std::size_t>(index)]));
    }
  }
  return row;
}

TableRow TableReader::json_row(std::string_view line) const {
  constexpr std::string_view source = "row";
  TableRow row;
  row.line = record_line_;
  Json object;
  try {
    object = Json::parse(line, std::string(source));
  } catch (const Error& error) {  // "row:1: reason"
    row.problem = "not JSON: " + std::string(error.what()).substr(source.size() + 4);
    return row;
  }
  if (!object.is_object()) {
    row.problem = "expected a JSON object";
    return row;
  }
  for (const TableColumn& column : columns_) {
    const Json* found = object.find(column.name);
    if (found == nullptr || found->is_null()) {
      if (column.is_required) {
        row.problem = fmt::format("no key \"{}\"", column.name);
        break;
      }
      row.fields.emplace_back(std::nullopt);
    } else if (found->is_text()) {
      row.fields.emplace_back(found->text());
    } else if (found->is_number() || found->is_bool()) {
      row.fields.emplace_back(found->dump());
    } else {
      row.problem = fmt::format("key \"{}\" holds neither text nor a number", column.name);
      break;
    }
  }
  if (!row.problem.empty()) row.fields.clear();
  return row;
}

std::optional<TableRow> TableReader::next() {
  if (format_ == TableFormat::Jsonl) {
    while (at_ < text_.size()) {
      record_line_ = next_line_;
      const std::string_view line = next_line();
      if (!line.empty()) return json_row(line);
    }
    return std::nullopt;
  }
  std::string problem;
  auto record = next_record(problem);
  if (!record) return std::nullopt;
  if (problem.empty()) return row_of(std::move(*record));
  TableRow row;
  row.line = record_line_;
  row.problem = std::move(problem);
  return row;
}

}  // namespace basis
