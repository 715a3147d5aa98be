#include "experiments/text_classifier.h"

#include <gmock/gmock.h>

#include "tensor/error.h"
#include "tests/experiments/fixture.h"

namespace basis {

namespace {

using testing::HasSubstr;

/// A BERT of 2 layers and width 24 with the classes calm, glad and wild.
const std::filesystem::path small_model = BASIS_ORACLE_FOLDER "/folders/classifier";

const std::vector<Example> rows = {
    {"blim dorra", "", 0}, {"fep grint hosk", "", 1}, {"jalu kerv", "", 0}, {"lomp mizzel", "", 1}};

class TextClassifierTest : public FolderTest {};

template <class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_F(TextClassifierTest, LearnsWhatItIsShown) {
  TextClassifierOptions options;
  options.learning_rate = 5e-3;
  TextClassifier classifier = TextClassifier::load(small_model, {}, options);
  const double first = classifier.train_step(rows);
  double last = first;
  for (int step = 1; step < 40; ++step) last = classifier.train_step(rows);
  EXPECT_LT(last, first / 4);
  const std::vector<TextPrediction> predictions = classifier.predict(rows);
  ASSERT_EQ(predictions.size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(predictions[i].label, rows[i].label) << rows[i].first;
    EXPECT_EQ(predictions[i].name, rows[i].label == 0 ? "calm" : "glad");
    EXPECT_EQ(predictions[i].logits.size(), 3U);
  }
}

TEST_F(TextClassifierTest, AnswersDoNotDependOnTheRowsAround) {
  TextClassifier classifier = TextClassifier::load(small_model);
  const std::vector<Example> pairs = {
      {"blim", "dorra fep"}, {"vroom wexil yarnip zobb", ""}, {"jalu", ""}};
  const std::vector<TextPrediction> together = classifier.predict(pairs);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const std::vector<TextPrediction> alone = classifier.predict(std::span(pairs).subspan(i, 1));
    for (std::size_t c = 0; c < 3; ++c) {
      // Sums in another order: a few roundings of logits below 1 through 2 layers.
      EXPECT_NEAR(alone[0].logits[c], together[i].logits[c], 1e-5) << "row " << i;
    }
  }
}

TEST_F(TextClassifierTest, WhatIsSavedAnswersTheSame) {
  TextClassifierOptions options;
  options.learning_rate = 1e-2;
  options.method.kind = AdapterMethod::Kind::Lora;
  options.method.rank = 2;
  TextClassifier trained = TextClassifier::load(small_model, {"no", "maybe", "yes"}, options);
  for (int step = 0; step < 5; ++step) trained.train_step(rows);
  const std::vector<TextPrediction> before = trained.predict(rows);
  trained.save(folder_ / "saved");
  TextClassifier loaded = TextClassifier::load(folder_ / "saved");
  EXPECT_EQ(loaded.labels(), (std::vector<std::string>{"no", "maybe", "yes"}));
  const std::vector<TextPrediction> after = loaded.predict(rows);
  const std::vector<TextPrediction> still = trained.predict(rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(still[i].logits, before[i].logits) << "saving must not change the model";
    for (std::size_t c = 0; c < 3; ++c) {
      // Merged against side path: roundings of W + BA, logits below 4.
      EXPECT_NEAR(after[i].logits[c], before[i].logits[c], 1e-4) << "row " << i;
    }
  }
}

TEST_F(TextClassifierTest, TheUsersMistakesAreMessages) {
  TextClassifier classifier = TextClassifier::load(small_model);
  const std::vector<Example> beyond = {{"blim", "", 0}, {"fep", "", 3}};
  EXPECT_EQ(message_of([&] { classifier.train_step(beyond); }),
            "row 1: label 3 is no class; there are 3 (0 to 2)");
  const std::vector<Example> unknown = {{"blim", ""}};
  EXPECT_THAT(message_of([&] { classifier.train_step(unknown); }), HasSubstr("label -1"));
  EXPECT_THAT(message_of([&] { classifier.predict({}); }), HasSubstr("no rows"));
  EXPECT_THAT(message_of([&] { TextClassifier::load(small_model, {"one"}); }),
              HasSubstr("at least 2 classes"));
  EXPECT_THAT(message_of([&] {
                TextClassifier::load(small_model, {"one", "two"});
              }),
              HasSubstr("classifier.weight"));
  EXPECT_THAT(message_of([&] { TextClassifier::load(folder_ / "none"); }), HasSubstr("none"));
}

}  // namespace basis
