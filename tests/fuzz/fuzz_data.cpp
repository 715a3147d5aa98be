#include <algorithm>
#include <vector>

#include <zstd.h>

#include "data/corpus.h"
#include "data/table.h"
#include "data/unicode.h"
#include "tensor/error.h"
#include "tests/fuzz/fuzz_files.h"
#include "tests/fuzz/fuzz_targets.h"

namespace basis::fuzz {
namespace {

// ---- Tables -------------------------------------------------------------------------------------

std::vector<std::string> tsv_seeds() {
  return {"Quality\t#1 ID\tfirst\tsecond\n1\t702876\ta \"b\" c\tm\u00fcde\n0\t8\tx\ty\n",
          "\xEF\xBB\xBF"
          "first\tQuality\r\n\r\na\t1\r\nb\t0"};
}

std::vector<std::string> csv_seeds() {
  return {"Quality,first,second\n1,\"a, \"\"b\"\"\nc\",m\u00fcde\n0,x,y\n",
          "\xEF\xBB\xBF"
          "first,Quality\r\n\r\n\"a\",1\r\nb,0"};
}

std::vector<std::string> jsonl_seeds() {
  return {
      "{\"Quality\": 1, \"first\": \"a \\u00e9 \\ud83d\\ude00\", \"second\": null}\n"
      "{\"Quality\": \"0\", \"first\": true, \"other\": [1, {}]}\n",
      "{\"first\":\"b\",\"Quality\":2.5}\r\n\r\n{\"first\":\"c\",\"Quality\":-1}"};
}

/// What a row must be: its fields and nothing else, or a reason and none.
void check_row(const TableRow& row, std::span<const TableColumn> columns) {
  if (!row.problem.empty()) {
    demand(row.fields.empty(), "a malformed row has no fields");
    return;
  }
  demand(row.fields.size() == columns.size(), "a field for each column");
  for (std::size_t i = 0; i < columns.size(); ++i) {
    demand(row.fields[i].has_value() || !columns[i].is_required, "required columns are there");
    if (row.fields[i]) demand(!unicode::find_invalid(*row.fields[i]), "fields are UTF-8");
  }
}

bool run_table(TableFormat format, std::string_view input) {
  static const MemoryFile memory;
  memory.set(input);
  const std::vector<TableColumn> columns = {{"Quality"}, {"first"}, {"second", false}};
  const auto lines = 1 + std::count(input.begin(), input.end(), '\n');
  bool is_taken = true;
  try {
    TableReader table(memory.path(), format, columns);
    std::int64_t line = 0;
    while (const std::optional<TableRow> row = table.next()) {
      demand(row->line > line && row->line <= lines, "rows stand in lines of the file, in order");
      line = row->line;
      check_row(*row, columns);
      is_taken = is_taken && row->problem.empty();
    }
  } catch (const Error&) {
    return false;
  }
  return is_taken;
}

// ---- Corpora ------------------------------------------------------------------------------------

std::vector<std::string> corpus_seeds() {
  return {"a document\nof two paragraphs\n\nm\u00fcde \u4e2d\u56fd\n",
          "\xEF\xBB\xBF"
          "one\r\n \t\r\n\r\ntwo"};
}

std::string compressed(const std::string& text, int level) {
  std::string bytes(ZSTD_compressBound(text.size()), '\0');
  bytes.resize(ZSTD_compress(bytes.data(), bytes.size(), text.data(), text.size(), level));
  return bytes;
}

std::vector<std::string> compressed_corpus_seeds() {
  std::string varied, equal(100'000, 'x');
  for (int i = 0; i < 300; ++i) varied += "paragraph " + std::to_string(i * i) + "\n\n";
  equal[50'000] = '\n';
  std::vector<std::string> seeds;
  for (const std::string& text : {corpus_seeds()[0], varied, equal}) {
    for (const int level : {1, 19}) seeds.push_back(compressed(text, level));
  }
  seeds.push_back(seeds[0] + seeds[2]);  // two frames
  return seeds;
}

/// All paragraphs, each with what every one promises.
std::vector<Paragraph> read_corpus(const std::filesystem::path& path) {
  CorpusReader reader(path);
  std::vector<Paragraph> paragraphs;
  std::int64_t line = 0;
  while (std::optional<Paragraph> paragraph = reader.next()) {
    demand(paragraph->line > line, "lines rise");
    demand(paragraph->begins_document || paragraph->line == line + 1,
           "only an empty line parts two paragraphs");
    demand(paragraph->text.find('\n') == std::string::npos, "a paragraph is a line");
    demand(!unicode::find_invalid(paragraph->text), "paragraphs are UTF-8");
    line = paragraph->line;
    paragraphs.push_back(std::move(*paragraph));
  }
  demand(paragraphs.empty() || paragraphs.front().begins_document, "the first begins a document");
  return paragraphs;
}

/// The lines that hold more than blanks, as CorpusReader's header says.
std::vector<std::string> plain_paragraphs(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<std::string> paragraphs;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") != std::string_view::npos) paragraphs.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return paragraphs;
}

bool run_corpus(std::string_view input) {
  static const MemoryFolder folder({"corpus.txt"});
  folder.set("corpus.txt", input);
  try {
    const std::vector<Paragraph> paragraphs = read_corpus(folder.path() / "corpus.txt");
    const std::vector<std::string> expected = plain_paragraphs(input);
    demand(std::equal(paragraphs.begin(), paragraphs.end(), expected.begin(), expected.end(),
                      [](const Paragraph& a, const std::string& b) { return a.text == b; }),
           "the lines of the file");
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool run_compressed_corpus(std::string_view input) {
  static const MemoryFolder folder({"corpus.zst"});
  folder.set("corpus.zst", input);
  try {
    read_corpus(folder.path() / "corpus.zst");
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

const Target tsv_target{"tsv", tsv_seeds,
                        [](std::string_view input) { return run_table(TableFormat::Tsv, input); }};
const Target csv_target{"csv", csv_seeds,
                        [](std::string_view input) { return run_table(TableFormat::Csv, input); }};
const Target jsonl_target{"jsonl", jsonl_seeds, [](std::string_view input) {
                            return run_table(TableFormat::Jsonl, input);
                          }};
const Target corpus_target{"corpus", corpus_seeds, run_corpus};
const Target compressed_corpus_target{"compressed_corpus", compressed_corpus_seeds,
                                      run_compressed_corpus};

}  // namespace basis::fuzz
