// Lines of text in, lines of ids out: what compare_tokenizers.py and the benchmark drive.
//
//   wordpiece_dump FOLDER < lines > ids         ids of each line, without special tokens
//   wordpiece_dump FOLDER --binary FILE         the same as int32: count, ids, for each line
//   wordpiece_dump FOLDER --pairs N             two texts a line, tab between, cut to N ids
//   wordpiece_dump FOLDER --time FILE ROUNDS [THREADS]
//                                               wall and processor seconds of each round over the
//                                               file's lines, on one thread or more
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "data/wordpiece.h"
#include "tensor/error.h"
#include "tensor/file.h"

namespace basis {
namespace {

std::vector<std::string_view> lines_of(std::string_view content) {
  std::vector<std::string_view> lines;
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    lines.push_back(content.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

void print(const std::vector<std::int32_t>& ids) {
  std::string line;
  for (const std::int32_t id : ids) line += std::to_string(id) + ' ';
  line.back() = '\n';
  std::fwrite(line.data(), 1, line.size(), stdout);
}

void print_lines(const WordPieceTokenizer& tokenizer) {
  std::vector<std::int32_t> ids;
  for (std::string line; std::getline(std::cin, line);) {
    ids.clear();
    tokenizer.tokenize(line, ids);
    if (ids.empty()) {
      std::puts("");
    } else {
      print(ids);
    }
  }
}

void print_pairs(const WordPieceTokenizer& tokenizer, std::int64_t max_length) {
  for (std::string line; std::getline(std::cin, line);) {
    const std::string_view text = line;
    const std::size_t tab = text.find('\t');
    const Encoding encoding =
        tokenizer.encode_pair(text.substr(0, tab), text.substr(tab + 1), max_length);
    print(encoding.ids);
    print(encoding.type_ids);
  }
}

void write_binary(const WordPieceTokenizer& tokenizer, const char* path) {
  const std::string content = read_file(path);
  const std::vector<std::string_view> lines = lines_of(content);
  const EncodedTexts all = encode_all(tokenizer, lines);
  std::vector<std::int32_t> out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto ids = all.of(i);
    out.push_back(static_cast<std::int32_t>(ids.size()));
    out.insert(out.end(), ids.begin(), ids.end());
  }
  std::fwrite(out.data(), sizeof(std::int32_t), out.size(), stdout);
}

void time_rounds(const WordPieceTokenizer& tokenizer, const char* path, int rounds, int threads) {
  const std::string content = read_file(path);
  const std::vector<std::string_view> lines = lines_of(content);
  for (int round = 0; round < rounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    const std::clock_t cpu_begin = std::clock();
    const EncodedTexts all = encode_all(tokenizer, lines, threads);
    const double cpu = static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC;
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
    std::printf("{\"wall_s\": %.6f, \"cpu_s\": %.6f, \"tokens\": %zu, \"bytes\": %zu}\n",
                wall.count(), cpu, all.ids.size(), content.size());
  }
}

int run(int count, char** words) {
  if (count < 2) return 2;
  const WordPieceTokenizer tokenizer = WordPieceTokenizer::load(words[1]);
  const std::string mode = count > 2 ? words[2] : "";
  if (mode == "--pairs" && count == 4) {
    print_pairs(tokenizer, std::stoll(words[3]));
  } else if (mode == "--binary" && count == 4) {
    write_binary(tokenizer, words[3]);
  } else if (mode == "--time" && (count == 5 || count == 6)) {
    time_rounds(tokenizer, words[3], std::stoi(words[4]), count == 6 ? std::stoi(words[5]) : 1);
  } else {
    print_lines(tokenizer);
  }
  return 0;
}

}  // namespace
}  // namespace basis

int main(int count, char** words) {
  try {
    return basis::run(count, words);
  } catch (const basis::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
