#include "data/masking.h"

#include <cmath>

#include <gtest/gtest.h>

#include "data/batch_plan.h"
#include "tensor/caching_allocator.h"
#include "tensor/cpu/cpu_backend.h"
#include "tests/data/test_files.h"

namespace basis {
namespace {

constexpr SpecialIds special = {0, 1, 2, 3, 4, 30000};

/// Rows of [CLS], `texts[i]` tokens from 100 on, [SEP].
EncodedDataset sequences(const std::vector<int>& texts) {
  EncodedDataset dataset;
  for (int text : texts) {
    Encoding row;
    row.ids.push_back(special.cls);
    for (int p = 0; p < text; ++p) row.ids.push_back(100 + p);
    row.ids.push_back(special.sep);
    row.type_ids.resize(row.ids.size(), 0);
    dataset.append(row, -1);
  }
  return dataset;
}

std::vector<std::int32_t> rows_up_to(int count) {
  std::vector<std::int32_t> rows;
  for (int i = 0; i < count; ++i) rows.push_back(i);
  return rows;
}

TEST(Masking, DrawsTheShareOfEverySequenceAndNeverASpecialToken) {
  const std::vector<int> texts = {1, 2, 10, 100, 126, 0};
  const EncodedDataset dataset = sequences(texts);
  const HostBatch plain = gather_batch(dataset, rows_up_to(6), 0);
  const HostMaskedBatch masked = mask_batch(plain, special, {}, 1, 0);
  std::vector<int> drawn(texts.size());
  for (std::size_t m = 0; m < masked.labels.size(); ++m) {
    const auto row = static_cast<std::size_t>(masked.masked_rows[m]);
    EXPECT_EQ(masked.labels[m], plain.ids[row]);
    EXPECT_FALSE(special.is_special(plain.ids[row]));
    if (m > 0) {
      EXPECT_GT(masked.masked_rows[m], masked.masked_rows[m - 1]);
    }
    std::size_t sequence = 0, end = 0;
    while ((end += static_cast<std::size_t>(plain.lengths[sequence])) <= row) ++sequence;
    ++drawn[sequence];
  }
  EXPECT_EQ(drawn, (std::vector<int>{1, 1, 2, 15, 19, 0}));  // max(1, round(0.15 n)), 0 for n = 0
  EXPECT_EQ(masked.batch.positions, plain.positions);
  EXPECT_EQ(masked.batch.lengths, plain.lengths);
}

TEST(Masking, ChangesDrawnPositionsOnly) {
  const EncodedDataset dataset = sequences({50, 60, 70});
  const HostBatch plain = gather_batch(dataset, rows_up_to(3), 0);
  const HostMaskedBatch masked = mask_batch(plain, special, {}, 1, 0);
  std::vector<std::int32_t> restored = masked.batch.ids;
  for (std::size_t m = 0; m < masked.labels.size(); ++m) {
    restored[static_cast<std::size_t>(masked.masked_rows[m])] = masked.labels[m];
  }
  EXPECT_EQ(restored, plain.ids);
  EXPECT_NE(masked.batch.ids, plain.ids);
}

TEST(Masking, ReplacesEightyTenTen) {
  const EncodedDataset dataset = sequences(std::vector<int>(200, 126));
  const HostBatch plain = gather_batch(dataset, rows_up_to(200), 0);
  double masks = 0, stays = 0, others = 0, sum = 0;
  for (std::uint32_t draw = 0; draw < 10; ++draw) {
    const HostMaskedBatch masked = mask_batch(plain, special, {}, 9, draw);
    for (std::size_t m = 0; m < masked.labels.size(); ++m) {
      const std::int32_t id = masked.batch.ids[static_cast<std::size_t>(masked.masked_rows[m])];
      if (id == special.mask) {
        ++masks;
      } else if (id == masked.labels[m]) {
        ++stays;
      } else {
        ++others;
        sum += id;
      }
    }
  }
  const double n = masks + stays + others;
  EXPECT_EQ(n, 200 * 10 * 19);
  // 5 standard deviations of a binomial share; a random id equals the token once in 30,000.
  EXPECT_NEAR(masks / n, 0.8, 5 * std::sqrt(0.16 / n));
  EXPECT_NEAR(stays / n, 0.1, 5 * std::sqrt(0.09 / n));
  EXPECT_NEAR(others / n, 0.1, 5 * std::sqrt(0.09 / n));
  // Mean of a uniform id: standard deviation V / sqrt(12) each.
  EXPECT_NEAR(sum / others, 15000, 5 * 30000 / std::sqrt(12 * others));
}

TEST(Masking, DrawsEveryPositionEquallyOften) {
  const EncodedDataset dataset = sequences({20});  // 3 of 20 each time
  const HostBatch plain = gather_batch(dataset, rows_up_to(1), 0);
  std::vector<int> drawn(22);
  for (std::uint32_t draw = 0; draw < 4000; ++draw) {
    for (std::int32_t row : mask_batch(plain, special, {}, 2, draw).masked_rows) {
      ++drawn[static_cast<std::size_t>(row)];
    }
  }
  // 5 standard deviations: 5 * sqrt(4000 * 0.15 * 0.85) = 113.
  for (std::size_t p = 1; p <= 20; ++p) EXPECT_NEAR(drawn[p], 600, 113) << p;
}

TEST(Masking, DependsOnSeedDrawAndExampleAndNotOnTheBatch) {
  const EncodedDataset dataset = sequences({60, 60, 60});
  const auto whole = mask_batch(gather_batch(dataset, rows_up_to(3), 0), special, {}, 1, 5);
  const std::vector<std::int32_t> alone = {1};
  const auto one = mask_batch(gather_batch(dataset, alone, 77), special, {}, 1, 5);
  // Row 1 stands in rows [62, 124) of the whole batch.
  const std::vector<std::int32_t> same(whole.batch.ids.begin() + 62, whole.batch.ids.begin() + 124);
  EXPECT_EQ(one.batch.ids, same);
  const std::vector<std::int32_t> first(whole.batch.ids.begin(), whole.batch.ids.begin() + 62);
  EXPECT_NE(first, same);  // equal text, another example
  EXPECT_NE(mask_batch(gather_batch(dataset, alone, 0), special, {}, 1, 6).batch.ids, same);
  EXPECT_NE(mask_batch(gather_batch(dataset, alone, 0), special, {}, 2, 5).batch.ids, same);
}

TEST(Masking, RefusesSharesThatAreNoneAndAMaskOutsideTheVocabulary) {
  const HostBatch batch = gather_batch(sequences({5}), rows_up_to(1), 0);
  EXPECT_THROW(mask_batch(batch, special, {.share = 0}, 0, 0), Error);
  EXPECT_THROW(mask_batch(batch, special, {.mask_share = 0.95}, 0, 0), Error);
  EXPECT_THROW(mask_batch(batch, {0, 1, 2, 3, 4, 4}, {}, 0, 0), Error);
}

TEST(Masking, GivesTheDeviceRowsAndLabels) {
  const auto backend = make_cpu_backend(1);
  CachingAllocator allocator(*backend);
  const auto host =
      mask_batch(gather_batch(sequences({40, 9}), rows_up_to(2), 3), special, {}, 1, 0);
  const MaskedBatch masked = to_device(*backend, allocator, host);
  EXPECT_EQ(masked.batch.loss_count, 7);  // 6 + 1
  EXPECT_EQ(to_host<std::int32_t>(*backend, masked.masked_rows), host.masked_rows);
  EXPECT_EQ(to_host<std::int32_t>(*backend, masked.labels), host.labels);
  EXPECT_EQ(masked.batch.layout.tokens(), 53);
}

TEST(Masking, PutsBatchesOfAShapeInOnePlace) {
  const auto backend = make_cpu_backend(1);
  CachingAllocator allocator(*backend);
  FixedMaskedBatches fixed(*backend, allocator, DType::F32);
  const auto host_of = [](const std::vector<int>& texts, std::uint32_t draw) {
    return mask_batch(gather_batch(sequences(texts), rows_up_to(2), 3), special, {}, 1, draw);
  };
  const HostMaskedBatch first = host_of({40, 9}, 0), second = host_of({30, 25}, 7);
  ASSERT_NE(first.labels.size(), second.labels.size());
  const MaskedBatch before = *fixed.place(first);
  EXPECT_EQ(before.batch.loss_count, 7);
  const MaskedBatch after = *fixed.place(second);
  EXPECT_EQ(after.batch.loss_count, 9);  // round(4.5) and round(3.75)
  EXPECT_EQ(after.masked_rows.bytes_begin(), before.masked_rows.bytes_begin());
  EXPECT_EQ(after.labels.bytes_begin(), before.labels.bytes_begin());
  EXPECT_EQ(after.batch.ids.bytes_begin(), before.batch.ids.bytes_begin());
  EXPECT_EQ(to_host<std::int32_t>(*backend, after.masked_rows), second.masked_rows);
  EXPECT_EQ(to_host<std::int32_t>(*backend, after.labels), second.labels);
  const std::vector<std::int32_t> ids = to_host<std::int32_t>(*backend, after.batch.ids);
  EXPECT_TRUE(std::equal(second.batch.ids.begin(), second.batch.ids.end(), ids.begin()));
  EXPECT_NE(fixed.place(host_of({90, 9}, 0))->labels.bytes_begin(), after.labels.bytes_begin());
}

TEST(UnigramModel, IsTheCrossEntropyOfAddOneFrequencies) {
  EncodedDataset training;
  training.append({{2, 10, 10, 10, 11, 3}, {0, 0, 0, 0, 0, 0}}, -1);
  const SpecialIds small = {0, 1, 2, 3, 4, 12};
  const UnigramModel model(training, small);
  // Counts + 1: id 10 has 4, id 11 has 2, others 1, of 4 tokens + 12 ids.
  const std::vector<std::int32_t> labels = {10, 11, 5};
  EXPECT_NEAR(model.loss(labels),
              -(std::log(4.0 / 16) + std::log(2.0 / 16) + std::log(1.0 / 16)) / 3, 1e-15 * 8);
  EXPECT_THROW(model.loss({}), Error);
  EXPECT_THROW(UnigramModel(training, {0, 1, 2, 3, 4, 11}), Error);
}

TEST(UnigramModel, IsRightWhereTheMostFrequentTokenStands) {
  EncodedDataset training;
  training.append({{2, 11, 11, 10, 3}, {0, 0, 0, 0, 0}}, -1);
  const UnigramModel model(training, {0, 1, 2, 3, 4, 12});
  // Of the labels 10 is the most frequent, of the training text 11.
  EXPECT_EQ(model.accuracy(std::vector<std::int32_t>{10, 10, 11, 5}), 0.25);
  EXPECT_THROW(model.accuracy({}), Error);
}

}  // namespace
}  // namespace basis
