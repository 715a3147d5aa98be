#include "nn/pixel_attack.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/losses.h"
#include "tensor/arena.h"
#include "tensor/caching_allocator.h"
#include "tensor/cpu/cpu_backend.h"
#include "tensor/philox.h"
#include "tests/tensor/file_fixture.h"

namespace basis {
namespace {

using ::testing::HasSubstr;

constexpr PixelScale scale = {0.3, 0.4};
constexpr float black = -0.75f, white = 1.75f;  // by that scale
constexpr std::int64_t tokens_of_one = 4, pixels_of_patch = 4;
constexpr std::size_t pixels_of_one = 16;
// Of x ± ε, rounded once, and of ε itself: half an ulp of numbers below 4 each.
constexpr double rounding = 4 * std::numeric_limits<float>::epsilon();

BertConfig small_config() {
  BertConfig config;
  config.patch_size = 2;
  config.vocab_size = config.type_vocab_size = 0;
  config.hidden_size = 8;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 2;
  config.intermediate_size = 12;
  config.max_position_embeddings = tokens_of_one;
  config.initializer_range = 0.5;
  return config;
}

/// Images as a model reads them: four patches of 2 x 2 each.
struct Images {
  PackedLayout layout;
  Tensor patches, positions, labels;
  std::vector<std::int32_t> examples;

  BertInputs inputs() const {
    BertInputs inputs{layout, {}, positions, {}};
    inputs.patches = constant(patches);
    return inputs;
  }
};

class PixelAttacks : public testing::Test {
 protected:
  SequenceClassifier model_of(const BertConfig& config = small_config(), DType dtype = DType::F32) {
    return SequenceClassifier(*backend_, memory_, config, 3, nullptr, ModelOptions{5, dtype});
  }
  Context context(DType dtype = DType::F32) {
    return {*backend_, arena_, nullptr, false, nullptr, dtype};
  }

  /// Pixels of brightness 0 to 1, black and white among them, by the example.
  template <class T = float>
  Images images_of(const std::vector<std::int32_t>& examples) {
    const std::vector<std::int32_t> lengths(examples.size(), tokens_of_one);
    Images images{PackedLayout(*backend_, memory_, lengths), {}, {}, {}, examples};
    const std::int64_t rows = images.layout.rows();
    std::vector<T> pixels;
    std::vector<std::int32_t> positions, labels;
    for (const std::int32_t example : examples) {
      RandomStream stream(7, static_cast<std::uint64_t>(example));
      for (std::size_t i = 0; i < pixels_of_one; ++i) {
        const double brightness = std::clamp(1.4 * stream.uniform() - 0.2, 0.0, 1.0);
        pixels.push_back(static_cast<T>((brightness - scale.mean) / scale.deviation));
      }
      for (std::int32_t i = 0; i < tokens_of_one; ++i) positions.push_back(i);
      labels.push_back(example % 3);
    }
    pixels.resize(static_cast<std::size_t>(rows * pixels_of_patch), 0);
    positions.resize(static_cast<std::size_t>(rows), 0);
    images.patches = to_device<T>(*backend_, memory_, pixels, {rows, pixels_of_patch});
    images.positions = to_device<std::int32_t>(*backend_, memory_, positions, {rows});
    images.labels = to_device<std::int32_t>(*backend_, memory_, labels, {std::ssize(labels)});
    return images;
  }

  template <class T = float>
  std::vector<T> attacked(const SequenceClassifier& model, const Images& images,
                          const PixelAttack& attack) {
    const BertInputs inputs = images.inputs();
    return to_host<T>(*backend_,
                      attacked_patches(context(DTypeOf<T>::value), memory_, model,
                                       {inputs, images.labels, images.examples}, scale, attack));
  }
  std::vector<float> noisy(const Images& images, double deviation, std::uint64_t seed) {
    const BertInputs inputs = images.inputs();
    return to_host<float>(
        *backend_, noisy_patches(context(), memory_, {inputs, images.labels, images.examples},
                                 scale, deviation, seed));
  }

  template <class T>
  double loss_of(const SequenceClassifier& model, const Images& images,
                 const std::vector<T>& patches) {
    Context plain = context(DTypeOf<T>::value);
    BertInputs inputs = images.inputs();
    inputs.patches = constant(
        to_device<T>(*backend_, memory_, patches, {images.layout.rows(), pixels_of_patch}));
    const Variable logits = model.logits(plain, inputs);
    return to_host<double>(*backend_, cross_entropy(plain, logits, images.labels, 1).value)[0];
  }

