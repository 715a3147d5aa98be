#include "data/synthetic.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "data/synthetic_lexicon.h"
#include "tensor/error.h"
#include "tests/data/synthetic_reading.h"

namespace basis {
namespace {

using synthetic::words_of;

constexpr std::uint64_t seed = 7;

/// 64-bit FNV-1a of texts in order.
class Digest {
 public:
  void add(const std::string& text) {
    for (const char c : text) add_byte(static_cast<unsigned char>(c));
    add_byte(0);
  }
  std::uint64_t value() const { return value_; }

 private:
  void add_byte(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001b3u; }
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

std::uint64_t digest_of(const SyntheticLanguage& language) {
  Digest digest;
  for (const std::string& word : language.vocabulary()) digest.add(word);
  for (std::uint64_t index = 0; index < 50; ++index) digest.add(language.document(index));
  for (const std::string& name : language.task_names()) {
    const TaskData data = language.task(name, {1, 100, 100});
    for (const auto* rows : {&data.train, &data.dev}) {
      for (const Example& row : *rows) {
        digest.add(row.first);
        digest.add(row.second);
        digest.add(std::to_string(row.label) + " " + std::to_string(std::lround(row.target * 12)));
      }
    }
  }
  return digest.value();
}

// The value was printed by this test; it must be the same on every machine and compiler.
TEST(SyntheticLanguage, GivesTheSameBitsOnEveryMachine) {
  EXPECT_EQ(digest_of(SyntheticLanguage(seed)), 15574314188273573336u);
}

TEST(SyntheticLanguage, DependsOnItsSeedAndOnTheTasksOwn) {
  const SyntheticLanguage one(seed);
  const SyntheticLanguage two(seed + 1);
  EXPECT_NE(one.vocabulary(), two.vocabulary());
  const std::string name = "synthetic-sentiment";
  EXPECT_NE(one.task(name, {1, 0, 1}).dev[0].first, one.task(name, {2, 0, 1}).dev[0].first);
}

TEST(SyntheticLanguage, WritesADocumentWhateverWasWrittenBefore) {
  const SyntheticLanguage language(seed);
  const std::string late = language.document(std::uint64_t{1} << 40);
  const std::string early = language.document(0);
  EXPECT_EQ(SyntheticLanguage(seed).document(std::uint64_t{1} << 40), late);
  EXPECT_NE(early, late);
  EXPECT_EQ(std::count(early.begin(), early.end(), '\n'), 1);
}

TEST(SyntheticLanguage, HasDistinctVocabularyEntriesTheSpecialTokensFirst) {
  const auto vocabulary = SyntheticLanguage(seed).vocabulary();
  const std::vector<std::string> first(vocabulary.begin(), vocabulary.begin() + 5);
  EXPECT_EQ(first, (std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}));
  const std::set<std::string> distinct(vocabulary.begin(), vocabulary.end());
  EXPECT_EQ(distinct.size(), vocabulary.size());
  EXPECT_GT(vocabulary.size(), 1500u);
  EXPECT_LT(vocabulary.size(), 5000u);
}

/// Number of pieces by greedy longest match; 0 when the word is unknown.
int count_pieces(const std::set<std::string>& vocabulary, const std::string& word) {
  int pieces = 0;
  for (std::size_t start = 0; start < word.size(); ++pieces) {
    std::size_t end = word.size();
    while (end > start &&
           !vocabulary.contains((start > 0 ? "##" : "") + word.substr(start, end - start))) {
      --end;
    }
    if (end == start) return 0;
    start = end;
  }
  return pieces;
}

TEST(SyntheticLanguage, WritesOnlyWordsOfTheVocabularyOrOfTwoPieces) {
  const SyntheticLanguage language(seed);
  const auto entries = language.vocabulary();
  const std::set<std::string> vocabulary(entries.begin(), entries.end());
  std::string text;
  for (std::uint64_t index = 0; index < 100; ++index) text += language.document(index) + "\n";
  for (const std::string& name : language.task_names()) {
    for (const Example& row : language.task(name, {1, 200, 200}).dev) {
      text += row.first + " " + row.second + "\n";
    }
  }
  int cut = 0;
  for (const std::string& word : words_of(text)) {
    const int pieces = count_pieces(vocabulary, word);
    ASSERT_GE(pieces, 1) << word;
    ASSERT_LE(pieces, 2) << word;
    cut += pieces - 1;
  }
  EXPECT_GT(cut, 50);  // names and adverbs: WordPiece has something to do
}

TEST(SyntheticTasks, BalanceTheirClassesAndSpreadTheirGrades) {
  const SyntheticLanguage language(seed);
  for (const std::string& name : language.task_names()) {
    const TaskData data = language.task(name, {1, 600, 300});
    EXPECT_EQ(data.train.size(), 600u);
    EXPECT_EQ(data.dev.size(), 300u);
    for (const auto* rows : {&data.train, &data.dev}) {
      std::map<int, std::size_t> counts;
      for (const Example& row : *rows) {
        EXPECT_EQ(row.second.empty(), !data.task.is_pair) << name;
        EXPECT_GE(row.target, 0) << name;
        EXPECT_LE(row.target, 5) << name;
        ++counts[data.task.is_regression ? std::min(4, static_cast<int>(row.target)) : row.label];
      }
      const std::size_t classes = data.task.is_regression ? 5 : data.task.labels.size();
      EXPECT_EQ(counts.size(), classes) << name;
      for (const auto& [label, count] : counts) {
        if (data.task.is_regression) {
          EXPECT_GT(count, rows->size() / 12) << name << " grade " << label;
        } else {
          EXPECT_EQ(count, rows->size() / classes) << name << " class " << label;
        }
      }
    }
  }
}

TEST(SyntheticTasks, KeepTrainAndDevSentencesApartAndRepeatNoRow) {
  const SyntheticLanguage language(seed);
  for (const std::string& name : language.task_names()) {
    const TaskData data = language.task(name, {1, 3000, 3000});
    std::set<std::string> train, rows;
    for (const Example& row : data.train) {
      train.insert({row.first, row.second});
      EXPECT_TRUE(rows.insert(row.first + "\t" + row.second).second) << name << ": " << row.first;
    }
    train.erase("");
    for (const Example& row : data.dev) {
      EXPECT_FALSE(train.contains(row.first)) << name << ": " << row.first;
      EXPECT_FALSE(train.contains(row.second)) << name << ": " << row.second;
      EXPECT_TRUE(rows.insert(row.first + "\t" + row.second).second) << name << ": " << row.first;
    }
  }
}

TEST(SyntheticTasks, KeepTheirDevRowsWhateverTheTrainingRows) {
  const SyntheticLanguage language(seed);
  for (const std::string& name : language.task_names()) {
    const auto few = language.task(name, {1, 0, 50}).dev;
    const auto many = language.task(name, {1, 500, 50}).dev;
    for (std::size_t i = 0; i < few.size(); ++i) EXPECT_EQ(few[i].first, many[i].first) << name;
  }
}

TEST(SyntheticTasks, ShowOnlyAPartOfTheWordsInTraining) {
  const SyntheticLanguage language(seed);
  for (const std::string& name : language.task_names()) {
    const TaskData data = language.task(name, {1, 3000, 3000});
    std::set<std::string> shown;
    for (const Example& row : data.train) {
      for (const std::string& word : words_of(row.first + " " + row.second)) shown.insert(word);
    }
    std::size_t words = 0, unseen = 0;
    for (const Example& row : data.dev) {
      for (const std::string& word : words_of(row.first)) {
        ++words;
        unseen += shown.contains(word) ? 0 : 1;
      }
    }
    // About half of the words are of content, and three quarters of those are not shown.
    EXPECT_GT(static_cast<double>(unseen) / static_cast<double>(words), 0.2) << name;
  }
}

TEST(SyntheticTasks, SayNoLabelByTheirLength) {
  const SyntheticLanguage language(seed);
  for (const std::string& name : language.task_names()) {
    const TaskData data = language.task(name, {1, 0, 6000});
    if (data.task.is_regression) continue;
    std::map<int, std::pair<double, double>> lengths;  // sum and count of each class
    for (const Example& row : data.dev) {
      lengths[row.label].first += static_cast<double>(words_of(row.first + row.second).size());
      lengths[row.label].second += 1;
    }
    const double reference = lengths[0].first / lengths[0].second;
    for (const auto& [label, sum] : lengths) {
      // The deviation of a length is below 3 words; of the difference of two means of 2,000 rows
      // and more below 3 · sqrt(2 / 2000) = 0.095. Three of those.
      EXPECT_NEAR(sum.first / sum.second, reference, 0.29) << name << " class " << label;
    }
  }
}

/// Naive Bayes on words and neighbouring words of each text and the number of shared words: what
/// can be had without knowing what the words mean.
class NaiveBayes {
 public:
  void learn(const Example& row) {
    for (const std::string& feature : features_of(row)) {
      ++counts_[row.label][feature];
      ++totals_[row.label];
      known_.insert(feature);
    }
  }

