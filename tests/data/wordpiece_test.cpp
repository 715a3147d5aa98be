#include "data/wordpiece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tensor/file.h"
#include "tests/data/plain_wordpiece.h"
#include "tests/data/small_vocabulary.h"
#include "tests/tensor/file_fixture.h"

namespace basis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

WordPieceTokenizer small_tokenizer(WordPieceOptions options = {}) {
  return {small_vocabulary(), options};
}

std::vector<std::int32_t> ids_of(const WordPieceTokenizer& tokenizer, std::string_view text) {
  std::vector<std::int32_t> ids;
  tokenizer.tokenize(text, ids);
  return ids;
}

std::string tokens_of(const WordPieceTokenizer& tokenizer, std::string_view text) {
  std::string line;
  for (const std::int32_t id : ids_of(tokenizer, text)) {
    if (!line.empty()) line += ' ';
    line += tokenizer.token(id);
  }
  return line;
}

struct TextCase {
  std::string_view text;
  const char* uncased;
  const char* cased;
};

TEST(WordPiece, CutsTextAsTheFastTokenizerOfHuggingFace) {
  using std::string_view_literals::operator""sv;
  // Agreed with tokenizers 0.23.3; the large comparison is compare_tokenizers.py.
  const TextCase cases[] = {
      {"", "", ""},
      {" \t\r\n ", "", ""},
      {"the cat sat.", "the cat sat .", "the cat sat ."},
      {"The Cat", "the cat", "The Cat"},
      {"unaffable", "un ##aff ##able", "un ##aff ##able"},
      {"unaffably", "[UNK]", "[UNK]"},
      {"tokenizations", "token ##ization ##s", "token ##ization ##s"},
      {"cat-sat,cat!", "cat - sat , cat !", "cat - sat , cat !"},
      {"12", "1 ##2", "1 ##2"},
      {"\u00dcber", "uber", "[UNK]"},
      {"\u00fcber", "uber", "\u00fcber"},
      {"u\u0308ber", "uber", "[UNK]"},
      {"a\u4e2d\u56fdb", "a \u4e2d \u56fd b", "a \u4e2d \u56fd b"},
      {"a\u03a3", "a ##\u03c3", "[UNK]"},
      {"\ud55c", "\u1112 ##\u1161 ##\u11ab", "[UNK]"},
      {"a\u2014b", "a \u2014 b", "a \u2014 b"},
      {"a\u2260b", "a = b", "[UNK]"},
      {"\u0130", "i", "[UNK]"},
      {"a\0b"sv, "a ##b", "a ##b"},
      {"a\u200bb\u00adc", "a ##b ##c", "a ##b ##c"},
      {"a\u00a0b\u3000c", "a b c", "a b c"},
      {"[SEP]cat[MASK]", "[SEP] cat [MASK]", "[SEP] cat [MASK]"},
      {"[sep]", "[ [UNK] ]", "[ [UNK] ]"},
      {"[[MASK]]", "[ [MASK] ]", "[ [MASK] ]"},
      {"##ing", "# # [UNK]", "# # [UNK]"},
      {"twice", "twice", "twice"},
      {"fifteencharact", "fifteencharact", "fifteencharact"},
      {"sixteencharacter", "sixteencharacter", "sixteencharacter"},
      {"sixteencharacters", "sixteencharacter ##s", "sixteencharacter ##s"},
      {"seventeencharacters", "seventeencharacte ##rs", "seventeencharacte ##rs"},
      {"\u302e", "\u302e", "\u302e"},
      // Canonical order: the mark of class 216 comes before that of class 224.
      {"a\u302e\U0001d165", "a ##\U0001d165 ##\u302e", "a ##\u302e ##\U0001d165"},
      // A dropped starter (U+0941) keeps them apart.
      {"a\u302e\u0941\U0001d165", "a ##\u302e ##\U0001d165", "[UNK]"},
  };
  const WordPieceTokenizer uncased = small_tokenizer();
  const WordPieceTokenizer cased = small_tokenizer({.lowercase = false});
  for (const TextCase& c : cases) {
    EXPECT_EQ(tokens_of(uncased, c.text), c.uncased) << c.text;
    EXPECT_EQ(tokens_of(cased, c.text), c.cased) << c.text;
  }
}

