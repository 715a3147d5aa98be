#include "nn/bert_config.h"

#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "tensor/file.h"
#include "tests/tensor/file_fixture.h"

namespace basis {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// A small classifier's config.json as transformers 5.23 saves it.
json saved_by_transformers() {
  return json::parse(R"({
    "add_cross_attention": false,
    "architectures": ["BertForSequenceClassification"],
    "attention_probs_dropout_prob": 0.1,
    "bos_token_id": null,
    "classifier_dropout": null,
    "dtype": "float32",
    "eos_token_id": null,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.2,
    "hidden_size": 8,
    "id2label": {"0": "no", "1": "yes", "2": "maybe"},
    "initializer_range": 0.02,
    "intermediate_size": 16,
    "is_decoder": false,
    "label2id": {"no": 0, "yes": 1, "maybe": 2},
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 2,
    "num_hidden_layers": 3,
    "pad_token_id": 0,
    "problem_type": "single_label_classification",
    "tie_word_embeddings": true,
    "transformers_version": "5.23.0",
    "type_vocab_size": 2,
    "use_cache": true,
    "vocab_size": 50
  })");
}

/// The same with `key` set to the JSON `value`; an empty value removes the key.
BertConfig parse_with(const std::string& key, const std::string& value) {
  json object = saved_by_transformers();
  if (value.empty()) {
    object.erase(key);
  } else {
    object[key] = json::parse(value);
  }
  return BertConfig::parse(object.dump(), "m/config.json");
}

TEST(BertConfig, ReadsWhatTransformersSaved) {
  const BertConfig config = BertConfig::parse(saved_by_transformers().dump(), "config.json");
  EXPECT_EQ(config.vocab_size, 50);
  EXPECT_EQ(config.hidden_size, 8);
  EXPECT_EQ(config.num_hidden_layers, 3);
  EXPECT_EQ(config.num_attention_heads, 2);
  EXPECT_EQ(config.intermediate_size, 16);
  EXPECT_EQ(config.max_position_embeddings, 512);
  EXPECT_EQ(config.type_vocab_size, 2);
  EXPECT_EQ(config.hidden_act, Activation::GeluErf);
  EXPECT_EQ(config.hidden_dropout_prob, 0.2);
  EXPECT_EQ(config.attention_probs_dropout_prob, 0.1);
  EXPECT_EQ(config.classifier_dropout, std::nullopt);
  EXPECT_EQ(config.layer_norm_eps, 1e-12);
  EXPECT_EQ(config.initializer_range, 0.02);
  EXPECT_EQ(config.pad_token_id, 0);
  EXPECT_THAT(config.architectures, ElementsAre("BertForSequenceClassification"));
  EXPECT_THAT(config.labels, ElementsAre("no", "yes", "maybe"));
  EXPECT_EQ(config.problem_type, "single_label_classification");
}

TEST(BertConfig, ReadsTheRealModel) {
  const auto folder = real_data("weights/minilm-l6-h384-uncased");
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "set BASIS_DATA; no " << folder;
  const BertConfig config = BertConfig::read(folder);
  EXPECT_EQ(config.hidden_size, 384);
  EXPECT_EQ(config.num_hidden_layers, 6);
  EXPECT_EQ(config.head, "mean");
  EXPECT_TRUE(config.labels.empty());
}

TEST(BertConfig, TakesTheHeadFromTheFileElseFromTheArchitecture) {
  EXPECT_EQ(parse_with("basis_head", "").head, "pooler");
  EXPECT_EQ(parse_with("architectures", "[\"BertModel\"]").head, "mean");
  EXPECT_EQ(parse_with("architectures", "").head, "mean");
  EXPECT_EQ(parse_with("architectures", "null").head, "mean");
  EXPECT_EQ(parse_with("basis_head", "\"mean\"").head, "mean");
  EXPECT_EQ(parse_with("basis_head", "\"pooler\"").head, "pooler");
}

TEST(BertConfig, KnowsTheActivationsByAllTheirNames) {
  EXPECT_EQ(parse_with("hidden_act", "\"gelu_new\"").hidden_act, Activation::GeluTanh);
  EXPECT_EQ(parse_with("hidden_act", "\"gelu_pytorch_tanh\"").hidden_act, Activation::GeluTanh);
  EXPECT_EQ(parse_with("hidden_act", "\"relu\"").hidden_act, Activation::Relu);
}

