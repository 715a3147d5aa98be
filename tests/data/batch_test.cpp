#include "data/batch.h"

#include <algorithm>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "data/batch_plan.h"
#include "tensor/caching_allocator.h"
#include "tensor/cpu/cpu_backend.h"
#include "tests/data/sample_dataset.h"
#include "tests/data/test_files.h"

namespace basis {
namespace {

std::vector<std::vector<std::int32_t>> batches_of(const BatchPlan& plan) {
  std::vector<std::vector<std::int32_t>> batches;
  for (std::int64_t b = 0; b < plan.size(); ++b) {
    const auto examples = plan.examples(b);
    batches.emplace_back(examples.begin(), examples.end());
  }
  return batches;
}

struct PlanCase {
  const char* what;
  BatchOptions options;
};

const PlanCase plan_cases[] = {
    {"by examples", {.examples = 32}},
    {"by examples, in order", {.examples = 32, .is_shuffled = false}},
    {"by tokens", {.examples = 0, .tokens = 200}},
    {"by tokens below the longest", {.examples = 0, .tokens = 10}},
    {"by both", {.examples = 4, .tokens = 200}},
    {"grouped", {.examples = 8, .is_length_grouped = true}},
    {"grouped by tokens", {.examples = 0, .tokens = 300, .is_length_grouped = true}},
    {"micro-batches", {.examples = 32, .micro_examples = 5}},
    {"one batch", {.examples = 5000}},
};

TEST(BatchPlan, HoldsEveryExampleOnceWithinTheLimits) {
  const EncodedDataset dataset = sample_dataset(varied_lengths(501));
  for (const PlanCase& one : plan_cases) {
    SCOPED_TRACE(one.what);
    const BatchPlan plan(dataset, one.options, 7, 0);
    std::vector<std::int32_t> seen;
    for (const auto& batch : batches_of(plan)) {
      std::int64_t tokens = 0;
      for (std::int32_t example : batch) tokens += dataset.length(example);
      EXPECT_FALSE(batch.empty());
      if (one.options.examples > 0) {
        EXPECT_LE(std::ssize(batch), one.options.examples);
      }
      if (one.options.tokens > 0 && batch.size() > 1) {
        EXPECT_LE(tokens, one.options.tokens);
      }
      seen.insert(seen.end(), batch.begin(), batch.end());
    }
    std::sort(seen.begin(), seen.end());
    std::vector<std::int32_t> all(501);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(seen, all);
  }
}

TEST(BatchPlan, FillsBatchesAsFarAsTheBudgetGoes) {
  const EncodedDataset dataset = sample_dataset({4, 4, 4, 20, 5, 5});
  const BatchPlan plan(dataset, {.examples = 0, .tokens = 10, .is_shuffled = false}, 0, 0);
  EXPECT_EQ(batches_of(plan), (std::vector<std::vector<std::int32_t>>{{0, 1}, {2}, {3}, {4, 5}}));
}

TEST(BatchPlan, IsTheSameForASeedAndEpochAndAnotherForOthers) {
  const EncodedDataset dataset = sample_dataset(varied_lengths(501));
  for (bool is_grouped : {false, true}) {
    const BatchOptions options = {.examples = 8, .is_length_grouped = is_grouped};
    const auto batches = batches_of(BatchPlan(dataset, options, 3, 1));
    EXPECT_EQ(batches, batches_of(BatchPlan(dataset, options, 3, 1)));
    EXPECT_NE(batches, batches_of(BatchPlan(dataset, options, 3, 2)));
    EXPECT_NE(batches, batches_of(BatchPlan(dataset, options, 4, 1)));
  }
}

TEST(BatchPlan, ShufflesEvenly) {
  // Over 600 epochs each of 6 examples stands first about 100 times: 5 standard deviations of a
  // binomial, 5 * sqrt(600 * 1/6 * 5/6) = 46.
  const EncodedDataset dataset = sample_dataset({3, 3, 3, 3, 3, 3});
  std::vector<int> first(6);
  for (std::uint64_t epoch = 0; epoch < 600; ++epoch) {
    ++first[static_cast<std::size_t>(
        BatchPlan(dataset, {.examples = 1}, 11, epoch).examples(0)[0])];
  }
  for (int count : first) EXPECT_NEAR(count, 100, 46);
}

TEST(BatchPlan, GroupsBySimilarLengthAndShufflesTheBatches) {
  const EncodedDataset dataset = sample_dataset(varied_lengths(4000));
  const auto padding = [&](const BatchPlan& plan) {  // share of a batch padded to its longest
    double real = 0, padded = 0;
    for (const auto& batch : batches_of(plan)) {
      std::int64_t longest = 0;
      for (std::int32_t example : batch) {
        real += static_cast<double>(dataset.length(example));
        longest = std::max(longest, dataset.length(example));
      }
      padded += static_cast<double>(longest) * static_cast<double>(batch.size());
    }
    return 1 - real / padded;
  };
  const BatchPlan random(dataset, {.examples = 16}, 5, 0);
  const BatchPlan grouped(dataset, {.examples = 16, .is_length_grouped = true}, 5, 0);
  EXPECT_GT(padding(random), 0.3);
  EXPECT_LT(padding(grouped), 0.05);
  std::int64_t falls = 0;  // sorted pools unshuffled would fall almost always
  for (std::int64_t b = 1; b < grouped.size(); ++b) {
    falls += dataset.length(grouped.examples(b)[0]) < dataset.length(grouped.examples(b - 1)[0]);
  }
  EXPECT_GT(falls, grouped.size() / 4);
  EXPECT_LT(falls, 3 * grouped.size() / 4);
}

TEST(BatchPlan, CutsMicroBatchesThatKnowTheirPlace) {
  const EncodedDataset dataset = sample_dataset(varied_lengths(40));
  const BatchPlan plan(dataset, {.examples = 16, .micro_examples = 6}, 5, 0);
  const auto micro = plan.micro_batches(0);
  ASSERT_EQ(micro.size(), 3u);
  const auto whole = plan.examples(0);
  for (const MicroBatch& one : micro) {
    for (std::size_t i = 0; i < one.examples.size(); ++i) {
      EXPECT_EQ(one.examples[i], whole[static_cast<std::size_t>(one.first_example) + i]);
    }
  }
  EXPECT_EQ(micro[2].first_example, 12);
  EXPECT_EQ(micro[2].examples.size(), 4u);
}

TEST(BatchPlan, TellsTheLargestMicroBatch) {
  const EncodedDataset dataset = sample_dataset({60, 10, 30, 70, 1, 2, 3, 90});
  const BatchOptions options = {.examples = 4, .micro_examples = 2, .is_shuffled = false};
  const BatchPlan plan(dataset, options, 0, 0);  // 70 | 100 || 3 | 93
  EXPECT_EQ(plan.max_tokens(), 100);
  EXPECT_EQ(plan.max_rows(64), 128);
  EXPECT_EQ(plan.max_sequences(), 2);
  EXPECT_EQ(plan.longest(), 90);
}

TEST(BatchPlan, RefusesNoExamplesAndNoLimit) {
  EXPECT_THROW(BatchPlan(EncodedDataset{}, {}, 0, 0), Error);
  EXPECT_THROW(BatchPlan(sample_dataset({3}), {.examples = 0}, 0, 0), Error);
  EXPECT_THROW(BatchPlan(sample_dataset({3}), {.examples = -1}, 0, 0), Error);
}

TEST(HostBatch, PacksRowsOneBehindTheOther) {
  EncodedDataset dataset = sample_dataset({2, 4, 3});
  dataset.targets = {0.5, 1.5, 2.5};
  const std::vector<std::int32_t> rows = {2, 0};
  const HostBatch batch = gather_batch(dataset, rows, 8);
  EXPECT_EQ(batch.lengths, (std::vector<std::int32_t>{3, 2}));
  EXPECT_EQ(batch.ids, (std::vector<std::int32_t>{2000, 2001, 2002, 0, 1}));
  EXPECT_EQ(batch.positions, (std::vector<std::int32_t>{0, 1, 2, 0, 1}));
  EXPECT_EQ(batch.types, (std::vector<std::int32_t>{0, 0, 1, 0, 1}));
  EXPECT_EQ(batch.labels, (std::vector<std::int32_t>{2, 0}));
  EXPECT_EQ(batch.targets, (std::vector<double>{2.5, 0.5}));
  EXPECT_EQ(batch.first_example, 8);
  EXPECT_THROW(gather_batch(dataset, {}, 0), Error);
}

class BatchOnTheDevice : public testing::Test {
 protected:
  std::unique_ptr<Backend> backend_ = make_cpu_backend(1);
  CachingAllocator allocator_{*backend_};
};

TEST_F(BatchOnTheDevice, HasZerosBeyondItsTokens) {
  const EncodedDataset dataset = sample_dataset({2, 40, 30});
  const std::vector<std::int32_t> rows = {1, 2};
  const Batch batch = make_batch(*backend_, allocator_, dataset, rows, 4);
  const HostBatch host = gather_batch(dataset, rows, 4);
  EXPECT_EQ(batch.layout.tokens(), 70);
  EXPECT_EQ(batch.layout.rows() % backend_->row_bucket(), 0);
  EXPECT_EQ(batch.layout.view().first_example, 4);
  const std::pair<const Tensor*, const std::vector<std::int32_t>*> parts[] = {
      {&batch.ids, &host.ids}, {&batch.positions, &host.positions}, {&batch.types, &host.types}};
  for (const auto& [tensor, values] : parts) {
    std::vector<std::int32_t> expected = *values;
    expected.resize(static_cast<std::size_t>(batch.layout.rows()), 0);
    EXPECT_EQ(to_host<std::int32_t>(*backend_, *tensor), expected);
  }
  EXPECT_EQ(to_host<std::int32_t>(*backend_, batch.labels), host.labels);
  EXPECT_TRUE(batch.targets.is_empty());
  EXPECT_EQ(batch.example_indices, rows);
}

/// Rows of `tokens` patches of three pixels, all pixels apart.
EncodedDataset sample_patches(std::int64_t rows, std::int64_t tokens) {
  EncodedDataset dataset;
  dataset.patch_values = 3;
  dataset.patches.resize(static_cast<std::size_t>(rows * tokens * 3));
  std::iota(dataset.patches.begin(), dataset.patches.end(), 1.0f);
  for (std::int64_t row = 0; row < rows; ++row) {
    dataset.offsets.push_back((row + 1) * tokens);
    dataset.labels.push_back(static_cast<std::int32_t>(row % 3));
  }
  return dataset;
}

TEST(HostBatch, PacksPatchesInPlaceOfIds) {
  const EncodedDataset dataset = sample_patches(4, 2);
  const HostBatch batch = gather_batch(dataset, std::vector<std::int32_t>{3, 1}, 0);
  EXPECT_EQ(batch.lengths, (std::vector<std::int32_t>{2, 2}));
  EXPECT_EQ(batch.patches, (std::vector<float>{19, 20, 21, 22, 23, 24, 7, 8, 9, 10, 11, 12}));
  EXPECT_EQ(batch.positions, (std::vector<std::int32_t>{0, 1, 0, 1}));
  EXPECT_EQ(batch.labels, (std::vector<std::int32_t>{0, 1}));
  EXPECT_TRUE(batch.ids.empty());
  EXPECT_EQ(first_rows(dataset, 2).patches,
            std::vector<float>(dataset.patches.begin(), dataset.patches.begin() + 12));
  EXPECT_THROW(serialize(dataset), InternalError);
}

TEST_F(BatchOnTheDevice, HasPatchesWithZerosBeyondItsTokens) {
  const EncodedDataset dataset = sample_patches(40, 2);
  const std::vector<std::int32_t> rows = {7, 2};
  const Batch batch = make_batch(*backend_, allocator_, dataset, rows, 0, DType::BF16);
  std::vector<float> expected = gather_batch(dataset, rows, 0).patches;
  expected.resize(static_cast<std::size_t>(batch.layout.rows() * 3), 0);
  EXPECT_EQ(batch.patches.shape(), (Shape{batch.layout.rows(), 3}));
  EXPECT_EQ(to_host<float>(*backend_, batch.patches), expected);
  EXPECT_TRUE(batch.ids.is_empty());
  EXPECT_TRUE(batch.segments.is_empty());
  const Batch full = make_batch(*backend_, allocator_, dataset, rows, 0, DType::F64);
  EXPECT_EQ(to_host<double>(*backend_, full.patches),
            std::vector<double>(expected.begin(), expected.end()));
}

TEST_F(BatchOnTheDevice, OfPatchesStandsInOnePlaceForItsShape) {
  const EncodedDataset dataset = sample_patches(40, 2);
  FixedBatches fixed(*backend_, allocator_, DType::F32);
  const HostBatch first = gather_batch(dataset, std::vector<std::int32_t>{0, 1, 2}, 0),
                  other = gather_batch(dataset, std::vector<std::int32_t>{9, 8, 7}, 0);
  const Batch* batch = fixed.place(first);
  ASSERT_NE(batch, nullptr);
  const void* place = batch->patches.bytes_begin();
  ASSERT_EQ(fixed.place(other), batch);
  EXPECT_EQ(batch->patches.bytes_begin(), place);
  std::vector<float> expected = other.patches;
  expected.resize(static_cast<std::size_t>(batch->layout.rows() * 3), 0);
  EXPECT_EQ(to_host<float>(*backend_, batch->patches), expected);
  EXPECT_EQ(to_host<std::int32_t>(*backend_, batch->labels), other.labels);
}

TEST_F(BatchOnTheDevice, CountsTheLabelsThatAreKnown) {
  EncodedDataset dataset = sample_dataset({2, 3, 4});
  dataset.labels[1] = -1;
  EXPECT_EQ(
      make_batch(*backend_, allocator_, dataset, std::vector<std::int32_t>{0, 1, 2}, 0).loss_count,
      2);
}

TEST_F(BatchOnTheDevice, HasTargetsOfTheAccumulationDtype) {
  EncodedDataset dataset = sample_dataset({2, 3});
  dataset.labels = {-1, -1};
  dataset.targets = {0.1, 5};
  const std::vector<std::int32_t> rows = {1, 0};
  const Batch half = make_batch(*backend_, allocator_, dataset, rows, 0, DType::BF16);
  EXPECT_EQ(half.loss_count, 2);
  EXPECT_EQ(half.targets.shape(), (Shape{2, 1}));
  EXPECT_EQ(to_host<float>(*backend_, half.targets), (std::vector<float>{5, 0.1f}));
  const Batch full = make_batch(*backend_, allocator_, dataset, rows, 0, DType::F64);
  EXPECT_EQ(to_host<double>(*backend_, full.targets), (std::vector<double>{5, 0.1}));
}

}  // namespace
}  // namespace basis