TEST(WordPiece, LowersWithoutStrippingAccentsAndStripsWithoutLowering) {
  const auto lowers = small_tokenizer({.lowercase = true, .strip_accents = false});
  EXPECT_EQ(tokens_of(lowers, "\u00dcBER \u0130"), "\u00fcber i ##\u0307");
  const auto strips = small_tokenizer({.lowercase = false, .strip_accents = true});
  EXPECT_EQ(tokens_of(strips, "\u00fcber The"), "uber The");
}

TEST(WordPiece, KeepsChineseTogetherWhereAsked) {
  EXPECT_EQ(tokens_of(small_tokenizer({.split_chinese = false}), "\u4e2d \u4e2d\u56fd"),
            "\u4e2d [UNK]");
}

// Character 100 is the last that a word may have; bytes do not count.
TEST(WordPiece, MakesAWordUnknownBeyondItsLimitOfCharacters) {
  const auto cased = small_tokenizer({.lowercase = false});
  for (const char* letter : {"a", "\u00fc"}) {
    std::string word;
    for (int i = 0; i < 100; ++i) word += letter;
    EXPECT_EQ(ids_of(cased, word).size(), 100u);
    EXPECT_THAT(ids_of(cased, word + letter), ElementsAre(cased.unknown_id()));
  }
  const auto short_words = small_tokenizer({.max_characters_per_word = 2});
  EXPECT_EQ(tokens_of(short_words, "ab abc"), "a ##b [UNK]");
}

TEST(WordPiece, GivesTheLastIdOfATokenThatIsThereTwice) {
  const auto tokenizer = small_tokenizer();
  EXPECT_EQ(tokenizer.id_of("twice"), 59);
  EXPECT_THAT(ids_of(tokenizer, "twice"), ElementsAre(59));
}

TEST(WordPiece, CutsPairsLongestFirst) {
  struct Case {
    std::int64_t first, second, room, kept_first, kept_second;
  };
  const Case cases[] = {{3, 4, 7, 3, 4}, {0, 9, 7, 0, 7}, {9, 0, 7, 7, 0}, {2, 9, 7, 2, 5},
                        {9, 2, 7, 5, 2}, {4, 4, 7, 3, 4}, {4, 9, 7, 3, 4}, {9, 4, 7, 4, 3},
                        {9, 9, 7, 3, 4}, {9, 9, 6, 3, 3}, {9, 9, 1, 0, 1}, {9, 8, 1, 1, 0},
                        {9, 9, 0, 0, 0}, {1, 9, 1, 0, 1}, {3, 3, 5, 2, 3}};
  for (const Case& c : cases) {
    const PairLengths kept = cut_longest_first(c.first, c.second, c.room);
    EXPECT_EQ(kept.first, c.kept_first) << c.first << ' ' << c.second << ' ' << c.room;
    EXPECT_EQ(kept.second, c.kept_second) << c.first << ' ' << c.second << ' ' << c.room;
  }
}

TEST(WordPiece, PutsSpecialTokensAroundTextsAndPairs) {
  const auto tokenizer = small_tokenizer();
  const Encoding one = tokenizer.encode("the cat sat", 4);
  EXPECT_THAT(one.ids, ElementsAre(2, 8, 9, 3));
  EXPECT_THAT(one.type_ids, ElementsAre(0, 0, 0, 0));
  const Encoding two = tokenizer.encode_pair("the cat sat", "a b", 6);
  EXPECT_THAT(two.ids, ElementsAre(2, 8, 9, 3, 5, 3));
  EXPECT_THAT(two.type_ids, ElementsAre(0, 0, 0, 0, 1, 1));
  EXPECT_THAT(tokenizer.encode("the", 2).ids, ElementsAre(2, 3));
  EXPECT_THAT(tokenizer.encode_pair("the", "a", 3).ids, ElementsAre(2, 3, 3));
  EXPECT_THAT(error_of([&] { tokenizer.encode("the", 1); }), HasSubstr("max_length is 1"));
  EXPECT_THAT(error_of([&] { tokenizer.encode_pair("the", "a", 2); }),
              HasSubstr("max_length is 2"));
}

