#include <cstdint>
#include <filesystem>
#include <stdexcept>

#include "data/wordpiece.h"
#include "tensor/error.h"
#include "tests/data/small_vocabulary.h"
#include "tests/fuzz/fuzz_files.h"
#include "tests/fuzz/fuzz_targets.h"

namespace basis::fuzz {
namespace {

constexpr const char* sample = "the cat's unaffable \u00fcber [SEP] [MASK] a\u0301 \u4e2d";

std::string small_vocabulary_lines() {
  std::string lines;
  for (const std::string& token : small_vocabulary()) lines += token + "\n";
  return lines;
}

std::vector<std::string> vocabulary_seeds() {
  return {small_vocabulary_lines(), "[UNK]\n[CLS]\n[SEP]\na\r\n##b \n\u00fc"};
}

std::vector<std::string> tokenizer_config_seeds() {
  return {
      R"({"do_lower_case": false, "strip_accents": null, "unk_token": {"content": "[UNK]"},
          "model_max_length": 512, "additional_special_tokens": ["a"], "cls_token": "[CLS]"})",
      R"({"tokenizer_class": "BertTokenizer", "added_tokens_decoder": {"1": {"content": "a"}},
          "tokenize_chinese_chars": true, "sep_token": "[SEP]", "strip_accents": true})"};
}

std::vector<std::string> tokenizer_json_seeds() {
  return {
      R"({"added_tokens": [{"id": 4, "content": "[MASK]"}], "model": {"type": "WordPiece",
          "vocab": {"[UNK]": 0, "[CLS]": 1, "a": 3, "[SEP]": 2, "##b": 5}}})"};
}

std::vector<std::int32_t> ids_of(const WordPieceTokenizer& tokenizer) {
  std::vector<std::int32_t> ids;
  tokenizer.tokenize(sample, ids);
  return ids;
}

bool is_same(const WordPieceTokenizer& one, const WordPieceTokenizer& other) {
  const WordPieceOptions& a = one.options();
  const WordPieceOptions& b = other.options();
  return one.vocabulary() == other.vocabulary() && a.lowercase == b.lowercase &&
         a.strip_accents == b.strip_accents && a.split_chinese == b.split_chinese &&
         a.more_special == b.more_special && a.model_max_length == b.model_max_length &&
         ids_of(one) == ids_of(other);
}

/// A tokenizer that was read gives ids of its vocabulary, and is the same when it has been written
/// and read again. A token that cannot stand in a line is refused by save.
void check(const WordPieceTokenizer& tokenizer) {
  static const MemoryFolder written({});
  for (const std::int32_t id : ids_of(tokenizer)) {
    demand(id >= 0 && id < tokenizer.vocabulary_size(), "ids are the vocabulary's");
  }
  try {
    tokenizer.save(written.path());
  } catch (const Error&) {
    return;
  }
  try {
    demand(is_same(WordPieceTokenizer::load(written.path()), tokenizer), "reads what it wrote");
  } catch (const Error& error) {
    throw std::logic_error(error.what());
  }
}

bool run(const MemoryFolder& folder) {
  try {
    check(WordPieceTokenizer::load(folder.path()));
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool run_vocabulary(std::string_view input) {
  static const MemoryFolder folder({"vocab.txt"});
  folder.set("vocab.txt", input);
  return run(folder);
}

bool run_tokenizer_config(std::string_view input) {
  static const MemoryFolder folder({"vocab.txt", "tokenizer_config.json"});
  folder.set("vocab.txt", small_vocabulary_lines());
  folder.set("tokenizer_config.json", input);
  return run(folder);
}

bool run_tokenizer_json(std::string_view input) {
  static const MemoryFolder folder({"tokenizer.json"});
  folder.set("tokenizer.json", input);
  return run(folder);
}

// A tokenizer is made of tables that take a millisecond, and is made twice and written once.
constexpr std::uint64_t slower = 8;

}  // namespace

const Target vocabulary_target{"vocabulary", vocabulary_seeds, run_vocabulary, slower};
const Target tokenizer_config_target{"tokenizer_config", tokenizer_config_seeds,
                                     run_tokenizer_config, slower};
const Target tokenizer_json_target{"tokenizer_json", tokenizer_json_seeds, run_tokenizer_json,
                                   slower};

}  // namespace basis::fuzz
