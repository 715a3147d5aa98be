// Training, saving, switching and the refusal to merge are tested beside all methods in
// tests/behaviour.
#include "spectral/curvature_tuning.h"

#include <cmath>

#include "spectral/merged_adapters.h"
#include "tests/spectral/adapter_fixture.h"

namespace basis {
namespace {

using testing::HasSubstr;
using Form = AdapterMethod::Curvature;

AdapterMethod method_of(Form form, double beta = -1, double c = -1) {
  AdapterMethod method;
  method.kind = AdapterMethod::Kind::Head;
  method.curvature = form;
  method.curvature_beta = beta;
  method.curvature_c = c;
  return method;
}

class CurvatureTuning : public AdapterFolder {
 protected:
  std::string error_of_attaching(const AdapterMethod& method) {
    const Model model = base();
    const std::vector<Snapshot> before = snapshot(*model);
    std::string message = error_of([&] { attach(backend(), memory(), *model, method); });
    EXPECT_EQ(snapshot(*model), before);
    return message;
  }
};

TEST_F(CurvatureTuning, OfAReluAtOneIsTheModelItself) {
  BertConfig config = BertConfig::read(stored("classifier"));
  config.hidden_act = Activation::Relu;
  Checkpoint checkpoint(stored("classifier"));
  SequenceClassifier model(backend(), memory(), config, 3, &checkpoint, ModelOptions{});
  const std::vector<double> before = logits(model);
  attach(backend(), memory(), model, method_of(Form::Steered, 1, 1));
  // φ differs from ReLU by |x| e^(-|x| / 1e-6): by nothing in f32 but where |x| < 1e-5.
  oracle::expect_near(logits(model), before, 1e-5, "logits");
}

// METHODS.md 1: raw β 0.575 and raw c 4.6 stay within 0.0162 of GELU.
TEST_F(CurvatureTuning, StartsNearlyAtGelu) {
  const Model model = base();
  const CurvatureValues start = curvature_values(*model, method_of(Form::Trained));
  EXPECT_NEAR(std::log(start.beta / (1 - start.beta)), 0.575, 1e-3);
  EXPECT_NEAR(std::log(start.c / (1 - start.c)), 4.6, 1e-2);
  const double error = curvature_start_error(backend(), memory(), *model, start);
  EXPECT_GT(error, 0.016);
  EXPECT_LT(error, 0.0164);
  const std::vector<double> before = logits(*model);
  attach(backend(), memory(), *model, method_of(Form::Trained));
  EXPECT_NE(logits(*model), before);
  // Two layers: an error of 0.016 in each of 40 channels, against logits of order 1.
  oracle::expect_near(logits(*model), before, 0.1 * oracle::largest_magnitude(before), "logits");
}

TEST_F(CurvatureTuning, TrainsABetaAndACForEachChannel) {
  const Model model = base();
  attach(backend(), memory(), *model, method_of(Form::Trained));
  EXPECT_EQ(count_trainable(*model).trained, 2 * 2 * 40);
  const Model steered = base();
  attach(backend(), memory(), *steered, method_of(Form::Steered, 0.5));
  EXPECT_EQ(count_trainable(*steered).trained, 0);
}

TEST_F(CurvatureTuning, IsRefusedWhereItCannotBe) {
  EXPECT_THAT(error_of_attaching(method_of(Form::Steered)), HasSubstr("steering needs a β"));
  EXPECT_THAT(error_of_attaching(method_of(Form::Steered, 1.5)), HasSubstr("between 0 and 1"));
  EXPECT_THAT(error_of_attaching(method_of(Form::Trained, 1)),
              HasSubstr("above and below 0 and 1"));
  AdapterMethod full = method_of(Form::Trained);
  full.kind = AdapterMethod::Kind::Full;
  EXPECT_THAT(error_of_attaching(full), HasSubstr("full fine-tuning saves a model"));

  const Model model = base();
  attach(backend(), memory(), *model, method_of(Form::Trained));
  EXPECT_THAT(error_of([&] { attach(backend(), memory(), *model, method_of(Form::Trained)); }),
              HasSubstr("cannot be attached twice"));
  EXPECT_THAT(error_of([&] { MergedAdapters(backend(), memory(), *model); }),
              HasSubstr("cannot be merged: it changes the activations' function and no weight"));
  EXPECT_THAT(error_of([&] { save_peft(path("a"), *model, method_of(Form::Trained), ""); }),
              HasSubstr("PEFT has no folder format for a head adapter"));
  AdapterMethod both = method_of(Form::Trained);
  both.kind = AdapterMethod::Kind::Lora;
  both.rank = 2;
  const Model with_lora = base();
  attach(backend(), memory(), *with_lora, both);
  EXPECT_THAT(error_of([&] { save_peft(path("a"), *with_lora, both, ""); }),
              HasSubstr("cannot be exported for PEFT"));
}

/// Two hidden layers of 5 on images of 2 patches of 2 x 2 pixels.
BertConfig perceptron_config() {
  BertConfig config;
  config.is_perceptron = true;
  config.patch_size = config.max_position_embeddings = config.num_hidden_layers = 2;
  config.vocab_size = config.type_vocab_size = 0;
  config.hidden_size = 5;
  config.num_attention_heads = config.intermediate_size = 0;
  config.hidden_act = Activation::Relu;
  config.initializer_range = 0.5;
  return config;
}

TEST_F(CurvatureTuning, TrainsThePerceptronsChannelsToo) {
  SequenceClassifier model(backend(), memory(), perceptron_config(), 3, nullptr, ModelOptions{});
  const AdapterMethod method = method_of(Form::Trained);
  attach(backend(), memory(), model, method);
  EXPECT_EQ(count_trainable(model).trained, 2 * 2 * 5);
  EXPECT_TRUE(is_curvature(model.parameters().at("layers.1.curvature_beta")));
  for (const auto& parameter : model.parameters().all()) {
    if (!is_curvature(*parameter)) continue;
    parameter->set_value(random_tensor(backend(), memory(), parameter->shape(), DType::F32, 7,
                                       parameter->name(), 0.3));
  }
  save_adapter(path("p"), model, method);
  SequenceClassifier loaded(backend(), memory(), perceptron_config(), 3, nullptr, ModelOptions{});
  load_adapter(backend(), memory(), path("p"), loaded);
  EXPECT_EQ(snapshot(loaded), snapshot(model));
}

TEST_F(CurvatureTuning, IsAllThatAPerceptronTakesOfAdapters) {
  SequenceClassifier model(backend(), memory(), perceptron_config(), 3, nullptr, ModelOptions{});
  AdapterMethod method = method_of(Form::Trained);
  method.kind = AdapterMethod::Kind::Lora;
  const std::vector<Snapshot> before = snapshot(model);
  EXPECT_THAT(error_of([&] { attach(backend(), memory(), model, method); }),
              HasSubstr("a lora adapter needs the matrices of a transformer, and the model is a "
                        "perceptron"));
  EXPECT_EQ(snapshot(model), before);
}

TEST_F(CurvatureTuning, ComesBackWithItsAdapterBitForBit) {
  AdapterMethod method = method_of(Form::Trained, 0.7, 0.4);
  method.kind = AdapterMethod::Kind::Spectral;
  method.rank = 3;
  const Model saved = adapted(method);
  save_adapter(path("a"), *saved, method);
  const AdapterInfo info = read_adapter_info(path("a"));
  EXPECT_EQ(info.method.curvature, Form::Trained);
  EXPECT_EQ(info.method.curvature_beta, 0.7);
  const Model loaded = base();
  load_adapter(backend(), memory(), path("a"), *loaded);
  EXPECT_EQ(snapshot(*loaded), snapshot(*saved));
  EXPECT_EQ(logits(*loaded), logits(*saved));
}

}  // namespace
}  // namespace basis
