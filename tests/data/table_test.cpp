#include "data/table.h"

#include <gtest/gtest.h>

#include "tests/data/test_files.h"

namespace basis {
namespace {

using testing::Test;
using Rows = std::vector<std::vector<std::string>>;

/// All rows; an absent field reads "<absent>", a malformed row is its line and problem.
Rows read_all(const std::filesystem::path& path, std::vector<TableColumn> columns,
              const std::vector<std::string>& header = {}) {
  TableReader reader(path, table_format_of(path), columns, header);
  Rows rows;
  while (auto row = reader.next()) {
    if (!row->problem.empty()) {
      rows.push_back({std::to_string(row->line), row->problem});
      continue;
    }
    rows.emplace_back();
    for (auto& field : row->fields) rows.back().push_back(field.value_or("<absent>"));
  }
  return rows;
}

TEST(Table, HasAFormatByNameAndByEnding) {
  for (TableFormat format : {TableFormat::Tsv, TableFormat::Csv, TableFormat::Jsonl}) {
    EXPECT_EQ(table_format_named(name_of(format)), format);
  }
  EXPECT_EQ(table_format_of("folder.tsv/x.csv"), TableFormat::Csv);
  EXPECT_EQ(error_of([] { table_format_named("json"); }),
            "unknown table format \"json\"; there are tsv, csv, jsonl");
}

TEST(Table, TakesColumnsByNameAndNotByPlace) {
  TestFolder folder;
  const auto path = folder.write("a.tsv", "x\ty\tz\n1\t2\t3\n4\t5\t6\n");
  EXPECT_EQ(read_all(path, {{"z"}, {"x"}}), (Rows{{"3", "1"}, {"6", "4"}}));
}

struct TableCase {
  const char* what;
  const char* name;
  const char* content;
  Rows rows;  // of columns a and b, b optional
};

TEST(Table, ReadsEveryFormat) {
  const TableCase cases[] = {
      {"quotes are ordinary in TSV", "t.tsv", "a\tb\n\"x\ty\"\n", {{"\"x", "y\""}}},
      {"byte order mark",
       "t.tsv",
       "\xEF\xBB\xBF"
       "a\tb\nx\ty\n",
       {{"x", "y"}}},
      {"CR LF, and no end of the last line",
       "t.tsv",
       "a\tb\r\nx\ty\r\nu\tv",
       {{"x", "y"}, {"u", "v"}}},
      {"an empty field", "t.tsv", "a\tb\nx\t\n", {{"x", ""}}},
      {"empty lines are skipped", "t.tsv", "a\tb\n\nx\ty\n\n\n", {{"x", "y"}}},
      {"an optional column that is missing", "t.tsv", "a\nx\n", {{"x", "<absent>"}}},
      {"quoted CSV", "t.csv", "a,b\n\"x, \"\"y\"\"\",2\n", {{"x, \"y\"", "2"}}},
      {"a line break in quotes", "t.csv", "a,b\n\"x\ny\",2\nz,3\n", {{"x\ny", "2"}, {"z", "3"}}},
      {"a quote inside a field", "t.csv", "a,b\nx\"y,2\n", {{"x\"y", "2"}}},
      {"CSV with CR LF", "t.csv", "a,b\r\n\"x\",2\r\n", {{"x", "2"}}},
      {"an empty last field", "t.csv", "a,b\nx,\n", {{"x", ""}}},
      {"CSV header in quotes", "t.csv", "\"b\",\"a\"\n1,2\n", {{"2", "1"}}},
      {"JSON lines",
       "t.jsonl",
       "{\"b\": 1.5, \"a\": \"x\\u00e9\"}\n\n{\"a\": true}\n",
       {{"x\xC3\xA9", "1.5"}, {"true", "<absent>"}}},
      {"null is absent", "t.jsonl", "{\"a\": \"x\", \"b\": null}\n", {{"x", "<absent>"}}},
  };
  TestFolder folder;
  for (const TableCase& one : cases) {
    SCOPED_TRACE(one.what);
    EXPECT_EQ(read_all(folder.write(one.name, one.content), {{"a"}, {"b", false}}), one.rows);
  }
}

TEST(Table, ReportsAMalformedRowWithItsLine) {
  const TableCase cases[] = {
      {"too few", "t.tsv", "a\tb\nx\ty\nz\n", {{"x", "y"}, {"3", "1 column, expected 2 (a, b)"}}},
      {"too many", "t.tsv", "a\tb\nx\ty\tz\n", {{"2", "3 columns, expected 2 (a, b)"}}},
      {"lines inside quotes count",
       "t.csv",
       "a,b\n\"x\n\n\",2\nz\n",
       {{"x\n\n", "2"}, {"5", "1 column, expected 2 (a, b)"}}},
      {"behind a quote", "t.csv", "a,b\n\"x\"y,2\n", {{"2", "text behind a closing quote"}}},
      {"behind empty quotes", "t.csv", "a,b\n\"\"y,2\n", {{"2", "text behind a closing quote"}}},
      {"no such key", "t.jsonl", "{\"b\": 1}\n", {{"1", "no key \"a\""}}},
      {"no object", "t.jsonl", "[1]\n", {{"1", "expected a JSON object"}}},
      {"neither text nor number",
       "t.jsonl",
       "{\"a\": {}}\n",
       {{"1", "key \"a\" holds neither text nor a number"}}},
  };
  TestFolder folder;
  for (const TableCase& one : cases) {
    SCOPED_TRACE(one.what);
    EXPECT_EQ(read_all(folder.write(one.name, one.content), {{"a"}, {"b", false}}), one.rows);
  }
}

TEST(Table, RefusesJsonThatIsCutOrNestedWithoutEnd) {
  TestFolder folder;
  const std::string deep(1000000, '[');
  for (const std::string& line : {std::string("{\"a\": "), deep, "{\"a\": " + deep}) {
    const Rows rows = read_all(folder.write("t.jsonl", line + "\n"), {{"a"}});
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_TRUE(rows[0][1].starts_with("not JSON: ")) << rows[0][1];
  }
}

TEST(Table, ReadsAFileWithoutHeader) {
  TestFolder folder;
  const auto path = folder.write("a.tsv", "1\t2\n3\t4\n");
  EXPECT_EQ(read_all(path, {{"second"}}, {"first", "second"}), (Rows{{"2"}, {"4"}}));
}

TEST(Table, RefusesAFileThatIsNoTableWithItsPlace) {
  TestFolder folder;
  const struct {
    const char* what;
    const char* name;
    const char* content;
    const char* expected;
  } cases[] = {
      {"no such column", "t.tsv", "b\tc\n1\t2\n", "t.tsv:1: no column \"a\"; there are b, c"},
      {"a column twice", "t.tsv", "a\ta\n1\t2\n", "t.tsv:1: column \"a\" stands twice"},
      {"empty", "t.tsv", "", "t.tsv: empty, expected a header line"},
      {"invalid UTF-8", "t.tsv", "a\nx\ny\xFFz\n",
       "t.tsv:3: invalid UTF-8 (byte 0xff at offset 5)"},
      {"a surrogate", "t.tsv", "a\n\xED\xA0\x80\n", "t.tsv:2: invalid UTF-8"},
      {"a cut letter at the end", "t.tsv", "a\nx\xC3", "t.tsv:2: invalid UTF-8"},
      {"an open quote", "t.csv", "a,b\n1,2\n\"x,2\n", "t.csv:3: a quote is never closed"},
      {"an ending that says nothing", "t.dat", "a\n1\n", "expected a name that ends in .tsv"},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.what);
    const auto path = folder.write(one.name, one.content);
    const std::string message = error_of([&] { read_all(path, {{"a"}}); });
    EXPECT_NE(message.find(one.expected), std::string::npos) << message;
  }
  EXPECT_NE(error_of([&] { read_all(folder.path("absent.tsv"), {{"a"}}); }).find("cannot read"),
            std::string::npos);
  std::filesystem::create_directory(folder.path("folder.tsv"));
  EXPECT_NE(error_of([&] { read_all(folder.path("folder.tsv"), {{"a"}}); }).find("it is a folder"),
            std::string::npos);
}

}  // namespace
}  // namespace basis
