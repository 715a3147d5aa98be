#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/table.h"
#include "data/task.h"

namespace basis {

/// One file of a task. An empty path: the task has no such file.
struct TaskFile {
  std::filesystem::path path;
  std::vector<std::string> columns;  // names of the columns where the file has no header
  bool is_required = true;           // false: silently left out where it is absent
  std::string checksum;              // XXH3-128 of the official file, to tell when it is missing
};

/// Where the rows of a task come from: GLUE's (data/glue.h) and the user's own alike.
struct TaskSource {
  Task task;
  TableFormat format = TableFormat::Tsv;
  std::string first_column;   // the text, or the first of two
  std::string second_column;  // empty unless the task is a pair
  std::string label_column;   // may be missing from the test file
  TaskFile train;
  TaskFile dev;
  TaskFile dev_mismatched;
  TaskFile test;
  std::string origin;          // who publishes the files, to tell when one is missing
  std::int64_t row_limit = 0;  // only the first training rows; 0: all
  /// Share of a file's rows that may be malformed (wrong number of columns, a text missing); they
  /// are left out and counted. 0: the first one is an error.
  double malformed_share = 0;
};

/// Reads all files of a task. Throws Error with file and line for a row with another number of
/// columns than its header, an unknown label, an empty text, a number that is none, invalid UTF-8;
/// for a missing or empty file; for a task that contradicts itself (check_task).
TaskData read_task(const TaskSource& source);

}  // namespace basis