TEST(WordPiece, RefusesInvalidUtf8WithItsPlaceAndLeavesTheIdsAsTheyWere) {
  const auto tokenizer = small_tokenizer();
  const std::pair<std::string, int> cases[] = {{"\xff", 0},
                                               {"the cat \x80", 8},
                                               {"a\xc0\x80", 1},
                                               {"a\xed\xa0\x80", 1},
                                               {"a\xf4\x90\x80\x80", 1},
                                               {"the cat sat on the mat \xe4\xb8", 23},
                                               {"[SEP] \xc3", 6},
                                               {std::string(100, 'a') + " \xe4\xb8 ", 101},
                                               {"\xf8\x88\x80\x80", 0},
                                               {"a\xe0\x80\x80", 1}};
  for (const auto& [text, place] : cases) {
    std::vector<std::int32_t> ids{7};
    EXPECT_THAT(error_of([&] { tokenizer.tokenize(text, ids); }),
                HasSubstr("at byte " + std::to_string(place) + " "));
    EXPECT_THAT(ids, ElementsAre(7));
  }
}

TEST(WordPiece, EncodesManyTextsTheSameOnAnyNumberOfThreads) {
  const auto tokenizer = small_tokenizer();
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 997; ++i) {
    texts.push_back("the" + std::string(i % 13, ' ') + "cat" + std::string(i % 7, '.') +
                    (i % 5 == 0 ? "\u00fcber" : ""));
  }
  texts[3] = "";
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const EncodedTexts one = encode_all(tokenizer, views, 1);
  ASSERT_EQ(one.offsets.size(), views.size() + 1);
  for (std::size_t i = 0; i < views.size(); ++i) {
    EXPECT_THAT(one.of(i), testing::ElementsAreArray(ids_of(tokenizer, views[i])));
  }
  for (const int threads : {0, 2, 3, 7}) {
    const EncodedTexts many = encode_all(tokenizer, views, threads);
    EXPECT_EQ(many.ids, one.ids);
    EXPECT_EQ(many.offsets, one.offsets);
  }
  EXPECT_EQ(encode_all(tokenizer, {}, 2).offsets.size(), 1u);
}

TEST(WordPiece, NamesTheFirstOfManyTextsThatIsNotUtf8) {
  std::vector<std::string_view> views(500, "the cat");
  views[77] = "the \xff";
  views[400] = "\xff";
  const auto tokenizer = small_tokenizer();
  for (const int threads : {1, 3}) {
    EXPECT_THAT(error_of([&] { encode_all(tokenizer, views, threads); }), HasSubstr("text 77: "));
  }
}

TEST(WordPiece, AsksForPaddingAndMaskOnlyWhenTheyAreUsed) {
  const WordPieceTokenizer tokenizer({"[UNK]", "[CLS]", "[SEP]", "a"}, {});
  EXPECT_THAT(ids_of(tokenizer, "a"), ElementsAre(3));
  EXPECT_THAT(error_of([&] { tokenizer.pad_id(); }), HasSubstr("[PAD]"));
  EXPECT_THAT(error_of([&] { tokenizer.mask_id(); }), HasSubstr("[MASK]"));
  EXPECT_THAT(error_of([&] { tokenizer.token(4); }), HasSubstr("no id 4"));
}

class WordPieceFiles : public TemporaryFolder {
 protected:
  std::string load_error(const std::string& vocabulary, const std::string& config = "{}") {
    write_file_atomically(path("vocab.txt"), vocabulary);
    write_file_atomically(path("tokenizer_config.json"), config);
    return error_of([&] { WordPieceTokenizer::load(folder()); });
  }
};

