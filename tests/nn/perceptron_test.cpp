// A perceptron on pixels in a transformer's place.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nn/sequence_classifier.h"
#include "tensor/arena.h"
#include "tensor/caching_allocator.h"
#include "tensor/cpu/cpu_backend.h"
#include "tensor/error.h"
#include "tests/tensor/file_fixture.h"

namespace basis {
namespace {

using ::testing::HasSubstr;

/// On images of two patches of 2 x 2 pixels.
BertConfig small_config(std::int64_t layers) {
  BertConfig config;
  config.is_perceptron = true;
  config.patch_size = 2;
  config.max_position_embeddings = 2;
  config.vocab_size = config.type_vocab_size = 0;
  config.num_hidden_layers = layers;
  config.hidden_size = layers == 0 ? 8 : 3;
  config.num_attention_heads = config.intermediate_size = 0;
  config.hidden_act = Activation::Relu;
  config.hidden_dropout_prob = 0;
  config.initializer_range = 0.5;
  return config;
}

class PerceptronOnPixels : public testing::Test {
 protected:
  SequenceClassifier model_of(const BertConfig& config, Checkpoint* checkpoint = nullptr) {
    return SequenceClassifier(*backend_, memory_, config, 2, checkpoint, ModelOptions{5});
  }

  /// Images of `patches` patches whose pixels are all different.
  std::vector<float> pixels_of(std::int64_t images, std::int64_t patches) const {
    std::vector<float> pixels;
    for (std::int64_t i = 0; i < images * patches * 4; ++i) {
      pixels.push_back(static_cast<float>(i % 11) / 4 - 1);
    }
    return pixels;
  }

  std::vector<float> logits_of(const SequenceClassifier& model, std::int64_t images,
                               std::int64_t patches = 2) {
    const std::vector<std::int32_t> lengths(static_cast<std::size_t>(images),
                                            static_cast<std::int32_t>(patches));
    const PackedLayout layout(*backend_, memory_, lengths);
    std::vector<float> pixels = pixels_of(images, patches);
    pixels.resize(static_cast<std::size_t>(layout.rows() * 4), 0);
    BertInputs inputs{layout, {}, {}, {}};
    inputs.patches = constant(to_device<float>(*backend_, memory_, pixels, {layout.rows(), 4}));
    Context context{*backend_, arena_, nullptr, false, nullptr, DType::F32};
    return to_host<float>(*backend_, model.logits(context, inputs).value);
  }

  std::vector<double> values_of(const SequenceClassifier& model, const std::string& name) {
    const std::vector<float> values =
        to_host<float>(*backend_, model.parameters().at(name).value());
    return {values.begin(), values.end()};
  }

