#include <cstdio>
#include <iostream>

#include <fmt/format.h>

#include "data/wordpiece.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/input_lines.h"
#include "tensor/error.h"
#include "tensor/json.h"

namespace basis {
namespace {

/// max_position_embeddings of config.json where it says so, else 512.
std::int64_t longest_of(const std::filesystem::path& model) {
  constexpr std::int64_t usual = 512;
  const std::filesystem::path path = model / "config.json";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return usual;
  const Json json = Json::read(path);
  const Json* found = json.find("max_position_embeddings");
  if (found == nullptr || !found->is_integer()) return usual;
  const std::int64_t longest = found->integer();
  return longest >= 3 && longest <= 1'000'000 ? longest : usual;
}

void write_encoding(std::string& out, const Encoding& encoding) {
  fmt::format_to(std::back_inserter(out), "{{\"input_ids\": [{}], \"token_type_ids\": [{}]}}\n",
                 fmt::join(encoding.ids, ", "), fmt::join(encoding.type_ids, ", "));
}

}  // namespace

int tokenize_command(const TokenizeOptions& options) {
  const WordPieceTokenizer tokenizer = WordPieceTokenizer::load(options.model);
  const std::int64_t max_length =
      options.max_length > 0 ? options.max_length : longest_of(options.model);
  InputLines input(std::cin, options.is_pairs);
  while (input.read_batch()) {
    std::string out;
    const EncodedTexts first = input.encode(tokenizer, input.first());
    if (options.is_pairs) {
      const EncodedTexts second = input.encode(tokenizer, input.second());
      for (std::size_t i = 0; i < input.first().size(); ++i) {
        write_encoding(out, tokenizer.assemble_pair(first.of(i), second.of(i), max_length));
      }
    } else {
      for (std::size_t i = 0; i < input.first().size(); ++i) {
        write_encoding(out, tokenizer.assemble(first.of(i), max_length));
      }
    }
    if (std::fwrite(out.data(), 1, out.size(), stdout) != out.size() || std::fflush(stdout) != 0) {
      throw Error("standard output: cannot be written");
    }
  }
  return 0;
}

}  // namespace basis
