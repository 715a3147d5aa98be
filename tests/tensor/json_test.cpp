#include "tensor/json.h"

#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/tensor/file_fixture.h"

namespace basis {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Json parse(const std::string& text) {
  return Json::parse(text, "c.json");
}

struct BadJson {
  const char* what;
  std::string text;
  const char* place;
  const char* reason;
};

TEST(Json, IsRefusedWithTheLineAndTheReason) {
  const BadJson cases[] = {
      {"empty", "", "c.json:1: ", "unexpected end of input"},
      {"cut", "{\n \"a\": 1,\n", "c.json:2: ", "unexpected end of input"},
      {"wrong letter", "{\n\n \"a\": x}", "c.json:3: ", "invalid literal"},
      {"duplicate", "{\"a\": 1,\n \"b\": {\"a\": 2},\n \"a\": 3}",
       "c.json:3: ", "duplicate key \"a\""},
      {"duplicate by escape", "{\"a\": 1, \"\\u0061\": 3}", "c.json:1: ", "duplicate key \"a\""},
      {"trailing", "{}\n{}", "c.json:2: ", "expected end of input"},
      {"trailing comma", "[1,]", "c.json:1: ", "unexpected ']'"},
      {"NUL", std::string("{}\n\0x", 5), "c.json:2: ", "NUL"},
      {"not UTF-8", "{\n\"a\": \"\xff\"}", "c.json:2: ", "ill-formed UTF-8"},
      {"overlong UTF-8", "\"\xc0\x80\"", "c.json:1: ", "ill-formed UTF-8"},
      {"half a surrogate", "\"\\ud800\"", "c.json:1: ", "surrogate"},
      {"NaN", "{\"a\": NaN}", "c.json:1: ", "invalid literal"},
      {"beyond double", "\n1e999", "c.json:2: ", "number overflow"},
      {"deep lists", std::string(100000, '['), "c.json:1: ", "nested deeper than 64"},
      {"65 levels", std::string(65, '[') + std::string(65, ']'), "c.json:1: ", "nested deeper"},
      {"65 objects",
       [] {
         std::string text;
         for (int i = 0; i < 65; ++i) text += "{\"a\":\n";
         return text;
       }(),
       "c.json:65: ", "nested deeper"},
  };
  for (const BadJson& bad : cases) {
    EXPECT_THAT(error_of([&] { parse(bad.text); }),
                AllOf(testing::StartsWith(bad.place), HasSubstr(bad.reason)))
        << bad.what;
  }
}

// Objects of many keys find duplicates by another way than small ones.
TEST(Json, ADuplicateIsFoundAmongAnyNumberOfKeys) {
  for (const int count : {1, 15, 16, 17, 18, 100}) {
    for (const int again : {0, count / 2, count - 1}) {
      std::string text = "{";
      for (int i = 0; i < count; ++i) text += "\"key " + std::to_string(i) + "\": {\"a\": 1},";
      const std::string last = "\"key " + std::to_string(again) + "\": 1}";
      EXPECT_THAT(error_of([&] { parse(text + last); }), HasSubstr("duplicate key \"key "))
          << count << " " << again;
      EXPECT_EQ(parse(text + "\"other\": 1}").size(), static_cast<std::size_t>(count) + 1);
    }
  }
}

TEST(Json, TakesNestingUpToTheLimitAndTheSameKeyInTwoObjects) {
  EXPECT_EQ(error_of([] { parse(std::string(64, '[') + std::string(64, ']')); }), "");
  const Json json = parse("{\"a\": {\"b\": 1}, \"b\": [{\"a\": 2}, {\"a\": 3}]}");
  EXPECT_EQ(json.find("b")->items()[1].find("a")->integer(), 3);
}

// The text that comes out is the one that went in: order, numbers and escapes.
TEST(Json, ReadsBackAsItWasWritten) {
  for (const char* text : {
           "null",
           "true",
           "false",
           "0",
           "-1",
           "9223372036854775807",
           "-9223372036854775808",
           "9223372036854775808",
           "18446744073709551615",
           "0.1",
           "-0.0",
           "1e-07",
           "1e+300",
           "5e-324",
           "1.7976931348623157e+308",
           "3.0",
           "2e-05",
           "1.8446744073709552e+19",
           "\"\"",
           "\"\\\"\\\\\\n\\t\\u0001 \u00fc\u4e2d\U0001f600\"",
           "[]",
           "{}",
           "[[],{},[1,\"a\",null]]",
           "{\"b\":1,\"a\":{\"d\":[],\"c\":{}},\"\":2}",
       }) {
    EXPECT_EQ(parse(text).dump(), text);
  }
}

TEST(Json, IsWrittenAsNlohmannWritesIt) {
  const char* text =
      R"({"z": [1, [2.5, {"k": "v"}], [], {}], "a": {"ü": null, "n": -3e-9}, "e": "\u0007/é"})";
  const auto same = nlohmann::ordered_json::parse(text);
  for (const int indent : {Json::one_line, 0, 1, 2, 4}) {
    EXPECT_EQ(parse(text).dump(indent), same.dump(indent)) << indent;
  }
  EXPECT_EQ(parse("{\"a\": [1], \"b\": []}").dump(1), "{\n \"a\": [\n  1\n ],\n \"b\": []\n}");
}

TEST(Json, IsBuiltOfValues) {
  Json json = Json::object({{"step", 3}, {"loss", 0.5}, {"name", "x"}, {"none", nullptr}});
  json.set("ids", Json::list({5, 7}));
  json.set("labels", Json::texts(std::vector<std::string>{"no", "yes"}));
  json.set("step", std::uint64_t{1} << 63);
  json.set("is_on", true);
  Json list = Json::list();
  list.append(Json::object());
  list.append(std::int64_t{-1} << 62);
  json.set("list", std::move(list));
  EXPECT_EQ(json.dump(),
            "{\"step\":9223372036854775808,\"loss\":0.5,\"name\":\"x\",\"none\":null,"
            "\"ids\":[5,7],\"labels\":[\"no\",\"yes\"],\"is_on\":true,"
            "\"list\":[{},-4611686018427387904]}");
  EXPECT_EQ(json.size(), 8u);
  EXPECT_EQ(Json().dump(), "null");
  EXPECT_EQ(Json::list({3}).dump(), "[3]");
  EXPECT_EQ(Json::list({"a", "b"}).dump(), "[\"a\",\"b\"]");
}

TEST(Json, ANumberThatIsNotFiniteIsNull) {
  using Limits = std::numeric_limits<double>;
  for (const double value : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()}) {
    EXPECT_TRUE(Json(value).is_null()) << value;
    EXPECT_EQ(Json::object({{"loss", value}}).dump(), "{\"loss\":null}");
  }
}