  int predict(const Example& row) const {
    int best = -1;
    double best_score = 0;
    for (const auto& [label, counts] : counts_) {
      double score = 0;
      for (const std::string& feature : features_of(row)) {
        if (!known_.contains(feature)) continue;
        const auto found = counts.find(feature);
        const double count = found == counts.end() ? 0 : found->second;
        score += std::log((count + 1) / (totals_.at(label) + static_cast<double>(known_.size())));
      }
      if (best < 0 || score > best_score) {
        best = label;
        best_score = score;
      }
    }
    return best;
  }

 private:
  static std::vector<std::string> features_of(const Example& row) {
    std::vector<std::string> features;
    const auto first = words_of(row.first);
    const auto second = words_of(row.second);
    for (const auto* words : {&first, &second}) {
      const std::string side = words == &first ? "1 " : "2 ";
      for (std::size_t i = 0; i < words->size(); ++i) {
        features.push_back(side + (*words)[i]);
        if (i > 0) features.push_back(side + (*words)[i - 1] + " " + (*words)[i]);
      }
    }
    const std::set<std::string> known(first.begin(), first.end());
    const auto shared = std::count_if(second.begin(), second.end(), [&](const std::string& word) {
      return known.contains(word);
    });
    features.push_back("shared " + std::to_string(shared));
    return features;
  }