TEST(BertConfig, FillsInWhatOlderFilesDoNotSay) {
  for (const char* key : {"model_type", "initializer_range", "pad_token_id", "id2label",
                          "problem_type", "is_decoder", "classifier_dropout"}) {
    EXPECT_NO_THROW(parse_with(key, "")) << key;
  }
  EXPECT_EQ(parse_with("initializer_range", "").initializer_range, 0.02);
}

TEST(BertConfig, ReadsBackEveryFieldThatItWrites) {
  BertConfig config;
  config.vocab_size = 101;
  config.hidden_size = 30;
  config.num_hidden_layers = 5;
  config.num_attention_heads = 3;
  config.intermediate_size = 17;
  config.max_position_embeddings = 40;
  config.type_vocab_size = 4;
  config.hidden_act = Activation::GeluTanh;
  config.hidden_dropout_prob = 0.25;
  config.attention_probs_dropout_prob = 1.0 / 3;
  config.classifier_dropout = 0.0;
  config.layer_norm_eps = 1e-7;
  config.initializer_range = 0.1;
  config.pad_token_id = 100;
  config.architectures = {"BertForSequenceClassification"};
  config.head = "mean";
  // Twelve: as text "10" comes before "2".
  for (int i = 0; i < 12; ++i) config.labels.push_back("\"ü\" " + std::to_string(i * 7));
  config.problem_type = "multi_label_classification";
  EXPECT_EQ(BertConfig::parse(config.to_json(), ""), config);
  config.architectures = {"BertForMaskedLM"};
  EXPECT_EQ(BertConfig::parse(config.to_json(), ""), config);
  config.head = "pooler";
  EXPECT_EQ(BertConfig::parse(config.to_json(), ""), config);
  EXPECT_EQ(BertConfig::parse(BertConfig().to_json(), ""), BertConfig());
}

BertConfig config_of_patches() {
  BertConfig config;
  config.patch_size = 7;
  config.vocab_size = config.type_vocab_size = 0;
  config.max_position_embeddings = 16;
  return config;
}

TEST(BertConfig, OfPatchesHasNeitherWordsNorTypesNorAPooler) {
  BertConfig config = config_of_patches();
  EXPECT_EQ(BertConfig::parse(config.to_json(), ""), config);
  EXPECT_FALSE(json::parse(BertConfig().to_json()).contains("basis_patch_size"));
  const std::int64_t layer = 4 * 769 * 768 + 769 * 3072 + 3073 * 768 + 4 * 768;
  EXPECT_EQ(config.parameter_count(), (49 + 1 + 16 + 2) * 768 + 12 * layer);
}

TEST(BertConfig, OfPatchesRefusesWhatBelongsToText) {
  const auto refused = [](auto change) {
    BertConfig config = config_of_patches();
    change(config);
    return error_of([&] { config.validate("m"); });
  };
  EXPECT_THAT(refused([](BertConfig& c) { c.patch_size = -1; }),
              HasSubstr("m: \"basis_patch_size\" is -1, not from 1 to 1024"));
  EXPECT_THAT(refused([](BertConfig& c) { c.vocab_size = 30522; }),
              HasSubstr("m: \"vocab_size\" is 30522, not 0: with basis_patch_size 7"));
  EXPECT_THAT(refused([](BertConfig& c) { c.type_vocab_size = 2; }),
              HasSubstr("\"type_vocab_size\" is 2, not 0"));
  EXPECT_THAT(refused([](BertConfig& c) { c.head = "pooler"; }),
              HasSubstr("\"basis_head\" is \"pooler\", which reads [CLS]"));
}

TEST(BertConfig, WritesWhatTransformersLooksFor) {
  BertConfig config;
  config.labels = {"no", "yes"};
  const json object = json::parse(config.to_json());
  EXPECT_EQ(object["model_type"], "bert");
  EXPECT_EQ(object["torch_dtype"], "float32");
  EXPECT_EQ(object["id2label"], (json{{"0", "no"}, {"1", "yes"}}));
  EXPECT_EQ(object["label2id"], (json{{"no", 0}, {"yes", 1}}));
  EXPECT_FALSE(object.contains("problem_type"));
}

