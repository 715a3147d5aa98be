// Net 1 (docs/architecture.md): every operation against central differences, in f64, with a random
// cotangent, poisoned memory, and gradients that must be added to; and the CUDA backend's gradients
// in f32 against the CPU's in f64.
#include "autograd/gradcheck.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>

#include <gtest/gtest.h>

#include "autograd/attention.h"
#include "autograd/curvature.h"
#include "autograd/elementwise.h"
#include "autograd/embedding.h"
#include "autograd/linear.h"
#include "autograd/losses.h"
#include "autograd/normalization.h"
#include "autograd/recompute.h"
#include "autograd/rows.h"
#include "tensor/caching_allocator.h"
#include "tensor/cpu/cpu_backend.h"
#include "tensor/packed.h"
#include "tests/cuda/under_test.h"

namespace basis {
namespace {

using Inputs = std::span<const Variable>;
using Function = std::function<Variable(Context&, Inputs)>;

/// What a function reads besides its inputs, made on each backend that it runs on, the first time.
template <class T>
class OnEach {
 public:
  explicit OnEach(std::function<T(const Context&, Allocator&)> make) : make_(std::move(make)) {}
  const T& operator()(const Context& c) const {
    auto& made = made_[&c.backend];
    if (made == nullptr) {
      CachingAllocator memory(c.backend);
      made = std::make_unique<T>(make_(c, memory));
    }
    return *made;
  }

 private:
  std::function<T(const Context&, Allocator&)> make_;
  mutable std::map<Backend*, std::unique_ptr<T>> made_;
};

OnEach<Tensor> ids(std::initializer_list<std::int32_t> values) {
  return OnEach<Tensor>([list = std::vector(values)](const Context& c, Allocator& memory) {
    return to_device<std::int32_t>(c.backend, memory, list, {std::ssize(list)});
  });
}
OnEach<RowSegments> segments_of(std::initializer_list<std::int32_t> values) {
  return OnEach<RowSegments>([list = std::vector(values)](const Context& c, Allocator& memory) {
    return RowSegments(c.backend, memory, list);
  });
}

/// A packed batch whose first sequence is example 3.
struct Packed : OnEach<PackedLayout> {
  explicit Packed(const std::vector<std::int32_t>& lengths)
      : OnEach([lengths](const Context& c, Allocator& memory) {
          return PackedLayout(c.backend, memory, lengths, 3);
        }),
        tokens(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0})) {}
  SequenceView view(const Context& c) const { return (*this)(c).view(); }

  std::int64_t tokens;
};

/// Numbers that ask for no gradient.
OnEach<Tensor> constant_of(std::vector<double> values) {
  return OnEach<Tensor>([values = std::move(values)](const Context& c, Allocator& memory) {
    const Shape shape = {std::ssize(values)};
    if (c.dtype == DType::F64) return to_device<double>(c.backend, memory, values, shape);
    const std::vector<float> rounded(values.begin(), values.end());
    return to_device<float>(c.backend, memory, rounded, shape);
  });
}

enum class Check : std::uint8_t {
  Differences,  // on the CPU in f64, against central differences
  Cuda          // on the CUDA backend in f32, against the CPU in f64
};

std::vector<Check> checks() {
  return is_gpu_under_test() ? std::vector{Check::Cuda}
                             : std::vector{Check::Differences, Check::Cuda};
}

void PrintTo(Check check, std::ostream* out) {
  *out << (check == Check::Cuda ? name_of_cuda_under_test() : "differences");
}

class Gradients : public ::testing::TestWithParam<Check> {
 protected:
  Gradients() {
    if (GetParam() == Check::Cuda) cuda_ = make_cuda_under_test();
  }