  /// W x + b of a layer, on the host.
  std::vector<double> layer(const SequenceClassifier& model, const std::string& name,
                            const std::vector<double>& x) {
    const std::vector<double> weight = values_of(model, name + ".weight");
    std::vector<double> y = values_of(model, name + ".bias");
    for (std::size_t i = 0; i < y.size(); ++i) {
      for (std::size_t j = 0; j < x.size(); ++j) y[i] += weight[i * x.size() + j] * x[j];
    }
    return y;
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  CachingAllocator memory_{*backend_};
  Arena arena_{*backend_, std::size_t{1} << 26};
};

TEST_F(PerceptronOnPixels, ComputesLayerByLayerFromAllPixelsOfAnImage) {
  for (const std::int64_t layers : {0, 1, 2}) {
    const SequenceClassifier model = model_of(small_config(layers));
    constexpr std::int64_t images = 3;
    const std::vector<float> logits = logits_of(model, images);
    const std::vector<float> pixels = pixels_of(images, 2);
    for (std::int64_t image = 0; image < images; ++image) {
      std::vector<double> x(pixels.begin() + image * 8, pixels.begin() + (image + 1) * 8);
      for (std::int64_t i = 0; i < layers; ++i) {
        x = layer(model, "layers." + std::to_string(i), x);
        for (double& value : x) value = std::max(value, 0.0);
      }
      x = layer(model, "classifier", x);
      for (std::size_t k = 0; k < 2; ++k) {
        // Sums of at most 8 products of numbers below 4.
        constexpr double tolerance = 3 * 8 * 4 * 6e-8;
        EXPECT_NEAR(logits[static_cast<std::size_t>(image) * 2 + k], x[k], tolerance)
            << layers << " layers, image " << image;
      }
    }
  }
}

TEST_F(PerceptronOnPixels, HasAsManyParametersAsTheConfigCounts) {
  for (const std::int64_t layers : {0, 1, 2}) {
    const SequenceClassifier model = model_of(small_config(layers));
    std::int64_t count = 0;
    for (const auto& parameter : model.parameters().all()) {
      if (parameter->role() == ParameterRole::Encoder) count += parameter->count();
    }
    EXPECT_EQ(count, model.config().parameter_count()) << layers;
  }
}

TEST_F(PerceptronOnPixels, AnswersTheSameAfterSavingAndLoading) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / "basis-perceptron";
  std::filesystem::create_directories(folder);
  const SequenceClassifier model = model_of(small_config(2));
  save_model(folder, model);
  const BertConfig config = BertConfig::read(folder);
  EXPECT_TRUE(config.is_perceptron);
  Checkpoint checkpoint(folder);
  const SequenceClassifier loaded = model_of(config, &checkpoint);
  EXPECT_TRUE(loaded.load_report().fresh.empty());
  EXPECT_TRUE(loaded.load_report().unused.empty());
  EXPECT_EQ(logits_of(loaded, 3), logits_of(model, 3));
  std::filesystem::remove_all(folder);
}

TEST_F(PerceptronOnPixels, HasActivationsAndNoTransformer) {
  SequenceClassifier model = model_of(small_config(2));
  EXPECT_TRUE(model.layers().empty());
  ASSERT_EQ(model.activations().size(), 2U);
  EXPECT_EQ(model.activations()[1].layer, "layers.1");
  EXPECT_EQ(model.activations()[1].width, 3);
  EXPECT_THAT(error_of([&] { model.bert(); }), HasSubstr("this needs a transformer"));
}

TEST_F(PerceptronOnPixels, RefusesImagesOfAnotherSize) {
  const SequenceClassifier model = model_of(small_config(1));
  EXPECT_THAT(error_of([&] { logits_of(model, 2, 3); }),
              HasSubstr("an image of 3 patches does not fit the perceptron's 2"));
}

TEST(PerceptronConfig, RefusesSizesThatAPerceptronDoesNotHave) {
  const auto refused = [](const auto& change, std::int64_t layers = 1) {
    BertConfig config = small_config(layers);
    change(config);
    return error_of([&] { config.validate("m"); });
  };
  EXPECT_THAT(refused([](BertConfig& c) { c.num_attention_heads = 2; }),
              HasSubstr("m: \"num_attention_heads\" is 2, not 0: a perceptron"));
  EXPECT_THAT(refused([](BertConfig& c) { c.intermediate_size = 2; }),
              HasSubstr("m: \"intermediate_size\" is 2, not 0: a perceptron"));
  EXPECT_THAT(refused([](BertConfig& c) { c.num_hidden_layers = -1; }),
              HasSubstr("m: \"num_hidden_layers\" is -1, not from 1 to 1000"));
  EXPECT_THAT(refused([](BertConfig& c) { c.hidden_size = 7; }, 0),
              HasSubstr("m: \"hidden_size\" is 7, and a linear classifier reads the 8 pixels"));
  EXPECT_THAT(refused([](BertConfig& c) {
                c.patch_size = 0;
                c.vocab_size = 10;
                c.type_vocab_size = 2;
              }),
              HasSubstr("stands without basis_patch_size"));
}

}  // namespace
}  // namespace basis
