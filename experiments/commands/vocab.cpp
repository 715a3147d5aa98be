#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include "data/corpus.h"
#include "data/vocabulary_trainer.h"
#include "data/wordpiece.h"
#include "experiments/commands/commands.h"
#include "experiments/progress.h"

namespace basis {

int vocab_command(const VocabOptions& options) {
  const bool is_terminal = isatty(STDERR_FILENO) != 0;
  const auto tell = [&](const char* what, std::int64_t count, bool is_due) {
    if (!is_terminal || !is_due) return;
    fmt::print(stderr, "\r{} {}\033[K", format_count(static_cast<double>(count)), what);
    std::fflush(stderr);
  };
  WordPieceOptions tokenizer;
  tokenizer.lowercase = !options.is_cased;
  VocabularyTrainer trainer(tokenizer);
  std::int64_t paragraphs = 0;
  for (const std::filesystem::path& corpus : options.corpora) {
    CorpusReader reader(corpus);
    while (const auto paragraph = reader.next()) {
      trainer.add(paragraph->text);
      ++paragraphs;
      tell("paragraphs read", paragraphs, paragraphs % 1000 == 0);
    }
  }
  const TrainedVocabulary made =
      trainer.train(options.size, [&](std::int64_t tokens) { tell("tokens", tokens, true); });
  if (is_terminal) fmt::print(stderr, "\r\033[K");
  WordPieceTokenizer(made.tokens, tokenizer).save(options.out);
  fmt::print("{}: {} tokens from {} words, {} of them different; {:.3f} tokens a word\n",
             (options.out / "vocab.txt").string(),
             format_count(static_cast<double>(made.tokens.size())),
             format_count(static_cast<double>(made.words)),
             format_count(static_cast<double>(trainer.different_words())), made.pieces_per_word);
  if (static_cast<std::int64_t>(made.tokens.size()) < options.size) {
    fmt::print("fewer than the {} asked for: no pair of pieces is left that stands twice\n",
               format_count(static_cast<double>(options.size)));
  }
  return 0;
}

}  // namespace basis
