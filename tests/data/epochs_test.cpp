#include "data/epochs.h"

#include <gtest/gtest.h>

#include "data/image_batches.h"
#include "tensor/error.h"

namespace basis {
namespace {

EncodedDataset rows_of(std::int64_t count) {
  EncodedDataset dataset;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto length = static_cast<std::size_t>(1 + i % 5);
    dataset.append({std::vector<std::int32_t>(length, 7), std::vector<std::int32_t>(length, 0)}, 0);
  }
  return dataset;
}

std::vector<std::int32_t> examples_of(Epochs& epochs, std::int64_t step) {
  std::vector<std::int32_t> examples;
  for (const MicroBatch& micro : epochs.micro_batches(step)) {
    examples.insert(examples.end(), micro.examples.begin(), micro.examples.end());
  }
  return examples;
}

TEST(Epochs, StepsAreThoseOfEachEpochsPlanInOrder) {
  const EncodedDataset dataset = rows_of(23);
  const BatchOptions options{0, 16, 0, true, false};  // by tokens: epochs may differ in length
  Epochs epochs(dataset, options, 3);
  std::int64_t step = 0;
  for (std::uint64_t epoch = 0; epoch < 4; ++epoch) {
    const BatchPlan plan(dataset, options, 3, epoch);
    for (std::int64_t batch = 0; batch < plan.size(); ++batch, ++step) {
      const auto wanted = plan.examples(batch);
      EXPECT_EQ(examples_of(epochs, step), std::vector<std::int32_t>(wanted.begin(), wanted.end()))
          << "epoch " << epoch << " batch " << batch;
    }
    EXPECT_EQ(epochs.steps_of(static_cast<std::int64_t>(epoch) + 1), step);
  }
}

TEST(Epochs, AStepIsTheSameWhereverOneComesFrom) {
  const EncodedDataset dataset = rows_of(23);
  const BatchOptions options{4, 0, 3, true, false};
  Epochs in_order(dataset, options, 1);
  for (std::int64_t step = 0; step < 14; ++step) examples_of(in_order, step);
  Epochs resumed(dataset, options, 1);
  EXPECT_EQ(examples_of(resumed, 13), examples_of(in_order, 13));
  EXPECT_EQ(examples_of(resumed, 2), examples_of(in_order, 2));
}

TEST(Epochs, OfImagesAreThoseOfRowsOfEqualLength) {
  const std::vector<std::int64_t> offsets = equal_offsets(10, 16);
  EXPECT_EQ(offsets.front(), 0);
  EXPECT_EQ(offsets.back(), 160);
  EncodedDataset rows;
  for (int i = 0; i < 10; ++i) rows.append({std::vector(16, 7), std::vector(16, 0)}, 0);
  EXPECT_EQ(offsets, rows.offsets);
  const BatchOptions options{4, 0, 0, true, false};
  Epochs of_images(offsets, options, 5), of_rows(rows, options, 5);
  for (std::int64_t step = 0; step < 7; ++step) {
    EXPECT_EQ(examples_of(of_images, step), examples_of(of_rows, step));
  }
  EXPECT_EQ(of_images.steps_of(2), 6);
  const std::vector<std::int64_t> none = equal_offsets(0, 16);
  EXPECT_THROW(Epochs(none, options, 5), Error);
}

}  // namespace
}  // namespace basis