  /// Where it is known what is worst: the hidden row is (1, -1, s, -s) up to its norm, s = w·x of a
  /// patch, through layers that add nothing; class 1 rises with s on every patch, the others stay.
  SequenceClassifier rising_model(const std::vector<float>& w) {
    BertConfig config = small_config();
    config.hidden_size = config.intermediate_size = 4;
    SequenceClassifier model = model_of(config);
    for (const auto& parameter : model.parameters().all()) {
      if (parameter->name().ends_with("LayerNorm.weight")) continue;
      std::vector<float> values(static_cast<std::size_t>(parameter->count()), 0);
      if (parameter->name() == "embeddings.patch_embeddings.projection.weight") {
        for (std::size_t i = 0; i < w.size(); ++i) {
          values[8 + i] = w[i];
          values[12 + i] = -w[i];
        }
      } else if (parameter->name() == "embeddings.patch_embeddings.projection.bias") {
        values = {1, -1, 0, 0};
      } else if (parameter->name() == "classifier.weight") {
        values[6] = 1;
      }
      parameter->set_value(to_device<float>(*backend_, memory_, values, parameter->shape()));
    }
    return model;
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  CachingAllocator memory_{*backend_};
  Arena arena_{*backend_, std::size_t{1} << 26};
};

TEST_F(PixelAttacks, FindTheWorstImageWhereItIsKnown) {
  const std::vector<float> w = {0.5f, -1, 2, -0.25f};
  const SequenceClassifier model = rising_model(w);
  const Images images = images_of({1, 4, 7});  // all of class 1
  const std::vector<float> x = to_host<float>(*backend_, images.patches);
  // 0.05 · 50 crosses the ball from any start.
  const std::vector<float> found = attacked(model, images, {0.1, 0.005, 50, 3});
  const auto radius = static_cast<float>(0.1 / scale.deviation);
  for (std::size_t i = 0; i < 3 * pixels_of_one; ++i) {
    const float worst =
        w[i % 4] > 0 ? std::max(x[i] - radius, black) : std::min(x[i] + radius, white);
    EXPECT_EQ(found[i], worst) << "pixel " << i << " of " << x[i];
  }
}

TEST_F(PixelAttacks, FollowTheSignOfANumericDifference) {
  const SequenceClassifier model = model_of(small_config(), DType::F64);
  const Images images = images_of<double>({0, 1});
  constexpr double epsilon = 0.05;
  // A step of the ball's width goes to its edge, upwards where the loss rises from the start on.
  std::vector<double> start = attacked<double>(model, images, {epsilon, 0, 0, 9});
  const std::vector<double> moved = attacked<double>(model, images, {epsilon, 2 * epsilon, 1, 9});
  for (std::size_t i = 0; i < 2 * pixels_of_one; ++i) {
    const double at = start[i];
    // Central difference: its error of h² is far below slopes that are not of rounding.
    constexpr double h = 1e-4;
    start[i] = at + h;
    const double above = loss_of(model, images, start);
    start[i] = at - h;
    const double slope = (above - loss_of(model, images, start)) / (2 * h);
    start[i] = at;
    ASSERT_GT(std::abs(slope), 1e-5) << "a pixel of no slope tells nothing";
    const bool is_at_the_end = moved[i] == at;  // of the range: the step is clipped away
    if (is_at_the_end) {
      EXPECT_NEAR(at, slope > 0 ? white : black, rounding);
    } else {
      EXPECT_EQ(moved[i] > at, slope > 0) << "pixel " << i << " slope " << slope;
    }
  }
}

TEST_F(PixelAttacks, RaiseTheLossAndMoreSoInALargerBall) {
  const SequenceClassifier model = model_of();
  const Images images = images_of({0, 1, 2, 3, 4});
  double last = loss_of(model, images, to_host<float>(*backend_, images.patches));
  for (const double epsilon : {0.02, 0.05, 0.1}) {
    const double loss = loss_of(model, images, attacked(model, images, {epsilon, epsilon / 8}));
    EXPECT_GT(loss, last) << "epsilon " << epsilon;
    last = loss;
  }
}

TEST_F(PixelAttacks, StayInTheBallAndInTheRangeAndReachTheEdge) {
  const SequenceClassifier model = model_of();
  const Images images = images_of({0, 1, 2, 3, 4});
  const std::vector<float> x = to_host<float>(*backend_, images.patches);
  constexpr double epsilon = 0.07, radius = epsilon / scale.deviation;
  const std::vector<float> found = attacked(model, images, {epsilon, 0.01});
  double furthest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double moved = std::abs(static_cast<double>(found[i]) - static_cast<double>(x[i]));
    EXPECT_LE(moved, radius + rounding);
    EXPECT_GE(found[i], black);
    EXPECT_LE(found[i], white);
    furthest = std::max(furthest, moved);
  }
  EXPECT_GE(furthest, radius - rounding);
}

TEST_F(PixelAttacks, AreTheSameWhateverTheBatch) {
  const SequenceClassifier model = model_of();
  std::vector<std::int32_t> all(40);
  std::iota(all.begin(), all.end(), 0);
  const PixelAttack attack = {0.1, 0.01, 20, 11};
  const std::vector<float> together = attacked(model, images_of(all), attack),
                           with_noise = noisy(images_of(all), 0.2, 11);
  for (const std::int32_t example : {0, 7, 39}) {
    const Images one = images_of({example});
    const auto place = static_cast<std::size_t>(example) * pixels_of_one;
    const std::vector<float> alone = attacked(model, one, attack), noise = noisy(one, 0.2, 11);
    for (std::size_t i = 0; i < pixels_of_one; ++i) {
      EXPECT_EQ(alone[i], together[place + i]) << "example " << example;
      EXPECT_EQ(noise[i], with_noise[place + i]) << "example " << example;
    }
  }
}

TEST_F(PixelAttacks, BeginElsewhereForEveryExampleAndSeed) {
  const SequenceClassifier model = model_of();
  const auto start = [&](std::int32_t example, std::uint64_t seed) {
    Images images = images_of({0});
    images.examples = {example};
    return attacked(model, images, {0.1, 0, 0, seed});
  };
  EXPECT_EQ(start(3, 1), start(3, 1));
  EXPECT_NE(start(3, 1), start(4, 1));
  EXPECT_NE(start(3, 1), start(3, 2));
}

TEST_F(PixelAttacks, LeaveParametersAndTheRowsBeyondTheImages) {
  const SequenceClassifier model = model_of();
  std::vector<std::vector<float>> before;
  for (const auto& parameter : model.parameters().all()) {
    before.push_back(to_host<float>(*backend_, parameter->value()));
  }
  const Images images = images_of({0, 1});
  const std::vector<float> found = attacked(model, images, {0.1, 0.01});
  for (std::size_t i = 0; i < before.size(); ++i) {
    const Parameter& parameter = *model.parameters().all()[i];
    EXPECT_EQ(to_host<float>(*backend_, parameter.value()), before[i]) << parameter.name();
    EXPECT_FALSE(parameter.gradient().is_written) << parameter.name();
  }
  EXPECT_TRUE(std::all_of(found.begin() + 2 * pixels_of_one, found.end(),
                          [](float pixel) { return pixel == 0; }));
}

TEST_F(PixelAttacks, OfNoSizeAreTheImageItself) {
  const SequenceClassifier model = model_of();
  const Images images = images_of({0, 1, 2});
  const std::vector<float> x = to_host<float>(*backend_, images.patches);
  EXPECT_EQ(attacked(model, images, {0, 0.01}), x);
  EXPECT_EQ(noisy(images, 0, 1), x);
}

TEST_F(PixelAttacks, NoiseHasItsDeviationAndStaysInTheRange) {
  std::vector<std::int32_t> all(500);
  std::iota(all.begin(), all.end(), 0);
  Images images = images_of(all);
  std::vector<float> grey(static_cast<std::size_t>(images.patches.element_count()), 0.5f);
  images.patches = to_device<float>(*backend_, memory_, grey, images.patches.shape());
  // At 0.5 the brightness is 0.5: ten deviations to either end.
  double sum = 0, squares = 0;
  const std::vector<float> found = noisy(images, 0.05, 1);
  const auto count = static_cast<double>(all.size() * pixels_of_one);
  for (std::size_t i = 0; i < all.size() * pixels_of_one; ++i) {
    const double noise = (static_cast<double>(found[i]) - 0.5) * scale.deviation;
    sum += noise;
    squares += noise * noise;
  }
  // Five standard errors: of the mean σ/√n, of the mean square σ² √(2/n).
  EXPECT_NEAR(sum / count, 0, 5 * 0.05 / std::sqrt(count));
  EXPECT_NEAR(squares / count, 0.05 * 0.05, 5 * 0.05 * 0.05 * std::sqrt(2 / count));
  const std::vector<float> far = noisy(images, 1, 1);
  EXPECT_EQ(*std::min_element(far.begin(), far.end()), black);
  EXPECT_EQ(*std::max_element(far.begin(), far.end()), white);
}

TEST_F(PixelAttacks, RefuseWhatWouldTrainOrMeansNothing) {
  const SequenceClassifier model = model_of();
  Images images = images_of({0, 1});
  EXPECT_THAT(error_of([&] {
                attacked(model, images, {-0.1, 0.01});
              }),
              HasSubstr("epsilon: -0.1 asked"));
  EXPECT_THAT(error_of([&] {
                attacked(model, images, {0.1, std::nan("")});
              }),
              HasSubstr("step: nan asked"));
  EXPECT_THAT(error_of([&] { noisy(images, -1, 0); }), HasSubstr("deviation: -1 asked"));
  model.parameters().at("classifier.bias").set_trainable(true);
  EXPECT_THAT(error_of([&] {
                attacked(model, images, {0.1, 0.01});
              }),
              HasSubstr("classifier.bias may train"));
  images.examples.pop_back();
  EXPECT_THAT(error_of([&] { noisy(images, 0.1, 0); }),
              HasSubstr("1 examples for 2 images, expected one each"));
}

}  // namespace
}  // namespace basis
