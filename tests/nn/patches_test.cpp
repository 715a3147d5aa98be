// Models that read patches of images in place of words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nn/masked_language_model.h"
#include "nn/sequence_classifier.h"
#include "tensor/arena.h"
#include "tensor/caching_allocator.h"
#include "tensor/cpu/cpu_backend.h"
#include "tensor/error.h"
#include "tests/tensor/file_fixture.h"

namespace basis {
namespace {

using ::testing::HasSubstr;

BertConfig small_config() {
  BertConfig config;
  config.patch_size = 2;
  config.vocab_size = config.type_vocab_size = 0;
  config.hidden_size = 8;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 2;
  config.intermediate_size = 12;
  config.max_position_embeddings = 9;
  config.initializer_range = 0.3;
  return config;
}

BertConfig small_text_config() {
  BertConfig config = small_config();
  config.patch_size = 0;
  config.vocab_size = 11;
  config.type_vocab_size = 2;
  return config;
}

class Patches : public testing::Test {
 protected:
  SequenceClassifier model_of(const BertConfig& config, Checkpoint* checkpoint = nullptr) {
    return SequenceClassifier(*backend_, memory_, config, 3, checkpoint, ModelOptions{5});
  }

  std::vector<float> logits_of(const SequenceClassifier& model, const BertInputs& inputs) {
    Context context{*backend_, arena_, nullptr, false, nullptr, DType::F32};
    return to_host<float>(*backend_, model.logits(context, inputs).value);
  }

  PackedLayout layout_of(const std::vector<std::int32_t>& lengths) {
    return PackedLayout(*backend_, memory_, lengths);
  }

  Tensor zeros(std::int64_t rows) {
    const std::vector<std::int32_t> values(static_cast<std::size_t>(rows), 0);
    return to_device<std::int32_t>(*backend_, memory_, values, {rows});
  }

  /// Pixels that differ, zero beyond T.
  BertInputs images(const PackedLayout& layout, std::int64_t pixels) {
    std::vector<float> values(static_cast<std::size_t>(layout.rows() * pixels), 0);
    for (std::int64_t i = 0; i < layout.tokens() * pixels; ++i) {
      values[static_cast<std::size_t>(i)] = static_cast<float>(i % 7) - 3;
    }
    BertInputs inputs{layout, {}, zeros(layout.rows()), {}};
    inputs.patches =
        constant(to_device<float>(*backend_, memory_, values, {layout.rows(), pixels}));
    return inputs;
  }

  BertInputs text(const PackedLayout& layout) {
    return {layout, zeros(layout.rows()), zeros(layout.rows()), zeros(layout.rows())};
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  CachingAllocator memory_{*backend_};
  Arena arena_{*backend_, std::size_t{1} << 26};
};

TEST_F(Patches, HaveAsManyParametersAsTheConfigCounts) {
  const SequenceClassifier model = model_of(small_config());
  std::int64_t count = 0;
  for (const auto& parameter : model.parameters().all()) {
    if (parameter->role() == ParameterRole::Encoder) count += parameter->count();
    EXPECT_THAT(parameter->name(), Not(HasSubstr("word"))) << "no words";
  }
  EXPECT_EQ(count, model.config().parameter_count());
  EXPECT_EQ(model.parameters().at("embeddings.patch_embeddings.projection.weight").shape(),
            (Shape{8, 4}));
}

TEST_F(Patches, AnswerTheSameAfterSavingAndLoading) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "basis-patches";
  std::filesystem::create_directories(folder);
  const SequenceClassifier model = model_of(small_config());
  save_model(folder, model);
  const BertConfig config = BertConfig::read(folder);
  EXPECT_EQ(config.patch_size, 2);
  Checkpoint checkpoint(folder);
  const SequenceClassifier loaded = model_of(config, &checkpoint);
  EXPECT_TRUE(loaded.load_report().fresh.empty());
  EXPECT_TRUE(loaded.load_report().unused.empty());
  const PackedLayout layout = layout_of({4, 9, 1});
  EXPECT_EQ(logits_of(loaded, images(layout, 4)), logits_of(model, images(layout, 4)));
  std::filesystem::remove_all(folder);
}

TEST_F(Patches, RefuseWhatDoesNotFitTheModel) {
  const SequenceClassifier model = model_of(small_config());
  const SequenceClassifier reader = model_of(small_text_config());
  const PackedLayout layout = layout_of({4, 2});
  EXPECT_THAT(error_of([&] { logits_of(model, text(layout)); }),
              HasSubstr("the model reads images in patches of 2 x 2 pixels"));
  EXPECT_THAT(error_of([&] { logits_of(reader, images(layout, 4)); }),
              HasSubstr("the model reads text, and this batch is patches"));
  EXPECT_THAT(error_of([&] { logits_of(model, images(layout, 9)); }),
              HasSubstr("patches of 9 pixels do not fit the model's of 2 x 2"));
  const PackedLayout large = layout_of({3, 10});
  EXPECT_THAT(error_of([&] { logits_of(model, images(large, 4)); }),
              HasSubstr("an image of 10 patches is larger than the model's 9 positions"));
}

TEST_F(Patches, HaveNeitherAPoolerNorWordsToPredict) {
  BertConfig config = small_config();
  EXPECT_THAT(
      error_of([&] { MaskedLanguageModel(*backend_, memory_, config, nullptr, ModelOptions{}); }),
      HasSubstr("masked language modelling needs a model of text"));
  config.head = "pooler";
  EXPECT_THAT(error_of([&] { model_of(config); }), HasSubstr("a pooler reads [CLS]"));
}

}  // namespace
}  // namespace basis
