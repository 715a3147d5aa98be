// What the decorator counts, against numbers worked out by hand.
#include "experiments/counting_backend.h"

#include <cstring>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/bench_step.h"
#include "tensor/cpu/cpu_backend.h"
#include "tensor/file.h"

namespace basis {
namespace {

class Counting : public testing::Test {
 protected:
  MatrixView matrix(std::int64_t rows, std::int64_t columns, DType dtype = DType::F32) {
    blocks_.push_back(counter_.reserve(static_cast<std::size_t>(rows * columns) * size_of(dtype)));
    const MatrixView view{blocks_.back().get(), dtype, rows, columns, columns};
    std::memset(view.data, 0, static_cast<std::size_t>(rows * columns) * size_of(dtype));
    return view;
  }
  /// What one call adds.
  WorkCount of(const std::function<void()>& call) {
    counter_.reset();
    call();
    return counter_.count();
  }

  std::unique_ptr<Backend> inner_ = make_cpu_backend(1);
  CountingBackend counter_{*inner_};
  std::vector<Block> blocks_;
};

TEST_F(Counting, AProductIsTwoFlopsForEachOfItsTerms) {
  const MatrixView a = matrix(3, 5), b = matrix(7, 5), out = matrix(3, 7);
  const WorkCount plain = of([&] { counter_.matmul(1, a, false, b, true, 0, out); });
  EXPECT_EQ(plain.flops_f32, 2 * 3 * 5 * 7);
  EXPECT_EQ(plain.bytes, 0);
  const MatrixView tall = matrix(5, 3);
  EXPECT_EQ(of([&] { counter_.matmul(1, tall, true, b, true, 0, out); }).flops_f32, 2 * 3 * 5 * 7);
  const MatrixView x = matrix(3, 5, DType::F64), w = matrix(5, 7, DType::F64),
                   y = matrix(3, 7, DType::F64);
  const WorkCount wide = of([&] { counter_.matmul(1, x, false, w, false, 0, y); });
  EXPECT_EQ(wide.flops_f64, 2 * 3 * 5 * 7);
  EXPECT_EQ(wide.flops_f32, 0);
  EXPECT_EQ(wide.flops(), wide.flops_f64);
}

TEST_F(Counting, ALinearLayerIsOneProductEachWay) {
  const MatrixView x = matrix(6, 4), weight = matrix(3, 4), bias = matrix(1, 3), y = matrix(6, 3);
  const PreparedWeight prepared = counter_.prepare_weight(weight, DType::F32);
  EXPECT_EQ(counter_.count().bytes, 0) << "f32 weights are used where they stand";
  const double product = 2 * 6 * 4 * 3;
  EXPECT_EQ(of([&] { counter_.linear(x, prepared, bias, y); }).flops_f32, product);
  EXPECT_EQ(of([&] { counter_.linear_input_gradient(y, prepared, 0, x); }).flops_f32, product);
  const Workspace scratch{
      matrix(1, static_cast<std::int64_t>(
                    counter_.linear_weight_gradient_workspace(6, 3, 4, DType::F32)))
          .data,
      counter_.linear_weight_gradient_workspace(6, 3, 4, DType::F32)};
  const WorkCount both =
      of([&] { counter_.linear_weight_gradient(y, x, 0, weight, 0, bias, scratch); });
  EXPECT_EQ(both.flops_f32, product);
  // The bias alone: no product, one pass over y.
  const WorkCount bias_only =
      of([&] { counter_.linear_weight_gradient(y, {}, 0, {}, 0, bias, scratch); });
  EXPECT_EQ(bias_only.flops(), 0);
  EXPECT_EQ(bias_only.bytes, 4 * 6 * 3);
}

TEST_F(Counting, ElementwiseKernelsReadAndWriteEachOperandOnce) {
  const MatrixView x = matrix(3, 8), out = matrix(3, 8), row = matrix(1, 8);
  constexpr double whole = 4 * 3 * 8;
  EXPECT_EQ(of([&] { counter_.fill(0, out); }).bytes, whole);
  EXPECT_EQ(of([&] { counter_.convert(x, out); }).bytes, 2 * whole);
  EXPECT_EQ(of([&] { counter_.add_scaled(1, x, 0, out); }).bytes, 2 * whole);
  EXPECT_EQ(of([&] { counter_.add_scaled(1, x, 1, out); }).bytes, 3 * whole);
  EXPECT_EQ(of([&] { counter_.activation(Activation::GeluErf, x, row, out); }).bytes,
            2 * whole + 4 * 8);
  EXPECT_EQ(of([&] { counter_.curvature(x, {}, row, row, out); }).bytes, 2 * whole + 2 * 4 * 8);
  // x, dout and dx, the rows beta and c, one sum overwritten and one added to.
  const std::size_t bytes = counter_.curvature_gradient_workspace(3, 8, DType::F32);
  const Workspace scratch{matrix(1, static_cast<std::int64_t>(bytes)).data, bytes};
  const MatrixView dbeta = matrix(1, 8), dc = matrix(1, 8);
  EXPECT_EQ(of([&] {
              counter_.curvature_gradient(x, {}, row, row, out, out, {}, 0, {}, 0, dbeta, 1, dc,
                                          scratch);
            }).bytes,
            3 * whole + (2 + 1 + 2) * 4 * 8);
}

TEST_F(Counting, AnOptimiserStepMovesSevenNumbersForEachParameter) {
  const OptimizerRange range{matrix(1, 16), matrix(1, 16), matrix(1, 16), matrix(1, 16), 0, 0.01};
  StepState state;
  EXPECT_EQ(of([&] { counter_.adamw(range, {}, &state); }).bytes, 7 * 4 * 16);
  const MatrixView sum = matrix(1, 1, DType::F64);
  EXPECT_EQ(of([&] { counter_.squared_norm(range.gradient, 0, sum); }).bytes, 4 * 16 + 8);
}

TEST_F(Counting, ATableIsReadOnceAtMost) {
  const MatrixView table = matrix(3, 8), out = matrix(5, 8), ids = matrix(1, 5, DType::I32);
  constexpr double row = 4 * 8;
  // Five ids of three rows.
  EXPECT_EQ(of([&] { counter_.gather_rows(table, {}, ids, 0, out); }).bytes, (3 + 5) * row + 4 * 5);
  EXPECT_EQ(of([&] { counter_.scatter_add_rows(out, ids, table); }).bytes,
            (5 + 2 * 3) * row + 4 * 5);
}

TEST_F(Counting, AnUpdateByRowsMovesWhatItsSlotsHave) {
  const OptimizerRows rows{
      matrix(9, 8), matrix(1, 3, DType::I32), matrix(1, 3, DType::I32), matrix(2, 8), matrix(3, 8),
      matrix(3, 8), matrix(1, 1, DType::F64)};
  for (std::int32_t slot = 0; slot < 3; ++slot) {
    static_cast<std::int32_t*>(const_cast<void*>(rows.rows.data))[slot] = slot;
  }
  constexpr double row = 4 * 8, integers = 2 * 4 * 3;
  StepState state;
  EXPECT_EQ(of([&] { counter_.adamw_rows(rows, {}, &state); }).bytes,
            (2 + 3 * 2 * 3) * row + integers);
}

TEST_F(Counting, WhatIsMovedAsideIsReadAndWritten) {
  const MatrixView table = matrix(9, 8), gradient = matrix(2, 8), rows = matrix(1, 2, DType::I32),
                   norm = matrix(1, 1, DType::F64);
  StepState state;
  EXPECT_EQ(of([&] { counter_.add_normalised(1, gradient, norm, rows, table); }).bytes,
            3 * 2 * 4 * 8 + 2 * 4 + 8);
  EXPECT_EQ(of([&] { counter_.add_noise(1, {}, 5, &state, matrix(1, 8)); }).bytes, 2 * 4 * 8);
}

/// Names of a class's virtual functions, but for its destructor.
std::vector<std::string> virtual_functions(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t at = 0; (at = text.find("  virtual ", at)) != std::string::npos; ++at) {
    const std::size_t end = text.find('(', at);
    const std::size_t begin = text.find_last_of(" ~", end) + 1;
    if (text[begin - 1] != '~') names.push_back(text.substr(begin, end - begin));
  }
  return names;
}

bool overrides(const std::string& text, const std::string& name) {
  const std::string call = " " + name + "(";
  for (std::size_t at = 0; (at = text.find(call, at)) != std::string::npos; ++at) {
    const std::string declaration = text.substr(at, text.find_first_of(";{", at) - at);
    if (declaration.find(" override") != std::string::npos) return true;
  }
  return false;
}

TEST(CountingBackend, OverridesEveryKernelOfBackend) {
  // A fused kernel that is not forwarded would fall back to its plain twin without a word.
  const std::filesystem::path source = BASIS_SOURCE;
  const std::string counting = read_file(source / "experiments/counting_backend.h");
  const std::string header = read_file(source / "tensor/backend.h");
  const std::vector<std::string> names =
      virtual_functions(header.substr(header.find("class Backend {")));
  for (const std::string& name : names) EXPECT_TRUE(overrides(counting, name)) << name;
  EXPECT_GT(names.size(), 40U);
  EXPECT_FALSE(overrides(counting, "reset"));
}

// ---- A whole step of a tiny BERT
// ------------------------------------------------------------------

constexpr std::int64_t rows = 64;              // 5 tokens in a bucket of the backend's
constexpr double H = 8, F = 32, B = 2, C = 2;  // width, feed-forward, sequences, classes
constexpr double pairs = 3 * 3 + 2 * 2, first_pairs = 3 + 2;  // of a query and a key

BenchStepOptions tiny(const std::string& head) {
  BenchStepOptions options;
  options.config = bench_size("tiny");
  options.config->vocab_size = 20;
  options.config->hidden_size = 8;
  options.config->intermediate_size = 32;
  options.config->num_hidden_layers = 1;
  options.config->num_attention_heads = 2;
  options.config->max_position_embeddings = 4;
  options.head = head;
  options.threads = 1;
  options.warmup_steps = 0;
  options.measures_floor = false;
  options.method.kind = "full";
  HostBatch batch;
  batch.lengths = {3, 2};
  batch.ids = {1, 2, 3, 4, 5};
  batch.positions = {0, 1, 2, 0, 1};
  batch.types = {0, 0, 1, 0, 1};
  batch.labels = {0, 1};
  batch.example_indices = {0, 1};
  options.batches = {batch};
  return options;
}

TEST(WorkOfAStep, CountsTheProductsOfATrainingStep) {
  const double layer = 2 * rows * (4 * H * H + 2 * H * F);  // query, key, value, output; two of FFN
  const double classifier = 2 * B * H * C;
  const BenchStepResult step = bench_step(tiny("mean"));
  // Forward, input gradient, weight gradient; attention's two products and five.
  EXPECT_EQ(step.work.flops(), 3 * (layer + classifier) + (4 + 10) * H * pairs);
  EXPECT_EQ(step.work.flops(), step.work.flops_f32);
  EXPECT_EQ(step.trained, step.parameters);
}

TEST(WorkOfAStep, LeavesOutWhatIsNotDone) {
  const double layer = 2 * rows * (4 * H * H + 2 * H * F);
  const double classifier = 2 * B * H * C;
  // The head alone: no gradient of the encoder, and none of the classifier's input.
  BenchStepOptions options = tiny("mean");
  options.method.kind = "head";
  EXPECT_EQ(bench_step(options).work.flops(), layer + 4 * H * pairs + 2 * classifier);
  // With a pooler only keys and values are made of all rows.
  BenchStepOptions pooled = tiny("pooler");
  pooled.is_evaluation = true;
  EXPECT_EQ(bench_step(pooled).work.flops(), 2 * rows * 2 * H * H +
                                                 2 * B * (2 * H * H + 2 * H * F) +
                                                 4 * H * first_pairs + 2 * B * H * H + classifier);
}

TEST(WorkOfAStep, CountsTheBytesOfAForwardPass) {
  BenchStepOptions options = tiny("mean");
  options.is_evaluation = true;
  constexpr double width = 4 * rows * H, ids = 4 * rows, vector = 4 * H;
  // gamma and beta, out, and 1 / standard deviation for each row.
  const double norm = 2 * vector + width + 4 * rows;
  const double embeddings = 20 * vector + 4 * vector + 2 * vector + 3 * ids + norm;
  const double residual_norm = 2 * width + norm;
  const double gelu = 2 * 4 * rows * F + 4 * F;
  const double pool = width + B * vector;
  EXPECT_EQ(bench_step(options).work.bytes, embeddings + 2 * residual_norm + gelu + pool);
}

// ---- Floor
// ----------------------------------------------------------------------------------------

TEST(Floor, AddsEachDtypesFlopsByItsRoofAndBytesByTheCopy) {
  const WorkCount work{.flops_f32 = 30, .flops_bf16 = 80, .flops_f64 = 0, .bytes = 6};
  const Roofs roofs{.flops_f32 = 10, .flops_bf16 = 20, .flops_f64 = 0, .memory_bytes = 2};
  EXPECT_EQ(floor_seconds(work, roofs), 3 + 4 + 3);
}

}  // namespace
}  // namespace basis
