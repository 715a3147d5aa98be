#include "data/synthetic.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/synthetic_corpus.h"
#include "data/synthetic_lexicon.h"
#include "data/synthetic_tasks.h"
#include "tensor/error.h"

namespace basis {
namespace {

using namespace synthetic;

struct Recipe {
  Task task;
  MakeRow make_row;
};

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all = {
      {{"synthetic-acceptability",
        false,
        false,
        {"unacceptable", "acceptable"},
        {Metric::Matthews}},
       make_acceptability},
      {{"synthetic-sentiment", false, false, {"negative", "positive"}, {Metric::Accuracy}},
       make_sentiment},
      {{"synthetic-paraphrase",
        true,
        false,
        {"different", "paraphrase"},
        {Metric::F1, Metric::Accuracy}},
       make_paraphrase},
      {{"synthetic-similarity", true, true, {}, {Metric::Pearson, Metric::Spearman}},
       make_similarity},
      {{"synthetic-entailment",
        true,
        false,
        {"entailment", "neutral", "contradiction"},
        {Metric::Accuracy}},
       make_entailment}};
  return all;
}

/// A seed for rows that depends on the language's and the task's own.
std::uint64_t combine(std::uint64_t language_seed, std::uint64_t task_seed) {
  const PhiloxCounter words = philox4x32(
      {{static_cast<std::uint32_t>(task_seed), static_cast<std::uint32_t>(task_seed >> 32), 0, 0}},
      philox_key(language_seed));
  return (static_cast<std::uint64_t>(words.word[1]) << 32) | words.word[0];
}

/// Draws rows that do not stand in it yet.
class RowMaker {
 public:
  RowMaker(const Lexicon& lexicon, const Recipe& recipe) : lexicon_(&lexicon), recipe_(&recipe) {}

  /// `forbidden` sentences do not occur in the rows.
  std::vector<Example> make(RandomStream stream, Scope scope, std::int64_t count,
                            const std::unordered_set<std::string>& forbidden) {
    Drawer draw(*lexicon_, stream, scope);
    std::unordered_set<std::string> seen;
    std::vector<Example> rows;
    rows.reserve(static_cast<std::size_t>(std::min<std::int64_t>(count, 1 << 20)));
    int failures = 0;
    while (static_cast<std::int64_t>(rows.size()) < count) {
      Example row = recipe_->make_row(draw, static_cast<std::int64_t>(rows.size()));
      const bool is_new = !forbidden.contains(row.first) && !forbidden.contains(row.second) &&
                          seen.insert(row.first + '\t' + row.second).second;
      if (is_new) {
        rows.push_back(std::move(row));
        failures = 0;
      } else if (++failures == most_failures) {
        throw Error(fmt::format(
            "{}: {} rows asked, but after {} the language has hardly a new sentence; ask for fewer",
            recipe_->task.name, count, rows.size()));
      }
    }
    return rows;
  }

 private:
  static constexpr int most_failures = 1000;
  const Lexicon* lexicon_;
  const Recipe* recipe_;
};

std::unordered_set<std::string> sentences_of(const std::vector<Example>& rows) {
  std::unordered_set<std::string> sentences;
  for (const Example& row : rows) {
    sentences.insert(row.first);
    if (!row.second.empty()) sentences.insert(row.second);
  }
  return sentences;
}

}  // namespace

SyntheticLanguage::SyntheticLanguage(std::uint64_t seed)
    : seed_(seed), lexicon_(std::make_shared<const Lexicon>(seed)) {}

std::vector<std::string> SyntheticLanguage::vocabulary() const {
  return lexicon_->vocabulary();
}

std::string SyntheticLanguage::document(std::uint64_t index) const {
  RandomStream stream = stream_for(seed_, Purpose::Document, index);
  Drawer draw(*lexicon_, stream, Scope::Corpus);
  return write_document(draw);
}

std::vector<std::string> SyntheticLanguage::task_names() const {
  std::vector<std::string> names;
  for (const Recipe& recipe : recipes()) names.push_back(recipe.task.name);
  return names;
}

TaskData SyntheticLanguage::task(const std::string& name, const SyntheticOptions& options) const {
  const auto& all = recipes();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Recipe& recipe) { return recipe.task.name == name; });
  if (found == all.end()) {
    throw Error(
        fmt::format("no synthetic task \"{}\"; there are {}", name, fmt::join(task_names(), ", ")));
  }
  if (options.train_rows < 0 || options.dev_rows < 0) {
    throw Error(fmt::format("{}: {} training and {} dev rows asked; counts start at 0", name,
                            options.train_rows, options.dev_rows));
  }
  const std::uint64_t seed = combine(seed_, options.seed);
  const auto number = static_cast<std::uint64_t>(found - all.begin());
  RowMaker maker(*lexicon_, *found);
  TaskData data;
  data.task = found->task;
  data.dev = maker.make(stream_for(seed, Purpose::Dev, number), Scope::All, options.dev_rows, {});
  data.train = maker.make(stream_for(seed, Purpose::Train, number), Scope::Shown,
                          options.train_rows, sentences_of(data.dev));
  return data;
}

}  // namespace basis