  std::map<int, std::map<std::string, double>> counts_;
  std::map<int, double> totals_;
  std::set<std::string> known_;
};

TEST(SyntheticTasks, CannotBeSolvedByCountingTheWordsOfTheTrainingRows) {
  // Chance is 1/2, and 1/3 for entailment; a quarter of the words of praise and blame is shown.
  const std::map<std::string, double> bounds = {{"synthetic-acceptability", 0.56},
                                                {"synthetic-sentiment", 0.66},
                                                {"synthetic-paraphrase", 0.56},
                                                {"synthetic-entailment", 0.44}};
  const SyntheticLanguage language(seed);
  for (const auto& [name, bound] : bounds) {
    const TaskData data = language.task(name, {1, 2000, 2000});
    NaiveBayes shortcut;
    for (const Example& row : data.train) shortcut.learn(row);
    const auto right = std::count_if(data.dev.begin(), data.dev.end(), [&](const Example& row) {
      return shortcut.predict(row) == row.label;
    });
    const double accuracy = static_cast<double>(right) / static_cast<double>(data.dev.size());
    RecordProperty(name, std::to_string(accuracy));
    EXPECT_LT(accuracy, bound) << name;
  }
}

TEST(SyntheticTasks, GradeSimilarityByMoreThanSharedWords) {
  const auto rows = SyntheticLanguage(seed).task("synthetic-similarity", {1, 0, 2000}).dev;
  double x1 = 0, y1 = 0, xx = 0, yy = 0, xy = 0;
  for (const Example& row : rows) {
    const auto words = words_of(row.first);
    const std::set<std::string> first(words.begin(), words.end());
    double x = 0;
    for (const std::string& word : words_of(row.second)) x += first.contains(word) ? 1 : 0;
    const double y = row.target;
    x1 += x, y1 += y, xx += x * x, yy += y * y, xy += x * y;
  }
  const auto n = static_cast<double>(rows.size());
  const double pearson = (xy - x1 * y1 / n) / std::sqrt((xx - x1 * x1 / n) * (yy - y1 * y1 / n));
  EXPECT_LT(pearson, 0.5);
  EXPECT_GT(pearson, 0.2);  // some synonyms are not exchanged
}

TEST(SyntheticTasks, SayWhatIsWrongWithARequest) {
  const SyntheticLanguage language(seed);
  try {
    language.task("synthetic-humour", {});
    FAIL() << "an unknown task was accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("synthetic-sentiment"), std::string::npos);
  }
  EXPECT_THROW(language.task("synthetic-sentiment", {1, -1, 10}), Error);
}

}  // namespace
}  // namespace basis
