#include "experiments/commands/input_lines.h"

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis {
namespace {

std::string message(std::int64_t line, std::string_view what) {
  return fmt::format("standard input:{}: {}", line, what);
}

}  // namespace

bool InputLines::read_batch() {
  line_ += static_cast<std::int64_t>(lines_.size());
  lines_.clear();
  first_.clear();
  second_.clear();
  std::string text;
  while (lines_.size() < batch_ && std::getline(input_, text)) lines_.push_back(std::move(text));
  if (input_.bad()) throw Error("standard input: cannot be read");
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const std::string_view line = lines_[i];
    if (!is_pairs_) {
      first_.push_back(line);
      continue;
    }
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos || line.find('\t', tab + 1) != std::string_view::npos) {
      throw Error(message(line_ + static_cast<std::int64_t>(i),
                          "expected two texts with one tab between (--pairs)"));
    }
    first_.push_back(line.substr(0, tab));
    second_.push_back(line.substr(tab + 1));
  }
  return !lines_.empty();
}

EncodedTexts InputLines::encode(const WordPieceTokenizer& tokenizer,
                                std::span<const std::string_view> texts) const {
  try {
    return encode_all(tokenizer, texts);
  } catch (const Error&) {
    // Which one was it? One by one, as errors are rare.
    std::vector<std::int32_t> ids;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      try {
        tokenizer.tokenize(texts[i], ids);
      } catch (const Error& error) {
        throw Error(message(line_ + static_cast<std::int64_t>(i), error.what()));
      }
    }
    throw;
  }
}

}  // namespace basis
