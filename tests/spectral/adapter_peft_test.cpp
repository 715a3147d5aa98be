// LoRA between our model and folders that PEFT wrote (tests/oracle/folders).
#include "spectral/merged_adapters.h"
#include "spectral/peft_folder.h"
#include "tests/spectral/adapter_fixture.h"

namespace basis {
namespace {

using testing::HasSubstr;
using enum MatrixKind;

class PeftFolder : public AdapterFolder {
 protected:
  static AdapterMethod lora(std::vector<MatrixKind> targets) {
    AdapterMethod method;
    method.kind = AdapterMethod::Kind::Lora;
    method.rank = 3;
    method.alpha = 4.5;
    method.targets = std::move(targets);
    return method;
  }
  /// PEFT's own folder in path("a"), to be changed.
  void take_stored(const std::string& name) {
    std::filesystem::remove_all(path("a"));
    copy_folder(stored(name), path("a"));
  }
  std::string message_of_loading() {
    const Model model = base();
    const std::vector<Snapshot> before = snapshot(*model);
    std::string message = error_of([&] { load_adapter(backend(), memory(), path("a"), *model); });
    EXPECT_EQ(snapshot(*model), before) << message;
    return message;
  }
};

TEST_F(PeftFolder, GivesPeftsLogitsBySidePathAndMerged) {
  const std::map<std::string, std::size_t> targets = {
      {"lora", 2}, {"rslora", 2}, {"pissa", 2},      {"vera", 6},
      {"dora", 2}, {"ia3", 3},    {"ia3_default", 4}};
  for (const auto& [name, count] : targets) {
    SCOPED_TRACE(name);
    const AdapterInfo info = read_adapter_info(stored(name));
    EXPECT_EQ(info.head, "pooler");
    EXPECT_EQ(info.outputs, 3);
    const Model model = base(info.head, info.outputs);
    const AdapterMethod method = load_adapter(backend(), memory(), stored(name), *model);
    EXPECT_EQ(name_of(method.kind), name.substr(0, name.find('_')));
    EXPECT_EQ(method.targets.size(), count);
    std::vector<double> wanted;
    const nlohmann::json rows = expected().at("logits").at(name);
    for (const auto& row : rows) {
      for (const auto& logit : row) wanted.push_back(logit.get<double>());
    }
    // f32 on both sides; tests/oracle/README.md states the tolerance.
    const double tolerance = 1e-5 * oracle::largest_magnitude(wanted);
    oracle::expect_near(logits(*model), wanted, tolerance, name);
    MergedAdapters merged(backend(), memory(), *model);
    oracle::expect_near(logits(*model), wanted, tolerance, name);
  }
}

TEST_F(PeftFolder, ThatWeWroteComesBackBitForBit) {
  const std::vector<MatrixKind> choices[] = {
      {Query, Value}, {FfnOut}, {AttentionOutput}, {Query, FfnIn, FfnOut}, {}};
  for (const std::vector<MatrixKind>& targets : choices) {
    for (const char* head : {"pooler", "mean"}) {
      const Model saved = adapted(lora(targets), head);
      save_peft(path("a"), *saved, lora(targets), "tiny-classifier");
      const AdapterInfo info = read_adapter_info(path("a"));
      EXPECT_EQ(info.head, head);
      EXPECT_THAT(info.labels, testing::ElementsAre("calm", "glad", "wild"));
      EXPECT_EQ(info.problem_type, "single_label_classification");
      const Model loaded = base(head);
      load_adapter(backend(), memory(), path("a"), *loaded);
      EXPECT_EQ(snapshot(*loaded), snapshot(*saved));
      EXPECT_EQ(logits(*loaded), logits(*saved));
    }
  }
}

TEST_F(PeftFolder, WritesAlphaSoThatPeftsScaleIsOurs) {
  AdapterMethod method = lora({Query});
  method.alpha = 0;  // scale 1
  save_peft(path("a"), *adapted(method), method, "");
  const auto config = nlohmann::json::parse(read_file(path("a") / "adapter_config.json"));
  EXPECT_EQ(config.at("lora_alpha"), 3);
  EXPECT_EQ(config.at("r"), 3);
}

TEST_F(PeftFolder, ReadsTargetsByPeftsRules) {
  struct Case {
    const char* target_modules;
    std::vector<MatrixKind> kinds;
  };
  const Case cases[] = {
      {R"j(["query", "value"])j", {Query, Value}},
      {R"j(["output.dense"])j", {AttentionOutput, FfnOut}},
      {R"j(["attention.output.dense"])j", {AttentionOutput}},
      {R"j(["self.key", "intermediate.dense", "score"])j", {Key, FfnIn}},
      {R"j(["bert.encoder.layer.0.output.dense"])j", {FfnOut}},
      {R"j("(.*\\.attention\\.self\\.key)|(.*\\.\\d+\\.output\\.dense)")j", {Key, FfnOut}},
      {R"j(".*query")j", {Query}},
      {R"j(".*(query|key|value)$")j", {Query, Key, Value}},
  };
  for (const Case& test : cases) {
    take_stored("lora");
    change_config(path("a"), {{"target_modules", nlohmann::json::parse(test.target_modules)}});
    EXPECT_EQ(read_peft_info(path("a")).method.targets, test.kinds) << test.target_modules;
  }
}

TEST_F(PeftFolder, IsRefusedWithTheKeyThatIsNotPlainLora) {
  struct Damage {
    const char* patch;
    const char* message;
  };
  const Damage damages[] = {
      {R"j({"peft_type": "OFT"})j", "\"peft_type\" is \"OFT\"; LORA, VERA and IA3 are read"},
      {R"j({"peft_type": "IA3"})j", "\"feedforward_modules\" is missing"},
      {R"j({"peft_type": "VERA"})j", "has no base_model.vera_A"},
      {R"j({"peft_type": 3})j", "\"peft_type\" is 3, not a string"},
      {R"j({"task_type": "CAUSAL_LM"})j", "\"task_type\" is \"CAUSAL_LM\""},
      {R"j({"bias": "all"})j", "\"bias\" is \"all\""},
      {R"j({"use_dora": true})j", "query.lora_magnitude_vector, (24) by the adapter's settings"},
      {R"j({"use_dora": true, "use_rslora": true})j",
       "\"use_dora\" asks for dora in an adapter that"},
      {R"j({"init_lora_weights": "pissa", "use_dora": true})j",
       "asks for pissa in an adapter that is"},
      {R"j({"lora_bias": true})j", "\"lora_bias\" is set"},
      {R"j({"rank_pattern": {"query": 4}})j", "\"rank_pattern\" is set"},
      {R"j({"alpha_pattern": {"query": 4}})j", "\"alpha_pattern\" is set"},
      {R"j({"layers_to_transform": [0]})j", "\"layers_to_transform\" is set"},
      {R"j({"layers_to_transform": 0})j", "\"layers_to_transform\" is set"},
      {R"j({"exclude_modules": "x"})j", "\"exclude_modules\" is set"},
      {R"j({"init_lora_weights": "pissa_niter_4"})j", "changes the base weights"},
      {R"j({"r": 0})j", "\"r\" is 0, not an integer from 1"},
      {R"j({"r": 30})j", "rank 30 is not between 1 and 24"},
      {R"j({"r": 4})j", "is (3, 24), the adapter's settings and the model want (4, 24)"},
      {R"j({"lora_alpha": 0})j", "\"lora_alpha\" is not positive"},
      {R"j({"lora_alpha": 4e38})j", "\"lora_alpha\" makes a scale beyond f32"},
      {R"j({"lora_dropout": 1.5})j", "\"lora_dropout\" is outside [0, 1)"},
      {R"j({"use_rslora": "yes"})j", "\"use_rslora\" is \"yes\", not true or false"},
      {R"j({"basis_head": "cls"})j", "\"basis_head\" is neither"},
      {R"j({"target_modules": null})j", "\"target_modules\" is missing"},
      {R"j({"target_modules": ["q_proj"]})j", "matches none of the six matrices"},
      {R"j({"target_modules": ["query", "key", "value"]})j", "lacks base_model.model.bert.encoder"},
      {R"j({"target_modules": ["query"]})j", "self.value.lora_A.weight has no place"},
      {R"j({"target_modules": ".*\\.0\\..*\\.(query|value)"})j", "other matrices in layer 1"},
      {R"j({"target_modules": "(.*"})j", "is no regular expression"},
      {R"j({"target_modules": "(?P<x>.*)query"})j", "is no regular expression"},
      {R"j({"target_modules": "((x{999}){999}){999}"})j", "is no regular expression"},
      // Steps without end for a matcher that backtracks.
      {R"j({"target_modules": "((((.*)*)*)*)*!"})j", "matches none of the six matrices"},
  };
  for (const Damage& damage : damages) {
    take_stored("lora");
    change_config(path("a"), nlohmann::json::parse(damage.patch));
    EXPECT_THAT(message_of_loading(), HasSubstr(damage.message)) << damage.patch;
  }
  take_stored("lora");
  change_config(path("a"), {{"target_modules", std::string(1001, 'x')}});
  EXPECT_THAT(message_of_loading(), HasSubstr("over 1000 characters"));
}

TEST_F(PeftFolder, OfIa3IsRefusedWhereItScalesTheOtherSide) {
  take_stored("ia3");
  change_config(path("a"), {{"feedforward_modules", {"key", "output.dense"}}});
  EXPECT_THAT(message_of_loading(), HasSubstr("\"feedforward_modules\" scales the input of "
                                              "attention.self.key in layer 0"));
  change_config(path("a"), {{"feedforward_modules", nlohmann::json::array()}});
  EXPECT_THAT(message_of_loading(), HasSubstr("scales the output of output.dense in layer 0"));
  change_config(path("a"), {{"feedforward_modules", ".*layer.0.output.dense"}});
  EXPECT_THAT(message_of_loading(), HasSubstr("scales the output of output.dense in layer 1"));
}

TEST_F(PeftFolder, IsRefusedWithoutTheClassifier) {
  take_stored("lora");
  change_tensors(path("a"), [](Tensors& tensors) {
    std::erase_if(tensors, [](const auto& tensor) {
      return tensor.first == "base_model.model.classifier.weight";
    });
  });
  EXPECT_THAT(message_of_loading(), HasSubstr("has no matrix base_model.model.classifier.weight"));
}

// PEFT stores the projections or draws them by PyTorch's generator, which is not ours.
TEST_F(PeftFolder, IsRefusedWhereVerasProjectionsAreNotStored) {
  take_stored("vera");
  change_tensors(path("a"), [](Tensors& tensors) {
    std::erase_if(tensors, [](const auto& tensor) {
      return tensor.first == "base_model.vera_A" || tensor.first == "base_model.vera_B";
    });
  });
  change_config(path("a"), {{"save_projection", false}});
  EXPECT_THAT(message_of_loading(),
              HasSubstr("save the adapter again with save_projection = true"));
}

AdapterMethod of_kind(AdapterMethod::Kind kind,
                      AdapterMethod::Form form = AdapterMethod::Form::Core) {
  AdapterMethod method;
  method.kind = kind;
  method.form = form;
  method.rank = 3;
  method.alpha = has_alpha(kind) ? 4.5 : 0;
  return method;
}

TEST_F(PeftFolder, OfItsOtherMethodsComesBackBitForBit) {
  using Kind = AdapterMethod::Kind;
  for (const Kind kind : {Kind::RsLora, Kind::Vera, Kind::Dora, Kind::Ia3}) {
    const AdapterMethod method = of_kind(kind);
    const Model saved = base("mean");
    attach(backend(), memory(), *saved, method);
    for (Parameter* parameter : saved->parameters().trainable()) {
      parameter->set_value(random_tensor(backend(), memory(), parameter->shape(), DType::F32, 7,
                                         parameter->name(), 0.3));
    }
    save_peft(path("a"), *saved, method, "");
    const Model loaded = base("mean");
    EXPECT_EQ(load_adapter(backend(), memory(), path("a"), *loaded).kind, kind);
    EXPECT_EQ(snapshot(*loaded), snapshot(*saved));
    EXPECT_EQ(logits(*loaded), logits(*saved));
  }
}

// PEFT lacks these; the LoRA of the same change is none the less an adapter that it loads.
TEST_F(PeftFolder, OfOtherProductsIsAnEqualLora) {
  using Kind = AdapterMethod::Kind;
  using Form = AdapterMethod::Form;
  AdapterMethod shared = of_kind(Kind::Pica);
  shared.shares_factors = true;
  AdapterMethod whole = of_kind(Kind::Spectral, Form::Diagonal);
  whole.rank = 0;
  const AdapterMethod methods[] = {of_kind(Kind::Pissa),
                                   of_kind(Kind::LoraXs),
                                   of_kind(Kind::Pica),
                                   shared,
                                   of_kind(Kind::Spectral, Form::Core),
                                   of_kind(Kind::Spectral, Form::Band),
                                   of_kind(Kind::Spectral, Form::Diagonal),
                                   whole};
  for (const AdapterMethod& method : methods) {
    SCOPED_TRACE(name_of(method.kind));
    const Model saved = adapted(method);
    save_peft(path("a"), *saved, method, "");
    const Model loaded = base();
    const AdapterMethod as = load_adapter(backend(), memory(), path("a"), *loaded);
    EXPECT_EQ(as.kind, Kind::Lora);
    EXPECT_EQ(as.rank, method.kind == Kind::Pissa ? 6 : method.rank == 0 ? 24 : 3);
    if (method.kind == Kind::Pissa) {
      EXPECT_EQ(as.alpha, 9) << "doubled";
    }
    // Products of f32 in another order; logits of order 1 to 10.
    const std::vector<double> wanted = logits(*saved);
    oracle::expect_near(logits(*loaded), wanted, 1e-5 * oracle::largest_magnitude(wanted),
                        "logits");
    EXPECT_NE(logits(*loaded), logits(*base()));
  }
}

TEST_F(PeftFolder, IsNotMadeOfAMethodWithoutAnAdapter) {
  AdapterMethod method;
  method.kind = AdapterMethod::Kind::BitFit;
  const Model model = adapted(method);
  EXPECT_THAT(error_of([&] { save_peft(path("a"), *model, method, ""); }),
              HasSubstr("PEFT has no folder format for a bitfit adapter"));
  EXPECT_FALSE(std::filesystem::exists(path("a")));
}

}  // namespace
}  // namespace basis