TEST(BertConfig, DoesNotWriteALabelThatIsNotUtf8) {
  BertConfig config;
  config.labels = {"\xff"};
  EXPECT_THAT(error_of([&] { config.to_json(); }), HasSubstr("not UTF-8"));
}

class RequiredKey : public testing::TestWithParam<const char*> {};

TEST_P(RequiredKey, IsNamedWhereItIsMissingNullOrOfAnotherType) {
  const std::string key = GetParam();
  const auto message = [&](const std::string& value) {
    return error_of([&] { parse_with(key, value); });
  };
  EXPECT_EQ(message(""), "m/config.json: \"" + key + "\" is missing");
  EXPECT_EQ(message("null"), "m/config.json: \"" + key + "\" is null");
  for (const char* value : {"[8]", "{}", "true"}) {
    EXPECT_THAT(message(value), AllOf(HasSubstr("\"" + key + "\" is "), HasSubstr(", not a")))
        << value;
  }
  EXPECT_THAT(message(key == "hidden_act" ? "8" : "\"8\""), HasSubstr(", not a"));
}

INSTANTIATE_TEST_SUITE_P(Each, RequiredKey,
                         testing::Values("vocab_size", "hidden_size", "num_hidden_layers",
                                         "num_attention_heads", "intermediate_size",
                                         "max_position_embeddings", "type_vocab_size", "hidden_act",
                                         "hidden_dropout_prob", "attention_probs_dropout_prob",
                                         "layer_norm_eps"),
                         [](const auto& each) { return std::string(each.param); });

class Size : public testing::TestWithParam<const char*> {};

TEST_P(Size, IsRefusedWhereItIsZeroNegativeEnormousOrAFraction) {
  const std::string key = GetParam();
  for (const char* value : {"0", "-8", "100000000", "9223372036854775807", "-9223372036854775808",
                            "18446744073709551615", "1e300", "8.5"}) {
    EXPECT_THAT(error_of([&] { parse_with(key, value); }),
                testing::StartsWith("m/config.json: \"" + key + "\" is "))
        << value;
  }
}

INSTANTIATE_TEST_SUITE_P(Each, Size,
                         testing::Values("vocab_size", "hidden_size", "num_hidden_layers",
                                         "num_attention_heads", "intermediate_size",
                                         "max_position_embeddings", "type_vocab_size"),
                         [](const auto& each) { return std::string(each.param); });

class Share : public testing::TestWithParam<const char*> {};

TEST_P(Share, IsRefusedWhereItIsNegativeOneOrMore) {
  const std::string key = GetParam();
  for (const char* value : {"-0.1", "1", "1.5", "1e300"}) {
    EXPECT_THAT(error_of([&] { parse_with(key, value); }),
                testing::StartsWith("m/config.json: \"" + key + "\" is "))
        << value;
  }
}

INSTANTIATE_TEST_SUITE_P(Each, Share,
                         testing::Values("hidden_dropout_prob", "attention_probs_dropout_prob",
                                         "classifier_dropout", "layer_norm_eps",
                                         "initializer_range"),
                         [](const auto& each) { return std::string(each.param); });

struct BadValue {
  const char* name;
  const char* key;
  const char* value;
  const char* reason;
};

class BadConfig : public testing::TestWithParam<BadValue> {};

TEST_P(BadConfig, IsRefusedWithFileKeyAndReason) {
  const BadValue& bad = GetParam();
  EXPECT_THAT(error_of([&] { parse_with(bad.key, bad.value); }),
              AllOf(testing::StartsWith("m/config.json: \"" + std::string(bad.key)),
                    HasSubstr(bad.reason)));
}