TEST_F(WordPieceFiles, RefuseAVocabularyThatCannotServe) {
  const std::string specials = "[UNK]\n[CLS]\n[SEP]\n";
  const std::pair<std::string, const char*> cases[] = {
      {"", "vocab.txt: the vocabulary is empty"},
      {"[CLS]\n[SEP]\na\n", "lacks [UNK]"},
      {"[UNK]\n[SEP]\na\n", "lacks [CLS]"},
      {"[UNK]\n[CLS]\na\n", "lacks [SEP]"},
      {specials + "a\xff\n", "vocab.txt:4: the token is not UTF-8: invalid at byte 1"},
  };
  for (const auto& [vocabulary, message] : cases) {
    EXPECT_THAT(load_error(vocabulary), HasSubstr(message));
  }
  std::filesystem::remove(path("vocab.txt"));
  EXPECT_THAT(error_of([&] { WordPieceTokenizer::load(folder()); }), HasSubstr("vocab.txt"));
  EXPECT_THAT(error_of([&] { WordPieceTokenizer::load(path("none")); }), HasSubstr("none"));
}

TEST_F(WordPieceFiles, RefuseAConfigThatIsWrong) {
  const std::string vocabulary = "[UNK]\n[CLS]\n[SEP]\n";
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "tokenizer_config.json: not a JSON object"},
      {"{\"do_lower_case\": 1}", "\"do_lower_case\" is 1, not true or false"},
      {"{\"unk_token\": 5}", "\"unk_token\" is 5, not a token"},
      {"{\"unk_token\": \"<unk>\"}", "lacks <unk>"},
      {"{\"additional_special_tokens\": [\"[X]\"]}", "lacks [X]"},
      {"{\"tokenizer_class\": \"RobertaTokenizer\"}", "is \"RobertaTokenizer\", not BertTokenizer"},
      {"{", "tokenizer_config.json:1"},
  };
  for (const auto& [config, message] : cases) {
    EXPECT_THAT(load_error(vocabulary, config), HasSubstr(message)) << config;
  }
}

// As the loader of `tokenizers`: white space at a line's end is no part of the token, an empty line
// has an id, and the last line needs no newline.
TEST_F(WordPieceFiles, ReadLinesAsHuggingFaceDoes) {
  write_file_atomically(path("vocab.txt"), "[UNK]\r\n[CLS]\n[SEP]\nhello \t\u00a0\n\nworld");
  const auto tokenizer = WordPieceTokenizer::load(folder());
  EXPECT_THAT(tokenizer.vocabulary(), ElementsAre("[UNK]", "[CLS]", "[SEP]", "hello", "", "world"));
  EXPECT_THAT(ids_of(tokenizer, "Hello World"), ElementsAre(3, 5));
}

TEST_F(WordPieceFiles, ReadTheOptions) {
  EXPECT_EQ(load_error("<u>\n[CLS]\n[SEP]\n<X>\nA\n",
                       R"({"do_lower_case": false, "strip_accents": true,
                           "tokenize_chinese_chars": false, "unk_token": {"content": "<u>"},
                           "added_tokens_decoder": {"3": {"content": "<X>"}, "1": {"content": "[CLS]"}},
                           "model_max_length": 1000000000000000019884624838656})"),
            "");
  const auto tokenizer = WordPieceTokenizer::load(folder());
  EXPECT_FALSE(tokenizer.options().lowercase);
  EXPECT_EQ(tokenizer.options().strip_accents, true);
  EXPECT_FALSE(tokenizer.options().split_chinese);
  EXPECT_THAT(ids_of(tokenizer, "A<X>a"), ElementsAre(4, 3, 0));
}

