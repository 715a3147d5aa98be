#include "data/task_reader.h"

#include <charconv>
#include <cmath>
#include <unordered_map>

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

/// Reads the files of one source.
class TaskReader {
 public:
  explicit TaskReader(const TaskSource& source) : source_(source) {
    for (std::size_t id = 0; id < source.task.labels.size(); ++id) {
      id_of_label_[source.task.labels[id]] = static_cast<std::int32_t>(id);
    }
  }

  std::vector<Example> read(const TaskFile& file, bool is_test, std::int64_t row_limit);
  std::int64_t skipped_rows() const { return skipped_rows_; }

 private:
  void set_answer(Example& example, std::string_view text, const std::string& place) const;
  /// Fills `example`; what is wrong with the row where it is malformed.
  std::string example_of(TableRow row, const std::string& place, Example& example) const;

  const TaskSource& source_;
  std::unordered_map<std::string, std::int32_t> id_of_label_;
  std::int64_t skipped_rows_ = 0;
};

bool is_there(const TaskFile& file) {
  std::error_code ignored;  // a folder that may not be searched: not there
  return std::filesystem::exists(file.path, ignored);
}

void expect_there(const TaskSource& source, const TaskFile& file) {
  if (is_there(file)) return;
  std::string message =
      fmt::format("task {}: {} is not there", source.task.name, file.path.string());
  if (!source.origin.empty())
    message += fmt::format("; get it from {} and put it there", source.origin);
  if (!file.checksum.empty()) message += fmt::format(" (its xxh128sum: {})", file.checksum);
  throw Error(message);
}

void TaskReader::set_answer(Example& example, std::string_view text,
                            const std::string& place) const {
  text = trimmed(text);
  if (!source_.task.is_regression) {
    const auto found = id_of_label_.find(std::string(text));
    if (found == id_of_label_.end()) {
      throw Error(fmt::format("{}: unknown label \"{}\" in column {}, expected one of {}", place,
                              text, source_.label_column, fmt::join(source_.task.labels, ", ")));
    }
    example.label = found->second;
    return;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), example.target);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(example.target)) {
    throw Error(
        fmt::format("{}: \"{}\" in column {} is not a number", place, text, source_.label_column));
  }
}

std::string TaskReader::example_of(TableRow row, const std::string& place, Example& example) const {
  if (!row.problem.empty()) return row.problem;
  const std::size_t texts = source_.task.is_pair ? 2 : 1;
  for (std::size_t i = 0; i < texts; ++i) {
    if (trimmed(*row.fields[i]).empty()) {
      return fmt::format("no text in column {}",
                         i == 0 ? source_.first_column : source_.second_column);
    }
  }
  example.first = std::move(*row.fields[0]);
  if (source_.task.is_pair) example.second = std::move(*row.fields[1]);
  if (row.fields[texts]) set_answer(example, *row.fields[texts], place);
  return {};
}

std::vector<Example> TaskReader::read(const TaskFile& file, bool is_test, std::int64_t row_limit) {
  if (file.path.empty()) return {};
  if (!file.is_required && !is_there(file)) return {};
  expect_there(source_, file);

  std::vector<TableColumn> columns = {{source_.first_column}};
  if (source_.task.is_pair) columns.push_back({source_.second_column});
  columns.push_back({source_.label_column, !is_test});
  TableReader table(file.path, source_.format, columns, file.columns);

  std::vector<Example> examples;
  std::string first_problem;
  std::int64_t skipped = 0;
  while (row_limit == 0 || std::ssize(examples) < row_limit) {
    std::optional<TableRow> row = table.next();
    if (!row) break;
    const std::string place = table.place(row->line);
    Example example;
    const std::string problem = example_of(std::move(*row), place, example);
    if (problem.empty()) {
      examples.push_back(std::move(example));
      continue;
    }
    if (skipped++ == 0) first_problem = place + ": " + problem;
    if (source_.malformed_share == 0) throw Error(first_problem);
  }
  const auto rows = static_cast<double>(std::ssize(examples) + skipped);
  if (static_cast<double>(skipped) > source_.malformed_share * rows) throw Error(first_problem);
  if (examples.empty()) {
    throw Error(fmt::format("task {}: {} has no rows", source_.task.name, file.path.string()));
  }
  skipped_rows_ += skipped;
  return examples;
}

}  // namespace

TaskData read_task(const TaskSource& source) {
  check_task(source.task);
  if (source.row_limit < 0) {
    throw Error(fmt::format("task {}: a limit of {} rows", source.task.name, source.row_limit));
  }
  if (source.first_column.empty() || source.label_column.empty() ||
      source.second_column.empty() == source.task.is_pair) {
    throw Error(
        fmt::format("task {}: name the column of each text (a pair has two) and of the label",
                    source.task.name));
  }
  if (source.first_column == source.second_column || source.first_column == source.label_column ||
      source.second_column == source.label_column) {
    throw Error(
        fmt::format("task {}: a column is named twice among text and label", source.task.name));
  }
  TaskReader reader(source);
  TaskData data;
  data.task = source.task;
  data.train = reader.read(source.train, false, source.row_limit);
  data.dev = reader.read(source.dev, false, 0);
  data.dev_mismatched = reader.read(source.dev_mismatched, false, 0);
  data.test = reader.read(source.test, true, 0);
  data.skipped_rows = reader.skipped_rows();
  if (data.train.empty() && data.dev.empty() && data.test.empty()) {
    throw Error(fmt::format("task {}: names no file", source.task.name));
  }
  return data;
}

}  // namespace basis
