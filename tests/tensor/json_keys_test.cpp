#include "tensor/json_keys.h"

#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tensor/file.h"
#include "tests/tensor/file_fixture.h"

namespace basis {
namespace {

using testing::ElementsAre;

const char* const text = R"({
  "one": 1, "big": 18446744073709551615, "negative": -3, "half": 0.5, "word": "abc", "on": true,
  "off": false, "nothing": null, "words": ["a", "b"], "mixed": [1, "x"], "numbers": [1, 0.5],
  "base": {"width": "wide", "inner": {}}, "stages": [{"label": "x"}, {}, 3]})";

JsonKeys keys() {
  return {Json::parse(text, "c.json"), "c.json"};
}

TEST(JsonKeys, GivesWhatStandsThere) {
  const JsonKeys all = keys();
  EXPECT_EQ(all.integer("one"), 1);
  EXPECT_EQ(all.integer("negative", -3, -3), -3);
  EXPECT_EQ(all.unsigned_integer("big"), ~std::uint64_t{0});
  EXPECT_EQ(all.number("half"), 0.5);
  EXPECT_EQ(all.number("one"), 1.0);
  EXPECT_EQ(all.number_or_nan("half"), 0.5);
  EXPECT_TRUE(std::isnan(all.number_or_nan("nothing")));
  EXPECT_EQ(all.text("word"), "abc");
  EXPECT_TRUE(all.boolean("on"));
  EXPECT_TRUE(all.is_true("on"));
  EXPECT_FALSE(all.is_true("off"));
  EXPECT_FALSE(all.is_true("nothing"));
  EXPECT_FALSE(all.is_true("none"));
  EXPECT_THAT(all.texts("words"), ElementsAre("a", "b"));
  EXPECT_THAT(all.numbers("numbers"), ElementsAre(1.0, 0.5));
  EXPECT_TRUE(all.has("word"));
  EXPECT_FALSE(all.has("nothing"));
  EXPECT_FALSE(all.has("none"));
  EXPECT_EQ(all.find("one")->integer(), 1);
  EXPECT_EQ(all.members().size(), 13u);
}

TEST(JsonKeys, OfAnInnerObjectOutlivesTheOuter) {
  const JsonKeys inner = keys().object("base");
  EXPECT_EQ(inner.text("width"), "wide");
  EXPECT_EQ(inner.source(), "c.json");
}

TEST(JsonKeys, NameTheFileTheKeyWhatStandsThereAndWhatWasExpected) {
  struct Case {
    std::function<void(const JsonKeys&)> read;
    const char* message;
  };
  const Case cases[] = {
      {[](const JsonKeys& all) { all.require("none"); }, "\"none\" is missing"},
      {[](const JsonKeys& all) { all.require("nothing"); }, "\"nothing\" is null"},
      {[](const JsonKeys& all) { all.text("none"); }, "\"none\" is missing"},
      {[](const JsonKeys& all) { all.number_or_nan("none"); }, "\"none\" is missing"},
      {[](const JsonKeys& all) { all.integer("word"); }, "\"word\" is \"abc\", not an integer"},
      {[](const JsonKeys& all) { all.integer("half"); }, "\"half\" is 0.5, not an integer"},
      {[](const JsonKeys& all) { all.integer("big"); },
       "\"big\" is 18446744073709551615, not an integer below 2^63"},
      {[](const JsonKeys& all) { all.integer("one", 2, 9); },
       "\"one\" is 1, not an integer from 2 to 9"},
      {[](const JsonKeys& all) { all.integer("big", 2, 9); },
       "\"big\" is 18446744073709551615, not an integer from 2 to 9"},
      {[](const JsonKeys& all) { all.unsigned_integer("negative"); },
       "\"negative\" is -3, not an integer of 64 bits from 0"},
      {[](const JsonKeys& all) { all.number("on"); }, "\"on\" is true, not a number"},
      {[](const JsonKeys& all) { all.number_or_nan("word"); }, "\"word\" is \"abc\", not a number"},
      {[](const JsonKeys& all) { all.text("one"); }, "\"one\" is 1, not a string"},
      {[](const JsonKeys& all) { all.boolean("one"); }, "\"one\" is 1, not true or false"},
      {[](const JsonKeys& all) { all.is_true("word"); }, "\"word\" is \"abc\", not true or false"},
      {[](const JsonKeys& all) { all.texts("word"); },
       "\"word\" is \"abc\", not a list of strings"},
      {[](const JsonKeys& all) { all.texts("mixed"); }, "\"mixed[0]\" is 1, not a string"},
      {[](const JsonKeys& all) { all.numbers("mixed"); }, "\"mixed[1]\" is \"x\", not a number"},
      {[](const JsonKeys& all) { all.numbers("base"); },
       "\"base\" is an object, not a list of numbers"},
      {[](const JsonKeys& all) { all.integers("numbers", 0, 5); },
       "\"numbers[1]\" is 0.5, not an integer from 0 to 5"},
      {[](const JsonKeys& all) { all.object("words"); }, "\"words\" is a list, not an object"},
      {[](const JsonKeys& all) { all.objects("stages"); }, "\"stages[2]\" is 3, not an object"},
      {[](const JsonKeys& all) { all.object("base").integer("width"); },
       "\"base.width\" is \"wide\", not an integer"},
      {[](const JsonKeys& all) { all.object("base").object("inner").text("x"); },
       "\"base.inner.x\" is missing"},
      {[](const JsonKeys& all) { all.fail("word", "is taken"); }, "\"word\" is taken"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(error_of([&] { one.read(keys()); }), std::string("c.json: ") + one.message);
  }
}

TEST(JsonKeys, NamesThePlaceInAListOfObjects) {
  const JsonKeys all(Json::parse(R"({"stages": [{"label": "x"}, {}]})", "p"), "p");
  const std::vector<JsonKeys> stages = all.objects("stages");
  ASSERT_EQ(stages.size(), 2u);
  EXPECT_EQ(stages[0].text("label"), "x");
  EXPECT_EQ(error_of([&] { stages[1].text("label"); }), "p: \"stages[1].label\" is missing");
}

class JsonKeysFile : public TemporaryFolder {};

TEST_F(JsonKeysFile, NamesThePathOfWhatIsNoObject) {
  write_file_atomically(path("a.json"), "[]");
  EXPECT_EQ(error_of([&] { JsonKeys::read(path("a.json")); }),
            path("a.json").string() + ": not a JSON object");
  write_file_atomically(path("a.json"), "{\"a\": 3}");
  EXPECT_EQ(JsonKeys::read(path("a.json")).integer("a"), 3);
}

}  // namespace
}  // namespace basis