const BadValue bad_values[] = {
    {"ActivationUnknown", "hidden_act", "\"swish\"", "known are \"gelu\", \"gelu_new\""},
    {"ActivationOfAHeadOnly", "hidden_act", "\"tanh\"", "known are"},
    {"ActivationOfShares", "hidden_act", "\"sigmoid\"", "known are"},
    {"RelativePositions", "position_embedding_type", "\"relative_key\"", "only \"absolute\""},
    {"PositionsOfAnotherType", "position_embedding_type", "1", "not a string"},
    {"AnotherModel", "model_type", "\"roberta\"", "is \"roberta\"; only \"bert\""},
    {"Decoder", "is_decoder", "true", "a decoder is not supported"},
    {"CrossAttention", "add_cross_attention", "true", "a decoder is not supported"},
    {"DecoderOfAnotherType", "is_decoder", "1", "not true or false"},
    {"HeadsThatDoNotDivide", "num_attention_heads", "3", "does not divide hidden_size 8"},
    {"EpsilonOfZero", "layer_norm_eps", "0", "not from"},
    {"PaddingBeyondTheVocabulary", "pad_token_id", "50", "not below vocab_size 50"},
    {"PaddingNegative", "pad_token_id", "-1", "is -1, not below vocab_size 50"},
    {"PaddingBeyond32Bits", "pad_token_id", "4294967296", "is 4294967296, not an integer from -"},
    {"HeadUnknown", "basis_head", "\"max\"", "is \"max\"; known are mean, pooler"},
    {"HeadOfAnotherType", "basis_head", "1", "not a string"},
    {"ProblemUnknown", "problem_type", "\"ranking\"", "known are"},
    {"ArchitecturesThatAreAText", "architectures", "\"BertModel\"", "not a list of strings"},
    {"ArchitecturesOfNumbers", "architectures", "[1]", "[0]\" is 1, not a string"},
    {"LabelsInAList", "id2label", "[\"a\"]", "is a list, not an object"},
    {"LabelsWithAHole", "id2label", "{\"0\": \"a\", \"2\": \"b\"}", "2 labels but none for \"1\""},
    {"LabelsThatAreNumbers", "id2label", "{\"0\": 5}", ".0\" is 5, not a string"},
    {"LabelsTwice", "id2label", "{\"0\": \"a\", \"1\": \"a\"}", "the label \"a\" twice"},
};

INSTANTIATE_TEST_SUITE_P(Each, BadConfig, testing::ValuesIn(bad_values),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(BertConfig, RefusesSizesThatAreAllowedAloneButNotTogether) {
  json object = saved_by_transformers();
  object["hidden_size"] = 65536;
  object["num_hidden_layers"] = 1000;
  EXPECT_THAT(error_of([&] { BertConfig::parse(object.dump(), "c"); }), HasSubstr("parameters"));
}

TEST(BertConfig, RefusesWhatIsNotAJsonObject) {
  EXPECT_THAT(error_of([] { BertConfig::parse("[]", "c.json"); }), "c.json: not a JSON object");
  EXPECT_THAT(error_of([] { BertConfig::parse("{\n\"a\": NaN}", "c.json"); }),
              testing::StartsWith("c.json:2: "));
  EXPECT_THAT(error_of([] { BertConfig::read("/nonexistent"); }),
              HasSubstr("/nonexistent/config.json: no such file"));
}

TEST(BertConfig, ValidateRefusesActivationsThatAreForHeadsAndShares) {
  BertConfig config;
  for (const Activation kind : {Activation::Tanh, Activation::Sigmoid}) {
    config.hidden_act = kind;
    EXPECT_EQ(error_of([&] { config.validate("[model]"); }),
              std::string("[model]: \"hidden_act\" is ") + name_of(kind) +
                  "; known are gelu, gelu_new and relu");
  }
}

TEST(BertConfig, ValidateRefusesWhatIsNotANumber) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (double BertConfig::*field :
       {&BertConfig::hidden_dropout_prob, &BertConfig::attention_probs_dropout_prob,
        &BertConfig::layer_norm_eps, &BertConfig::initializer_range}) {
    for (const double value : {nan, HUGE_VAL, -HUGE_VAL}) {
      BertConfig config;
      config.*field = value;
      EXPECT_THAT(error_of([&] { config.validate("[model]"); }), testing::StartsWith("[model]: "));
    }
  }
  EXPECT_NO_THROW(BertConfig().validate(""));
}

}  // namespace
}  // namespace basis
