#include "spectral/adapter_file.h"

#include <limits>

#include "spectral/fingerprint.h"
#include "spectral/merged_adapters.h"
#include "tests/spectral/adapter_fixture.h"

namespace basis {
namespace {

using testing::HasSubstr;
using Kind = AdapterMethod::Kind;
using Form = AdapterMethod::Form;

AdapterMethod method_of(Kind kind, Form form = Form::Core, BasisKind basis = BasisKind::Leading) {
  AdapterMethod method;
  method.kind = kind;
  method.rank = 3;
  method.form = form;
  method.basis = basis;
  return method;
}

AdapterMethod lora() {
  AdapterMethod method = method_of(Kind::Lora);
  method.alpha = 7.5;
  method.dropout = 0.125;
  method.seed = 0xffffffffffffffff;
  method.targets = {MatrixKind::FfnOut, MatrixKind::Query};
  return method;
}

AdapterMethod scaled(Kind kind) {
  AdapterMethod method = lora();
  method.kind = kind;
  return method;
}

AdapterMethod shared_pica() {
  AdapterMethod method = method_of(Kind::Pica);
  method.shares_factors = true;
  return method;
}

/// With more directions than the matrices have.
AdapterMethod wide_vera() {
  AdapterMethod method = method_of(Kind::Vera);
  method.rank = 100;
  return method;
}

AdapterMethod ia3_on_all() {
  AdapterMethod method = method_of(Kind::Ia3);
  method.targets.assign(std::begin(all_matrix_kinds), std::end(all_matrix_kinds));
  return method;
}

struct RoundTrip {
  const char* name;
  AdapterMethod method;
  const char* head;
};
void PrintTo(const RoundTrip& test, std::ostream* out) {
  *out << test.name;
}

class AdapterRoundTrip : public AdapterFolder, public testing::WithParamInterface<RoundTrip> {};

TEST_P(AdapterRoundTrip, GivesEveryParameterAndLogitBackBitForBit) {
  const Model saved = adapted(GetParam().method, GetParam().head);
  save_adapter(path("a"), *saved, GetParam().method);
  const Model loaded = base(GetParam().head);
  const AdapterMethod method = load_adapter(backend(), memory(), path("a"), *loaded);
  EXPECT_EQ(snapshot(*loaded), snapshot(*saved));
  EXPECT_EQ(logits(*loaded), logits(*saved));
  EXPECT_NE(logits(*loaded), logits(*base(GetParam().head)));
  // What was loaded can be saved again, to the same bytes.
  save_adapter(path("b"), *loaded, method);
  for (const char* file : {"adapter_config.json", "adapter_model.safetensors"}) {
    EXPECT_EQ(read_file(path("b") / file), read_file(path("a") / file));
  }
}

TEST_P(AdapterRoundTrip, GivesTheSameLogitsMerged) {
  save_adapter(path("a"), *adapted(GetParam().method, GetParam().head), GetParam().method);
  const Model loaded = base(GetParam().head);
  load_adapter(backend(), memory(), path("a"), *loaded);
  const std::vector<double> unmerged = logits(*loaded);
  MergedAdapters merged(backend(), memory(), *loaded);
  // Sums of at most 40 products through 2 layers, logits of order 1: some 100 roundings of 6e-8.
  oracle::expect_near(logits(*loaded), unmerged, 1e-5, "merged logits");
}

INSTANTIATE_TEST_SUITE_P(
    Methods, AdapterRoundTrip,
    testing::Values(
        RoundTrip{"head", method_of(Kind::Head), "pooler"},
        RoundTrip{"bitfit", method_of(Kind::BitFit), "mean"},
        RoundTrip{"norms", method_of(Kind::Norms), "mean"}, RoundTrip{"lora", lora(), "mean"},
        RoundTrip{"lora_pooler", lora(), "pooler"},
        RoundTrip{"diagonal", method_of(Kind::Spectral, Form::Diagonal), "mean"},
        RoundTrip{"band", method_of(Kind::Spectral, Form::Band, BasisKind::Trailing), "pooler"},
        RoundTrip{"core", method_of(Kind::Spectral, Form::Core, BasisKind::Random), "mean"},
        RoundTrip{"rslora", scaled(Kind::RsLora), "mean"},
        RoundTrip{"pissa", scaled(Kind::Pissa), "mean"},
        RoundTrip{"lora_xs", scaled(Kind::LoraXs), "pooler"},
        RoundTrip{"pica", method_of(Kind::Pica, Form::Core, BasisKind::Random), "mean"},
        RoundTrip{"pica_shared", shared_pica(), "mean"},
        RoundTrip{"vera", method_of(Kind::Vera), "mean"},
        RoundTrip{"vera_above_rank", wide_vera(), "mean"},
        RoundTrip{"dora", scaled(Kind::Dora), "mean"},
        RoundTrip{"ia3", method_of(Kind::Ia3), "pooler"},
        RoundTrip{"ia3_all", ia3_on_all(), "mean"}),
    [](const auto& test) { return test.param.name; });

TEST_F(AdapterFolder, TellsHowToBuildTheModelBeforeItIsBuilt) {
  save_adapter(folder(), *adapted(lora(), "mean"), lora());
  const AdapterInfo info = read_adapter_info(folder());
  EXPECT_EQ(info.head, "mean");
  EXPECT_EQ(info.outputs, 3);
  EXPECT_THAT(info.labels, testing::ElementsAre("calm", "glad", "wild"));
  EXPECT_EQ(info.problem_type, "single_label_classification");
  EXPECT_EQ(info.method.kind, Kind::Lora);
  EXPECT_EQ(info.method.rank, 3);
  EXPECT_EQ(info.method.alpha, 7.5);
  EXPECT_EQ(info.method.dropout, 0.125);
  EXPECT_EQ(info.method.seed, 0xffffffffffffffff);
  EXPECT_THAT(info.method.targets, testing::ElementsAre(MatrixKind::Query, MatrixKind::FfnOut));
  EXPECT_EQ(info.base_fingerprint, fingerprint_of_encoder(*base()));
}

TEST_F(AdapterFolder, FingerprintIsOfTheEncoderAlone) {
  const Model model = base("mean");
  const std::string before = fingerprint_of_encoder(*model);
  EXPECT_EQ(fingerprint_of_encoder(*base("pooler")), before) << "the head uses the pooler";
  EXPECT_EQ(fingerprint_of_encoder(*adapted(lora())), before) << "with an adapter";
  const auto move = [](Parameter& parameter) {
    parameter.value().data<float>()[parameter.count() - 1] += 0.5f;
  };
  move(model->parameters().at("encoder.layer.1.output.dense.bias"));
  EXPECT_NE(fingerprint_of_encoder(*model), before);
  EXPECT_EQ(fingerprint_under(*model, Kind::BitFit), fingerprint_under(*base(), Kind::BitFit));
  EXPECT_NE(fingerprint_under(*model, Kind::Norms), fingerprint_under(*base(), Kind::Norms));
  move(model->parameters().at("encoder.layer.1.output.dense.weight"));
  EXPECT_NE(fingerprint_under(*model, Kind::BitFit), fingerprint_under(*base(), Kind::BitFit));
}

TEST_F(AdapterFolder, IsLoadedWithoutAnSvd) {
  // A weight that has no SVD.
  auto broken_base = [this] {
    Model model = base();
    Parameter& weight = model->parameters().at("encoder.layer.0.attention.self.query.weight");
    weight.value().data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    return model;
  };
  const AdapterMethod method = method_of(Kind::Spectral);
  const Model saved = broken_base();
  ASSERT_NE(error_of([&] {
              const Parameter& broken =
                  saved->parameters().at("encoder.layer.0.attention.self.query.weight");
              basis_of_weight({broken.name(), broken.value()}, BasisKind::Leading, 3, 0);
            }),
            "");
  attach(backend(), memory(), *saved, method,
         [](const HostWeight& weight, BasisKind, std::int64_t k, std::uint64_t seed) {
           return Basis{random_orthonormal(weight.value.shape()[0], k, seed),
                        random_orthonormal(weight.value.shape()[1], k, seed),
                        {}};
         });
  save_adapter(folder(), *saved, method);
  const Model loaded = broken_base();
  load_adapter(backend(), memory(), folder(), *loaded);
  const char* u = "encoder.layer.0.attention.self.query.spectral_U";
  EXPECT_EQ(to_host<float>(backend(), loaded->parameters().at(u).value()),
            to_host<float>(backend(), saved->parameters().at(u).value()));
}

// ---- What is refused ----------------------------------------------------------------------------

class BadAdapter : public AdapterFolder {
 protected:
  /// A whole folder of a core adapter, to be damaged.
  std::filesystem::path saved() {
    const AdapterMethod method = method_of(Kind::Spectral);
    save_adapter(path("a"), *adapted(method, "mean"), method);
    return path("a");
  }
  /// The message of loading, which leaves the model as it was.
  std::string message_of_loading(const Model& model) {
    const std::vector<Snapshot> before = snapshot(*model);
    std::string message = error_of([&] { load_adapter(backend(), memory(), path("a"), *model); });
    EXPECT_EQ(snapshot(*model), before) << message;
    return message;
  }
  std::string message_of_loading() { return message_of_loading(base("mean")); }
};

TEST_F(BadAdapter, NamesBothFingerprintsWhenMadeOnAnotherEncoder) {
  saved();
  const Model other = base("mean");
  other->parameters().at("encoder.layer.0.output.dense.weight").value().data<float>()[0] += 1;
  EXPECT_THAT(message_of_loading(other), testing::AllOf(HasSubstr(fingerprint_of_encoder(*base())),
                                                        HasSubstr(fingerprint_of_encoder(*other)),
                                                        HasSubstr("2 layers of width 24")));
}

TEST_F(BadAdapter, IsRefusedWithAnotherHeadOrNumberOfOutputs) {
  saved();
  EXPECT_THAT(message_of_loading(base("pooler")),
              HasSubstr("has a mean head with 3 outputs, the model a pooler head with 3"));
  EXPECT_THAT(message_of_loading(base("mean", 2)), HasSubstr("the model a mean head with 2"));
}

TEST_F(BadAdapter, IsRefusedOnAModelThatHasOne) {
  saved();
  EXPECT_THAT(message_of_loading(adapted(lora(), "mean")), HasSubstr("has an adapter already"));
}

TEST_F(BadAdapter, NamesTheFileThatIsMissingOrCut) {
  EXPECT_THAT(message_of_loading(), HasSubstr("adapter_config.json"));
  const std::filesystem::path tensors = saved() / "adapter_model.safetensors";
  std::filesystem::resize_file(tensors, std::filesystem::file_size(tensors) - 1);
  EXPECT_THAT(message_of_loading(), HasSubstr("adapter_model.safetensors"));
  std::filesystem::remove(tensors);
  EXPECT_THAT(message_of_loading(), HasSubstr("adapter_model.safetensors"));
  write_file_atomically(path("a") / "adapter_model.bin", "");
  EXPECT_THAT(message_of_loading(), HasSubstr("adapter_model.bin is not read"));
}

TEST_F(BadAdapter, NamesTheTensorThatIsMissingUnknownOrOfAnotherShape) {
  saved();
  const std::string core = "encoder.layer.0.attention.self.query.spectral_core";
  auto find = [&](Tensors& tensors) {
    return std::find_if(tensors.begin(), tensors.end(),
                        [&](const auto& tensor) { return tensor.first == core; });
  };
  change_tensors(path("a"), [&](Tensors& tensors) {
    find(tensors)->second = find(tensors)->second.reshape({9});
  });
  EXPECT_THAT(message_of_loading(),
              HasSubstr(core + " is (9), the adapter's settings and the model want (3, 3)"));
  change_tensors(path("a"), [&](Tensors& tensors) { find(tensors)->first = "mine"; });
  EXPECT_THAT(message_of_loading(), HasSubstr("lacks " + core + ", (3, 3)"));
  std::filesystem::remove_all(path("a"));
  saved();
  change_tensors(path("a"),
                 [&](Tensors& tensors) { tensors.emplace_back("mine", tensors[0].second); });
  EXPECT_THAT(message_of_loading(), HasSubstr("mine has no place"));
}

TEST_F(BadAdapter, NamesTheKeyOfTheConfig) {
  struct Damage {
    const char* patch;
    const char* message;
  };
  const Damage damages[] = {
      {R"({"basis_adapter": null})", "neither our \"basis_adapter\" nor PEFT's \"peft_type\""},
      {R"({"basis_adapter": 2})", "\"basis_adapter\" is 2, not an integer from 1 to 1"},
      {R"({"kind": "full"})", "\"kind\" is \"full\", which has no adapter"},
      {R"({"rank": null})", "\"rank\" is missing"},
      {R"({"rank": 0})", "\"basis_file\" is missing"},
      {R"({"rank": 18446744073709551615})", "is 18446744073709551615, not an integer from 0"},
      {R"({"rank": 25})", "rank 25 is not between 1 and 24, the rank of"},
      {R"({"form": "band", "bandwidth": 3})", "\"bandwidth\" is 3, not an integer from 0 to 2"},
      {R"({"form": 3})", "\"form\" is 3, not a string"},
      {R"({"basis": "best"})", "known are \"leading\", \"trailing\", \"random\""},
      {R"({"targets": ["query", "q"]})", "\"targets\" has \"q\""},
      {R"({"targets": []})", "\"targets\" is empty"},
      {R"({"targets": "query"})", "\"targets\" is \"query\", not a list of strings"},
      {R"({"kind": "lora", "alpha": -1})", "\"alpha\" is negative"},
      {R"({"kind": "lora", "alpha": 1e39})", "\"alpha\" makes a scale beyond f32"},
      {R"({"kind": "lora", "alpha": "x"})", "\"alpha\" is \"x\", not a number"},
      {R"({"dropout": 1})", "\"dropout\" is outside [0, 1)"},
      {R"({"seed": -1})", "\"seed\" is -1, not an integer of 64 bits from 0"},
      {R"({"head": "cls"})", "\"head\" is neither"},
      {R"({"outputs": 0})", "\"outputs\" is 0, not an integer from 1"},
      {R"({"labels": ["a"]})", "\"labels\" names 1 labels for 3 outputs"},
      {R"({"base": 3})", "\"base\" is 3, not an object"},
      {R"({"base": {"fingerprint": 3}})", "\"base.fingerprint\" is 3, not a string"},
  };
  const std::string whole = read_file(saved() / "adapter_config.json");
  for (const Damage& damage : damages) {
    write_file_atomically(path("a") / "adapter_config.json", whole);
    change_config(path("a"), nlohmann::json::parse(damage.patch));
    EXPECT_THAT(message_of_loading(), HasSubstr(damage.message)) << damage.patch;
  }
  write_file_atomically(path("a") / "adapter_config.json", "[]");
  EXPECT_THAT(message_of_loading(), HasSubstr("not a JSON object"));
  write_file_atomically(path("a") / "adapter_config.json", whole.substr(0, whole.size() / 2));
  EXPECT_THAT(message_of_loading(), HasSubstr("adapter_config.json:"));
}

TEST_F(BadAdapter, IsNotSavedFromAModelThatDoesNotHoldIt) {
  const Model model = adapted(lora());
  auto message_of_saving = [&](const AdapterMethod& method) {
    return error_of([&] { save_adapter(path("new"), *model, method); });
  };
  EXPECT_THAT(message_of_saving(method_of(Kind::Full)), HasSubstr("save the model instead"));
  AdapterMethod other = lora();
  other.rank = 2;
  EXPECT_THAT(message_of_saving(other), HasSubstr("save with the method that was attached"));
  EXPECT_THAT(message_of_saving(method_of(Kind::Head)), HasSubstr("is no part of a head adapter"));
  MergedAdapters merged(backend(), memory(), *model);
  EXPECT_THAT(message_of_saving(lora()), HasSubstr("unmerge before saving"));
  EXPECT_FALSE(std::filesystem::exists(path("new")));
  merged.unmerge();
  EXPECT_EQ(message_of_saving(lora()), "");
}

TEST_F(BadAdapter, SaysWhereItCannotBeWritten) {
  write_file_atomically(path("file"), "");
  const Model model = adapted(lora());
  EXPECT_THAT(error_of([&] { save_adapter(path("file"), *model, lora()); }), HasSubstr("file"));
  EXPECT_THAT(names(), testing::ElementsAre("file"));
}

TEST_F(BadAdapter, HasNoConfigWhenItsTensorsCouldNotBeWritten) {
  std::filesystem::remove(saved() / "adapter_model.safetensors");
  std::filesystem::create_directory(path("a") / "adapter_model.safetensors");
  const Model model = adapted(lora());
  EXPECT_NE(error_of([&] { save_adapter(path("a"), *model, lora()); }), "");
  EXPECT_FALSE(std::filesystem::exists(path("a") / "adapter_config.json"));
}

}  // namespace
}  // namespace basis