  Tensor normal(const Shape& shape, double mean = 0, double deviation = 1) {
    Tensor tensor = Tensor::allocate(memory_, shape, DType::F64);
    for (std::int64_t i = 0; i < tensor.element_count(); ++i) {
      tensor.data<double>()[i] = mean + deviation * random_.normal();
    }
    return tensor;
  }
  /// Rows of a packed batch on the CPU.
  Tensor normal_rows(const Packed& packed, std::int64_t width) {
    const std::int64_t bucket = backend_->row_bucket();
    return normal({(packed.tokens + bucket - 1) / bucket * bucket, width});
  }
  /// Those beyond the last token are zero, as in a real one.
  Tensor packed_rows(const Packed& packed, std::int64_t width) {
    Tensor tensor = normal_rows(packed, width);
    for (std::int64_t i = packed.tokens * width; i < tensor.element_count(); ++i) {
      tensor.data<double>()[i] = 0;
    }
    return tensor;
  }

  GradcheckReport report_of(const Function& function, const std::vector<Tensor>& inputs,
                            GradcheckOptions options) {
    if (cuda_ == nullptr) return gradcheck(*backend_, function, inputs, options);
    options.tolerance = f32_tolerance(inputs);
    return compare_gradients(*cuda_, *backend_, function, inputs, options);
  }
  void expect_gradients(const Function& function, const std::vector<Tensor>& inputs,
                        const GradcheckOptions& options = {}) {
    const GradcheckReport report = report_of(function, inputs, options);
    EXPECT_TRUE(report.passes) << report.message;
  }

