// What the CUDA backend is made of beside kernels, where no device is needed.
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "tensor/cuda/bounded_table.h"
#include "tensor/cuda/kernels/stretches.h"
#include "tensor/cuda/plain.h"
#include "tensor/error.h"

namespace basis::cuda {
namespace {

using testing::AllOf;
using testing::HasSubstr;

template <class Function>
std::string message_of(const Function& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(PlainNames, ChooseTheKernelsThatAreNamedOrAll) {
  EXPECT_TRUE(names_kernel("attention", "attention"));
  EXPECT_TRUE(names_kernel("matmul,attention", "attention"));
  EXPECT_FALSE(names_kernel("matmul,layer_norm", "attention"));
  EXPECT_FALSE(names_kernel("layer_norm_gradient", "layer_norm"));
  for (const char* name : plain_names()) EXPECT_TRUE(names_kernel("all", name)) << name;
}

TEST(PlainNames, RefuseWhatNoKernelIsCalledAndSayWhatThereIs) {
  EXPECT_THAT(message_of([] { names_kernel("matmul,atention", "matmul"); }),
              AllOf(HasSubstr("\"atention\""), HasSubstr("attention"), HasSubstr("\"all\"")));
}

TEST(BoundedTable, ForgetsTheOldestBeyondItsNumber) {
  BoundedTable<int, std::string> table(2);
  table.add(1, "one");
  table.add(2, "two");
  EXPECT_EQ(table.add(3, "three"), "three");
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(table.find(1), nullptr);
  ASSERT_NE(table.find(2), nullptr);
  EXPECT_EQ(*table.find(2), "two");
  table.add(4, "four");
  EXPECT_EQ(table.find(2), nullptr);
  EXPECT_NE(table.find(3), nullptr);
}

struct Stretch {
  int number = 0;
};

/// Every pack of every stretch is one thread's of one chunk.
TEST(Stretches, EveryPackIsOneThreads) {
  const std::vector<std::int64_t> sizes = {8, 2048, 2056, 4096, 16};
  emulated::Stretches<Stretch> table;
  for (std::int64_t size : sizes) table.add({static_cast<int>(size)}, size);
  std::vector<std::vector<int>> seen;
  for (std::int64_t size : sizes) seen.emplace_back(size / emulated::pack_size);
  EXPECT_EQ(table.chunks(), 1 + 1 + 2 + 2 + 1);
  for (std::int32_t chunk = 0; chunk < table.chunks(); ++chunk) {
    const int stretch = table.stretch_of(chunk);
    ASSERT_EQ(table.stretch[stretch].number, sizes[static_cast<std::size_t>(stretch)]);
    for (int t = 0; t < emulated::stretch_threads; ++t) {
      const std::int64_t element = table.element_of(chunk, stretch, t);
      if (element >= sizes[static_cast<std::size_t>(stretch)]) continue;
      ++seen[static_cast<std::size_t>(stretch)]
            [static_cast<std::size_t>(element / emulated::pack_size)];
    }
  }
  for (const std::vector<int>& of_stretch : seen) EXPECT_THAT(of_stretch, testing::Each(1));
}

TEST(Stretches, MoreThanATableTakesAreSeveralTables) {
  std::vector<int> items(130);
  std::iota(items.begin(), items.end(), 0);
  std::vector<int> counts, first;
  emulated::for_tables<Stretch, int>(
      items, [](int item) { return Stretch{item}; }, [](int) { return std::int64_t{8}; },
      [&](const emulated::Stretches<Stretch>& table) {
        counts.push_back(table.count);
        first.push_back(table.stretch[0].number);
      });
  EXPECT_EQ(counts, (std::vector<int>{64, 64, 2}));
  EXPECT_EQ(first, (std::vector<int>{0, 64, 128}));
}

}  // namespace
}  // namespace basis::cuda