TEST(Json, SortsKeysOnAllLevels) {
  Json json = parse(R"({"b": [{"10": 1, "2": 2}], "B": 1, "a": {"d": 1, "c": 2}})");
  json.sort_keys();
  EXPECT_EQ(json.dump(), R"({"B":1,"a":{"c":2,"d":1},"b":[{"10":1,"2":2}]})");
}

TEST(Json, KnowsWhatItIs) {
  struct Case {
    const char* text;
    bool is_integer, is_unsigned, is_number;
  };
  for (const Case& one : {Case{"5", true, true, true}, Case{"-5", true, false, true},
                          Case{"18446744073709551615", false, true, true},
                          Case{"18446744073709551616", false, false, true},
                          Case{"-9223372036854775809", false, false, true},
                          Case{"5.0", false, false, true}, Case{"\"5\"", false, false, false}}) {
    const Json json = parse(one.text);
    EXPECT_EQ(json.is_integer(), one.is_integer) << one.text;
    EXPECT_EQ(json.is_unsigned(), one.is_unsigned) << one.text;
    EXPECT_EQ(json.is_number(), one.is_number) << one.text;
    if (one.is_number) {
      EXPECT_EQ(json.number(), std::stod(one.text));
    }
  }
  EXPECT_EQ(parse("18446744073709551615").unsigned_integer(), ~std::uint64_t{0});
  EXPECT_EQ(parse("5").unsigned_integer(), 5u);
  EXPECT_THROW(parse("18446744073709551615").integer(), InternalError);
  EXPECT_THROW(parse("-1").unsigned_integer(), InternalError);
  EXPECT_THROW(parse("5").text(), InternalError);
  EXPECT_THROW(parse("[]").members(), InternalError);
  EXPECT_THROW(parse("{}").items(), InternalError);
  EXPECT_EQ(parse("[1]").find("a"), nullptr);
  EXPECT_EQ(parse("5").size(), 0u);
}

TEST(Json, DoesNotWriteWhatIsNotUtf8) {
  for (const Json& bad : {Json("a\xff"), Json::list({"\xc0\x80"}), Json::object({{"\xed", 1}})}) {
    EXPECT_THAT(error_of([&] { bad.dump(1, "c.json"); }),
                AllOf(testing::StartsWith("c.json: "), HasSubstr("not UTF-8")));
    EXPECT_THAT(error_of([&] { bad.dump(); }), testing::StartsWith("a text is not UTF-8"));
  }
}

TEST(Json, IsShownInMessagesWhateverItsBytes) {
  EXPECT_EQ(parse("[1]").shown(), "a list");
  EXPECT_EQ(parse("{}").shown(), "an object");
  EXPECT_EQ(parse("1.5").shown(), "1.5");
  EXPECT_EQ(Json("a\n\xff").shown(), "\"a\\n\ufffd\"");
  EXPECT_EQ(Json(std::string(90, 'x')).shown(), "\"" + std::string(80, 'x') + "...\"");
  EXPECT_EQ(Json("abc").shown(2), "\"ab...\"");
}

class JsonFile : public TemporaryFolder {};

TEST_F(JsonFile, ReadsBackAndNamesItsPath) {
  parse("{\"b\": 1, \"a\": [2]}").write(path("a.json"), Json::one_line);
  EXPECT_EQ(read_file(path("a.json")), "{\"b\":1,\"a\":[2]}\n");
  EXPECT_EQ(Json::read(path("a.json")).dump(), "{\"b\":1,\"a\":[2]}");
  EXPECT_THAT(error_of([&] { Json("\xff").write(path("b.json"), 2); }),
              testing::StartsWith(path("b.json").string() + ": "));
  write_file_atomically(path("bad.json"), "\n}");
  EXPECT_THAT(error_of([&] { Json::read(path("bad.json")); }),
              testing::StartsWith(path("bad.json").string() + ":2: "));
  EXPECT_THAT(error_of([&] { Json::read(path("none.json")); }), HasSubstr("no such file"));
}

}  // namespace
}  // namespace basis
