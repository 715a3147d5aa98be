#include <gtest/gtest.h>

#include "data/synthetic.h"
#include "data/synthetic_tasks.h"
#include "tests/data/synthetic_reading.h"

namespace basis::synthetic {
namespace {

constexpr std::uint64_t seed = 7;

TEST(SyntheticGrammar, AgreesInEverySentenceOfTheCorpus) {
  const AgreementReader reader{Lexicon(seed)};
  const SyntheticLanguage language(seed);
  int sentences = 0;
  for (std::uint64_t index = 0; index < 300; ++index) {
    for (const std::string& sentence : sentences_of(language.document(index))) {
      ASSERT_TRUE(reader.agrees(sentence)) << sentence;
      ++sentences;
    }
  }
  EXPECT_EQ(sentences, 300 * 8);
}

TEST(SyntheticGrammar, AgreesInEverySentenceOfTheTasksButTheUnacceptableOnes) {
  const AgreementReader reader{Lexicon(seed)};
  const SyntheticLanguage language(seed);
  for (const std::string& name : language.task_names()) {
    const TaskData data = language.task(name, {3, 300, 300});
    for (const auto* rows : {&data.train, &data.dev}) {
      for (const Example& row : *rows) {
        const bool is_good = name != "synthetic-acceptability" || row.label == 1;
        ASSERT_EQ(reader.agrees(row.first), is_good) << name << ": " << row.first;
        if (data.task.is_pair) {
          ASSERT_TRUE(reader.agrees(row.second)) << row.second;
        }
      }
    }
  }
}

TEST(SyntheticGrammar, MakesMinimalPairsThatDifferInTheNumberOfOneWord) {
  const Lexicon lexicon(seed);
  const AgreementReader reader(lexicon);
  RandomStream stream = stream_for(seed, Purpose::Dev, 99);
  Drawer draw(lexicon, stream, Scope::All);
  int determiners = 0;
  for (int i = 0; i < 500; ++i) {
    const MinimalPair pair = make_minimal_pair(draw);
    const auto good = words_of(pair.good);
    const auto bad = words_of(pair.bad);
    ASSERT_EQ(good.size(), bad.size());
    int differences = 0;
    for (std::size_t k = 0; k < good.size(); ++k) {
      if (good[k] == bad[k]) continue;
      ++differences;
      EXPECT_TRUE(reader.are_numbers_of_one_word(good[k], bad[k])) << pair.good << " " << pair.bad;
      EXPECT_EQ(k == 0, pair.violation == Violation::DeterminerNumber) << pair.bad;
    }
    EXPECT_EQ(differences, 1) << pair.good << " " << pair.bad;
    determiners += pair.violation == Violation::DeterminerNumber ? 1 : 0;
  }
  EXPECT_GT(determiners, 75);  // drawn with 30 %: mean 150, deviation 10
}

TEST(SyntheticGrammar, WritesWhatAClauseSays) {
  const Lexicon lexicon(seed);
  Clause clause;
  clause.subject = {0, 0, Number::Singular, true, ""};
  clause.verb = Word{1, 1};
  clause.object = {2, general_form, Number::Plural, false, ""};
  const std::string subject = lexicon.nouns[0].singular;
  const std::string verb = lexicon.verbs[3].singular;
  const std::string object = lexicon.category_nouns[0].plural;
  EXPECT_EQ(render(lexicon, clause, Violation::None),
            "this " + subject + " " + verb + " the " + object + ".");
  clause.is_cleft = true;
  clause.is_negated = true;
  EXPECT_EQ(render(lexicon, clause, Violation::None),
            "it is the " + object + " that this " + subject + " never " + verb + ".");
  clause.verb.reset();
  clause.quality = {0, 1};
  EXPECT_EQ(render(lexicon, clause, Violation::VerbNumber),
            "this " + subject + " are not " + lexicon.adjectives[1] + ".");
}

}  // namespace
}  // namespace basis::synthetic