TEST_F(WordPieceFiles, ReadTheVocabularyThatTransformers5Saves) {
  write_file_atomically(path("tokenizer.json"), R"({
      "added_tokens": [{"id": 4, "content": "[MASK]"}, {"id": 0, "content": "[UNK]"}],
      "model": {"type": "WordPiece", "vocab": {"[UNK]": 0, "[CLS]": 1, "a": 3, "[SEP]": 2}}})");
  const auto tokenizer = WordPieceTokenizer::load(folder());
  EXPECT_THAT(tokenizer.vocabulary(), ElementsAre("[UNK]", "[CLS]", "[SEP]", "a", "[MASK]"));
  for (const char* broken :
       {"[]", "{}", R"({"model": {"type": "BPE", "vocab": {}}})",
        R"({"model": {"type": "WordPiece", "vocab": {"a": -1}}})",
        R"({"model": {"type": "WordPiece", "vocab": {"a": 4000000000}}})",
        R"({"model": {"type": "WordPiece", "vocab": {}}})",
        R"({"model": {"type": "WordPiece", "vocab": {}}, "added_tokens": 3})"}) {
    write_file_atomically(path("tokenizer.json"), broken);
    EXPECT_THAT(error_of([&] { WordPieceTokenizer::load(folder()); }), HasSubstr("tokenizer.json"))
        << broken;
  }
}

TEST_F(WordPieceFiles, ReadBackWhatWasSaved) {
  WordPieceOptions options;
  options.lowercase = false;
  options.strip_accents = true;
  options.more_special = {"the"};
  options.model_max_length = 77;
  const auto saved = small_tokenizer(options);
  saved.save(path("model"));
  const auto loaded = WordPieceTokenizer::load(path("model"));
  EXPECT_EQ(loaded.vocabulary(), saved.vocabulary());
  EXPECT_EQ(loaded.options().strip_accents, true);
  EXPECT_FALSE(loaded.options().lowercase);
  EXPECT_EQ(loaded.options().more_special, options.more_special);
  EXPECT_EQ(loaded.options().model_max_length, 77);
  const char* text = "The cat\u00fc bathed. [SEP]";
  EXPECT_EQ(ids_of(loaded, text), ids_of(saved, text));
}

TEST_F(WordPieceFiles, RefuseToSaveWhatNoLineCanHold) {
  for (const char* token : {"a\nb", "a "}) {
    const WordPieceTokenizer tokenizer({"[UNK]", "[CLS]", "[SEP]", token}, {});
    EXPECT_THAT(error_of([&] { tokenizer.save(folder()); }), HasSubstr("vocab.txt"));
    EXPECT_TRUE(names().empty());
  }
}

// Ids of Hugging Face's tokenizers, whose version stands in the file; see
// make_wordpiece_expectations.py.
TEST(WordPiece, GivesTheIdsOfHuggingFaceWithItsVocabularies) {
  const auto expected = nlohmann::json::parse(
      read_file(std::filesystem::path(BASIS_TEST_FILES) / "../data/wordpiece_expectations.json"));
  const auto load = [](const std::string& name) {
    std::vector<std::string> tokens;
    const std::string content = read_file(real_data("vocab/bert-base-" + name + "-vocab.txt"));
    for (std::size_t begin = 0; begin < content.size();) {
      const std::size_t end = std::min(content.find('\n', begin), content.size());
      tokens.push_back(content.substr(begin, end - begin));
      begin = end + 1;
    }
    return WordPieceTokenizer(std::move(tokens), {.lowercase = name == "uncased"});
  };
  if (!std::filesystem::exists(real_data("vocab"))) {
    GTEST_SKIP() << "set BASIS_DATA; no " << real_data("vocab");
  }
  const auto uncased = load("uncased");
  const auto cased = load("cased");
  for (const auto& entry : expected["texts"]) {
    const std::string text = entry["text"];
    EXPECT_EQ(ids_of(uncased, text), entry["uncased"].get<std::vector<std::int32_t>>()) << text;
    EXPECT_EQ(ids_of(cased, text), entry["cased"].get<std::vector<std::int32_t>>()) << text;
  }
  for (const auto& entry : expected["pairs"]) {
    const std::string first = entry["first"];
    const std::string second = entry["second"];
    const Encoding encoding = uncased.encode_pair(first, second, entry["max_length"]);
    EXPECT_EQ(encoding.ids, entry["ids"].get<std::vector<std::int32_t>>())
        << first << '|' << second;
    EXPECT_EQ(encoding.type_ids, entry["type_ids"].get<std::vector<std::int32_t>>());
  }
}

}  // namespace
}  // namespace basis