  /// On the longest ways some 64 roundings, forward and back: a random walk, of which three
  /// standard deviations. Each is of half an epsilon of a sum of no more terms than an input has,
  /// another walk, of numbers as large as the largest input.
  static double f32_tolerance(const std::vector<Tensor>& inputs) {
    std::int64_t terms = 1;
    double largest = 1;
    for (const Tensor& input : inputs) {
      terms = std::max(terms, input.element_count());
      for (std::int64_t i = 0; i < input.element_count(); ++i) {
        largest = std::max(largest, std::abs(input.data<double>()[i]));
      }
    }
    return 3 * std::sqrt(64) * std::sqrt(static_cast<double>(terms)) * std::ldexp(1, -24) * largest;
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  std::unique_ptr<Backend> cuda_;  // where the gradients are its
  CachingAllocator memory_{*backend_};
  RandomStream random_{7, 1};
};
INSTANTIATE_TEST_SUITE_P(On, Gradients, testing::ValuesIn(checks()),
                         testing::PrintToStringParamName());

TEST_P(Gradients, ThatAreWrongAreFound) {
  const std::vector<Tensor> inputs = {normal({3, 5}), normal({64, 2})};
  for (const std::size_t wrong : {0, 1}) {
    const GradcheckReport report = report_of(
        [&](Context& c, Inputs v) {
          // Of no function: other with a tape than without, and in f32 than in f64.
          const double factor =
              c.tape != nullptr && (cuda_ == nullptr || c.dtype == DType::F32) ? 2.001 : 2;
          return scale(c, factor, v[wrong]);
        },
        inputs, {});
    EXPECT_FALSE(report.passes);
    EXPECT_NE(report.message.find("input " + std::to_string(wrong)), std::string::npos)
        << report.message;
  }
}

TEST_P(Gradients, OfLinearWithBias) {
  expect_gradients([](Context& c, Inputs v) { return linear(c, v[0], v[1], v[2]); },
                   {normal({5, 7}), normal({3, 7}), normal({3})});
}

TEST_P(Gradients, OfLinearWithoutBias) {
  expect_gradients([](Context& c, Inputs v) { return linear(c, v[0], v[1], {}); },
                   {normal({1, 4}), normal({6, 4})});
}

TEST_P(Gradients, OfLinearLayersSideBySide) {
  expect_gradients(
      [](Context& c, Inputs v) {
        const WeightAndBias layers[] = {{v[1], v[2]}, {v[3], {}}, {v[4], v[5]}};
        return linear(c, v[0], layers);
      },
      {normal({5, 4}), normal({3, 4}), normal({3}), normal({2, 4}), normal({3, 4}), normal({3})});
}

// Weights and biases that follow each other in memory are one product each way.
TEST_P(Gradients, OfLinearLayersThatAreNeighboursInMemory) {
  const Tensor weights = normal({7, 4}), biases = normal({7});
  expect_gradients(
      [](Context& c, Inputs v) {
        const WeightAndBias layers[] = {{v[1], v[4]}, {v[2], v[5]}, {v[3], v[6]}};
        return linear(c, v[0], layers);
      },
      {normal({5, 4}), weights.rows(0, 3), weights.rows(3, 5), weights.rows(5, 7),
       biases.rows(0, 3), biases.rows(3, 5), biases.rows(5, 7)});
}

// What is not kept but made again in backward: an activation's and a layer norm's output, for
// weights, for the factors of a product, and for a scale of columns.
TEST_P(Gradients, OfProductsWhoseInputIsMadeAgain) {
  expect_gradients(
      [](Context& c, Inputs v) {
        const Variable h = activation(c, Activation::GeluErf, linear(c, v[0], v[1], {}), v[2]);
        const Variable y = add_matmul(c, all_columns(linear(c, h, v[3], v[4])), 0.5,
                                      matmul(c, 1, h, v[5], true), v[6], true);
        return layer_norm(c, add(c, y, 1, scale_columns(c, h, v[7])), v[8], v[9], 1e-5);
      },
      {normal({6, 3}), normal({5, 3}), normal({5}), normal({5, 5}), normal({5}), normal({2, 5}),
       normal({5, 2}), normal({5}), normal({5}), normal({5})});
  expect_gradients(
      [](Context& c, Inputs v) {
        const Variable n = layer_norm(c, linear(c, v[0], v[1], {}), v[2], v[3], 1e-5);
        return add(c, linear(c, n, v[4], {}), 1, matmul(c, 2, n, v[5], false));
      },
      {normal({6, 3}), normal({5, 3}), normal({5}), normal({5}), normal({4, 5}), normal({5, 4})});
}

// A weight that is itself computed, after the input, is complete before the input is made again.
TEST_P(Gradients, OfAComputedWeightWhoseInputCouldBeMadeAgain) {
  expect_gradients(
      [](Context& c, Inputs v) {
        const Variable h = activation(c, Activation::GeluTanh, linear(c, v[0], v[1], {}));
        return linear(c, h, matmul(c, 1, v[2], v[3], false), {});
      },
      {normal({6, 3}), normal({5, 3}), normal({4, 2}), normal({2, 5})});
}

// Nobody overwrites a value that is still read: x of an activation that others use, too.
TEST_P(Gradients, OfAnActivationWhoseInputIsUsedTwice) {
  expect_gradients(
      [](Context& c, Inputs v) {
        const Variable x = linear(c, v[0], v[1], {});
        const Variable h = activation(c, Activation::GeluErf, x, v[2]);
        return matmul(c, 1, x, linear(c, h, v[3], {}), true);
      },
      {normal({4, 3}), normal({5, 3}), normal({5}), normal({5, 5})});
}

TEST_P(Gradients, OfAFunctionThatBackwardRunsAgain) {
  const Packed packed({3, 4});
  const Dropout site = make_dropout(0.3, 5);
  GradcheckOptions training;
  training.is_training = true;
  expect_gradients(
      [&](Context& c, Inputs v) {
        const Variable h = scale(c, 2, v[0]);
        return recomputed(c, h, [&packed, &site, v](Context& inner, const Variable& x) {
          const Variable wide = activation(inner, Activation::GeluErf, linear(inner, x, v[1], {}));
          return add(inner, x, 1,
                     dropout(inner, linear(inner, wide, v[2], {}), site, packed.view(inner)));
        });
      },
      {packed_rows(packed, 3), normal({5, 3}), normal({3, 5})}, training);
}

TEST_P(Gradients, OfAValueUsedTwice) {
  expect_gradients(
      [](Context& c, Inputs v) {
        const Variable h = linear(c, v[0], v[1], {});
        return linear(c, add(c, h, 0.5, v[0]), v[1], {});
      },
      {normal({4, 5}), normal({5, 5})});
}

TEST_P(Gradients, OfMatmul) {
  for (const bool transposed : {false, true}) {
    expect_gradients([=](Context& c, Inputs v) { return matmul(c, -1.5, v[0], v[1], transposed); },
                     {normal({4, 6}), transposed ? normal({3, 6}) : normal({6, 3})});
  }
}

TEST_P(Gradients, OfAddMatmul) {
  for (const bool transposed : {false, true}) {
    expect_gradients(
        [=](Context& c, Inputs v) {
          const Variable y = linear(c, v[0], v[1], {});
          return add_matmul(c, all_columns(y), 0.7, v[2], v[3], transposed);
        },
        {normal({4, 6}), normal({3, 6}), normal({4, 2}),
         transposed ? normal({3, 2}) : normal({2, 3})});
  }
}

TEST_P(Gradients, OfAddMatmulAndAddToSomeColumns) {
  expect_gradients(
      [=](Context& c, Inputs v) {
        Variable y = linear(c, v[0], v[1], {});
        y = add_matmul(c, {y, 1, 2}, 0.7, v[2], v[3], true);
        return add_to_columns(c, {y, 2, 3}, -1.5, v[4]);
      },
      {normal({4, 6}), normal({5, 6}), normal({4, 2}), normal({2, 2}), normal({4, 3})});
}

TEST_P(Gradients, OfAddScaleAndScaleColumns) {
  expect_gradients(
      [](Context& c, Inputs v) {
        return scale(c, 3, add(c, scale_columns(c, v[0], v[1]), -2, v[0]));
      },
      {normal({3, 5}), normal({5})});
}

TEST_P(Gradients, OfScaledColumnsOfAProduct) {
  const OnEach<Tensor> frozen = constant_of({0.5, -1, 2, 0.25});
  for (const bool has_shift : {false, true}) {
    // The product's input is made again in backward, its gradient read after the scale's turn.
    expect_gradients(
        [&](Context& c, Inputs v) {
          const Variable x = activation(c, Activation::Tanh, v[0]);
          const Variable shift = has_shift ? constant(frozen(c)) : Variable{};
          Variable y = linear(c, x, v[1], {});
          y = add_matmul(c, {y, 2, 4}, 2, x, v[2], true);
          y = scale_columns_of(c, {y, 2, 4}, v[3], shift);
          return scale_columns_of(c, {y, 0, 2}, v[4]);
        },
        {normal({6, 3}), normal({7, 3}), normal({4, 3}), normal({4}), normal({2})});
  }
}

// Who else reads the gradient must find it as it was.
TEST_P(Gradients, OfScaledColumnsWhoseGradientIsShared) {
  expect_gradients(
      [](Context& c, Inputs v) {
        const Variable y = scale_columns_of(c, all_columns(scale(c, 2, v[0])), v[1]);
        return add(c, y, 1, v[2]);
      },
      {normal({3, 5}), normal({5}), normal({3, 5})});
}

TEST_P(Gradients, OfAVectorOverRowNorms) {
  const OnEach<Tensor> rows = constant_of({3, 4, 0.5, -2, 0, 1, 6, -8});
  expect_gradients(
      [&](Context& c, Inputs v) {
        return over_row_norms(c, v[0], rows(c).reshape({4, 2}));
      },
      {normal({4})});
}

TEST_P(Gradients, OfAddOfAValueToItself) {
  expect_gradients([](Context& c, Inputs v) { return add(c, v[0], 1.5, v[0]); }, {normal({3, 2})});
}

TEST_P(Gradients, OfActivations) {
  for (const Activation kind : {Activation::GeluErf, Activation::GeluTanh, Activation::Relu,
                                Activation::Tanh, Activation::Sigmoid}) {
    expect_gradients([=](Context& c, Inputs v) { return activation(c, kind, v[0]); },
                     {normal({4, 33}, 0.1, 2)});
    expect_gradients([=](Context& c, Inputs v) { return activation(c, kind, v[0], v[1]); },
                     {normal({4, 33}, 0.1, 2), normal({33})});
  }
}

TEST_P(Gradients, OfCurvature) {
  // Every beta with every c: a channel each.
  Tensor beta = normal({9}), c = normal({9});
  for (int j = 0; j < 9; ++j) {
    beta.data<double>()[j] = std::array{0.0, 0.3, 0.8}[static_cast<std::size_t>(j / 3)];
    c.data<double>()[j] = std::array{0.0, 0.5, 1.0}[static_cast<std::size_t>(j % 3)];
  }
  expect_gradients(
      [](Context& k, Inputs v) { return curvature_activation(k, v[0], {}, v[1], v[2]); },
      {normal({6, 9}, 0.1, 2), beta, c});
  expect_gradients(
      [](Context& k, Inputs v) { return curvature_activation(k, v[0], v[1], v[2], v[3]); },
      {normal({6, 9}, 0.1, 2), normal({9}), beta, c});
}

// beta = 0.999999: ReLU but for a bend of 2e-6, where x and the differences' steps must lie.
TEST_P(Gradients, OfCurvatureThatIsAlmostRelu) {
  Tensor beta = normal({3}), c = normal({3});
  for (int j = 0; j < 3; ++j) {
    beta.data<double>()[j] = 0.999999;
    c.data<double>()[j] = 0.5 * j;
  }
  GradcheckOptions narrow;
  narrow.step = 1e-9;
  // A step of beta is 5e-4 of the bend, whose square is the differences' error; beta rounds by half
  // an epsilon, 1e-7 of the step.
  narrow.tolerance = 1e-6;
  expect_gradients(
      [](Context& k, Inputs v) { return curvature_activation(k, v[0], v[1], v[2], v[3]); },
      {normal({6, 3}, 0, 4e-6), normal({3}, 0, 1e-6), beta, c}, narrow);
}

// As for `activation`: the output is made again for the products, x is used twice, and beta and c
// are themselves computed.
TEST_P(Gradients, OfProductsWhoseInputIsACurvatureMadeAgain) {
  expect_gradients(
      [](Context& k, Inputs v) {
        const Variable beta = activation(k, Activation::Sigmoid, v[3]);
        const Variable c = activation(k, Activation::Sigmoid, v[4]);
        const Variable x = linear(k, v[0], v[1], {});
        const Variable h = curvature_activation(k, x, v[2], beta, c);
        const Variable y = linear(k, h, v[5], {});
        return add(k, y, 1, add(k, x, 0.5, scale_columns(k, h, v[6])));
      },
      {normal({6, 3}), normal({5, 3}), normal({5}), normal({1, 5}), normal({1, 5}), normal({5, 5}),
       normal({5})});
}

// One curve for all layers: beta and c of one Variable, in a net and at once.
TEST_P(Gradients, OfCurvaturesThatShareTheirChannels) {
  Tensor shared = normal({5});
  for (int j = 0; j < 5; ++j) shared.data<double>()[j] = 0.15 * (j + 1);
  expect_gradients(
      [](Context& k, Inputs v) {
        const Variable h = curvature_activation(k, v[0], {}, v[1], v[1]);
        return curvature_activation(k, linear(k, h, v[2], {}), {}, v[1], v[1]);
      },
      {normal({4, 5}), shared, normal({5, 5})});
}

TEST_P(Gradients, OfCurvatureNeedChannelsThatFit) {
  const Context context{*backend_, memory_, nullptr, false, nullptr, DType::F64};
  const Variable x = constant(normal({4, 5})), five = constant(normal({5}));
  const Variable four = constant(normal({4}));
  const auto message = [&](const Variable& bias, const Variable& beta, const Variable& c) {
    Context copy = context;
    try {
      curvature_activation(copy, x, bias, beta, c);
    } catch (const ShapeError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(message(four, five, five), "curvature_activation: bias (4) does not fit (4, 5)");
  EXPECT_EQ(message({}, four, five), "curvature_activation: beta (4) does not fit (4, 5)");
  EXPECT_EQ(message({}, five, four), "curvature_activation: c (4) does not fit (4, 5)");
  EXPECT_EQ(message({}, five, {}), "curvature_activation: c () does not fit (4, 5)");
}

TEST_P(Gradients, OfDropout) {
  const Packed packed({3, 1, 5});
  const Dropout site = make_dropout(0.3, 5);
  GradcheckOptions training;
  training.is_training = true;
  expect_gradients([&](Context& c, Inputs v) { return dropout(c, v[0], site, packed.view(c)); },
                   {packed_rows(packed, 9)}, training);
  expect_gradients(
      [&](Context& c, Inputs v) { return dropout(c, v[0], site, packed(c).pooled_view()); },
      {normal({3, 9})}, training);
}

TEST_P(Gradients, OfBandToDense) {
  expect_gradients([](Context& c, Inputs v) { return band_to_dense(c, v[0]); }, {normal({5, 6})});
}

TEST_P(Gradients, OfLayerNormWhenTheMeanIsLarge) {
  GradcheckOptions options;
  // The mean costs digits in the differences: (mean + noise) keeps about 13 of the 16.
  options.tolerance = 1e-6;
  expect_gradients([](Context& c, Inputs v) { return layer_norm(c, v[0], v[1], v[2], 1e-12); },
                   {normal({4, 7}, 1000), normal({7}), normal({7})}, options);
}

TEST_P(Gradients, OfResidualLayerNormWithDropout) {
  const Packed packed({2, 6});
  GradcheckOptions training;
  training.is_training = true;
  for (const double p : {0.0, 0.4}) {
    const Dropout site = make_dropout(p, 2);
    expect_gradients(
        [&](Context& c, Inputs v) {
          return residual_layer_norm(c, v[0], site, v[1], packed.view(c), v[2], v[3], 1e-5);
        },
        {normal_rows(packed, 5), normal_rows(packed, 5), normal({5}), normal({5})}, training);
  }
}

TEST_P(Gradients, OfResidualLayerNormWhereResidualAndInputAreOne) {
  const Packed packed({4});
  const Dropout site = make_dropout(0.4, 2);
  GradcheckOptions training;
  training.is_training = true;
  expect_gradients(
      [&](Context& c, Inputs v) {
        return residual_layer_norm(c, v[0], site, v[0], packed.view(c), v[1], v[2], 1e-5);
      },
      {normal_rows(packed, 5), normal({5}), normal({5})}, training);
}

TEST_P(Gradients, OfAttentionOverPackedSequences) {
  const Packed packed({1, 7, 3});
  const AttentionShape shape{2, 3, 0.6};
  for (const double p : {0.0, 0.3}) {
    const Dropout site = make_dropout(p, 9);
    GradcheckOptions training;
    training.is_training = true;
    expect_gradients(
        [&](Context& c, Inputs v) {
          return attention(c, all_columns(v[0]), all_columns(v[1]), all_columns(v[2]),
                           packed.view(c), shape, site);
        },
        {packed_rows(packed, 6), packed_rows(packed, 6), packed_rows(packed, 6)}, training);
    expect_gradients(
        [&](Context& c, Inputs v) {
          return attention(c, {v[0], 0, 6}, {v[0], 6, 6}, {v[0], 12, 6}, packed.view(c), shape,
                           site);
        },
        {packed_rows(packed, 18)}, training);
  }
}

TEST_P(Gradients, OfAttentionOfFirstRows) {
  const Packed packed({5, 1, 7});
  AttentionShape shape{2, 3, 0.6};
  shape.queries = AttentionShape::Queries::FirstRows;
  const Dropout site = make_dropout(0.25, 3);
  GradcheckOptions training;
  training.is_training = true;
  expect_gradients(
      [&](Context& c, Inputs v) {
        return attention(c, all_columns(v[0]), {v[1], 0, 6}, {v[1], 6, 6}, packed.view(c), shape,
                         site);
      },
      {normal({3, 6}), packed_rows(packed, 12)}, training);
}

TEST_P(Gradients, OfAttentionOfAValueToItself) {
  const Packed packed({4, 2});
  const AttentionShape shape{1, 4, 0.5};
  expect_gradients(
      [&](Context& c, Inputs v) {
        const ColumnsOf x = all_columns(v[0]);
        return attention(c, x, x, x, packed.view(c), shape, {});
      },
      {packed_rows(packed, 4)});
}

TEST_P(Gradients, OfEmbeddingSum) {
  const auto words = ids({4, 0, 4, 2}), positions = ids({0, 1, 2, 0}), types = ids({0, 0, 1, 1});
  const auto segments = segments_of({4, 0, 4, 2});
  const auto function = [&](Context& c, Inputs v) {
    return embedding_sum(c, {v[0], words(c), segments(c), v[1], positions(c), v[2], types(c)});
  };
  const std::vector<Tensor> tables = {normal({5, 3}), normal({4, 3}), normal({2, 3})};
  expect_gradients(function, tables);
  GradcheckOptions rows;
  rows.row_inputs = {0};
  expect_gradients(function, tables, rows);
  // With its layer norm, whose output a product waits for.
  const auto normed = [&](Context& c, Inputs v) {
    const Variable y = embedding_layer_norm(
        c, {v[0], words(c), segments(c), v[1], positions(c), v[2], types(c)}, v[3], v[4], 1e-5);
    return linear(c, y, v[5], {});
  };
  std::vector<Tensor> operands = tables;
  for (const Shape& shape : {Shape{3}, Shape{3}, Shape{2, 3}}) operands.push_back(normal(shape));
  expect_gradients(normed, operands);
  expect_gradients(normed, operands, rows);
}

TEST_P(Gradients, OfGatherRowsWithRepeats) {
  const auto rows = ids({2, 0, 2});
  expect_gradients([&](Context& c, Inputs v) { return gather_rows(c, v[0], rows(c)); },
                   {normal({4, 3})});
}

TEST_P(Gradients, OfMeanPool) {
  const Packed packed({1, 4, 2});
  expect_gradients([&](Context& c, Inputs v) { return mean_pool(c, v[0], packed.view(c)); },
                   {packed_rows(packed, 5)});
}

TEST_P(Gradients, OfJoinedRowsWithRowsToSpare) {
  expect_gradients([&](Context& c, Inputs v) { return joined_rows(c, v[0], 2, 3); },
                   {normal({8, 2})});
}

TEST_P(Gradients, OfCrossEntropyWithIgnoredRows) {
  const auto labels = ids({2, -100, 0, 1});
  expect_gradients([&](Context& c, Inputs v) { return cross_entropy(c, v[0], labels(c), 1); },
                   {normal({4, 3}, 0, 3)});
}

TEST_P(Gradients, OfSquaredError) {
  const OnEach<Tensor> target([](const Context& c, Allocator& memory) {
    const Tensor made = Tensor::allocate(memory, {4, 1}, c.dtype, c.backend.device());
    for (std::int64_t i = 0; i < 4; ++i) {
      c.backend.fill(0.5 * static_cast<double>(i) - 1, made.rows(i, i + 1).view());
    }
    return made;
  });
  expect_gradients([&](Context& c, Inputs v) { return squared_error(c, v[0], target(c), 1); },
                   {normal({4, 1})});
}

}  // namespace
}  // namespace basis
