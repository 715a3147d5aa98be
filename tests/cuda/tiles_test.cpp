// Which element stands in which lane, and in which bank: on a host thread, the warp's lanes in
// turns.
#include "tensor/cuda/tiles.h"

#include <array>
#include <cmath>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "tensor/cuda/kernels/attention_pairs.h"

namespace basis::cuda::emulated {
namespace {

/// Runs `body` once in each lane of a warp.
template <class Body>
void run_warp(std::size_t shared_bytes, const Body& body) {
  run_grid({1, 1, 1}, warp_size, shared_bytes, body);
}

BFloat16 bf16(int number) {
  return narrow(static_cast<float>(number));  // below 256: exact
}

template <int Columns>
void expect_tile_without_bank_conflicts() {
  constexpr int packs = Columns / pack_size, banks = 128 / 16;  // of 16 bytes
  for (int row = 0; row < 64; row += 8) {
    for (int pack = 0; pack < packs; ++pack) {
      std::set<int> used;
      for (int r = row; r < row + 8; ++r) {
        used.insert((r * packs + swizzled_pack<Columns>(r, pack)) % banks);
      }
      EXPECT_EQ(used.size(), 8u) << Columns << " columns, row " << row << ", pack " << pack;
    }
    std::set<int> places;
    for (int pack = 0; pack < packs; ++pack) places.insert(swizzled_pack<Columns>(row + 3, pack));
    EXPECT_EQ(places.size(), static_cast<std::size_t>(packs));
    EXPECT_LT(*places.rbegin(), packs);
  }
}

TEST(Tiles, EightRowsOfAPackLieInAllBanks) {
  expect_tile_without_bank_conflicts<32>();
  expect_tile_without_bank_conflicts<64>();
  expect_tile_without_bank_conflicts<128>();
}

/// Two 32 x 64 tiles of small whole numbers in shared memory, and a 16 x 16 product of parts of
/// them as a warp makes it. Sums are exact in f32.
struct Products {
  static constexpr int columns = 64, rows = 32;
  static int left(int row, int column) { return (row * 7 + column * 3) % 11 - 5; }
  static int right(int row, int column) { return (row * 5 + column * 13) % 17 - 8; }

  /// product(a tile, b tile) gives an A and two Bs; out[row][column].
  template <class Product>
  static std::array<std::array<float, 16>, 16> run(const Product& product) {
    std::array<std::array<float, 16>, 16> out = {};
    run_warp(2 * tile_bytes<rows, columns>, [&] {
      const SharedTile<columns> a{shared_memory<BFloat16>()}, b{a.end(rows)};
      for (int row = lane_of_thread(); row < rows; row += warp_size) {
        for (int column = 0; column < columns; ++column) {
          *a.at(row, column) = bf16(left(row, column));
          *b.at(row, column) = bf16(right(row, column));
        }
      }
      __syncthreads();
      FragmentC sums[2] = {};
      product(sums, a, b);
      for (int n = 0; n < 2; ++n) {
        for (int i = 0; i < 4; ++i) {
          const int lane = lane_of_thread(), column = 8 * n + column_of_sum(lane, i);
          out.at(static_cast<std::size_t>(row_of_sum(lane, i)))
              .at(static_cast<std::size_t>(column)) = sums[n].at[i];
        }
      }
    });
    return out;
  }

  template <class A, class B>
  static void expect(const std::array<std::array<float, 16>, 16>& out, const A& a, const B& b) {
    for (int row = 0; row < 16; ++row) {
      for (int column = 0; column < 16; ++column) {
        int sum = 0;
        for (int k = 0; k < 16; ++k) sum += a(row, k) * b(k, column);
        EXPECT_EQ(out[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)], sum)
            << "row " << row << ", column " << column;
      }
    }
  }
};

TEST(Tiles, RowsTimesTransposedRows) {
  const auto out = Products::run([](FragmentC* sums, auto a, auto b) {
    multiply_add(sums[0], sums[1], load_a(a, 16, 32), load_b_transposed(b, 48, 16));
  });
  Products::expect(
      out, [](int row, int k) { return Products::left(16 + row, 32 + k); },
      [](int k, int column) { return Products::right(16 + column, 48 + k); });
}

TEST(Tiles, TransposedRowsTimesRows) {
  const auto out = Products::run([](FragmentC* sums, auto a, auto b) {
    multiply_add(sums[0], sums[1], load_a_transposed(a, 48, 16), load_b(b, 16, 32));
  });
  Products::expect(
      out, [](int row, int k) { return Products::left(16 + k, 48 + row); },
      [](int k, int column) { return Products::right(16 + k, 32 + column); });
}

TEST(Tiles, SumsBecomeAnOperandAndAStoredTile) {
  const auto out = Products::run([](FragmentC* sums, auto a, auto b) {
    FragmentC pairs[2];
    for (int n = 0; n < 2; ++n) {
      for (int i = 0; i < 4; ++i) {
        const int lane = lane_of_thread(), column = 8 * n + column_of_sum(lane, i);
        pairs[n].at[i] = static_cast<float>(row_of_sum(lane, i) - 2 * column);
      }
    }
    const FragmentA held = rounded_a(pairs[0], pairs[1]);
    store_a(held, a, 16, 16);
    __syncthreads();
    multiply_add(sums[0], sums[1], held, load_b(b, 0, 0));
    multiply_add(sums[0], sums[1], load_a(a, 16, 16), load_b(b, 0, 0));
  });
  Products::expect(
      out, [](int row, int k) { return 2 * (row - 2 * k); },
      [](int k, int column) { return Products::right(k, column); });
}

/// Every lane's numbers are kept exactly where each element by itself is.
template <RowsAre rows>
void expect_kept_as_drawn_alone() {
  StepState state;
  state.seed = 7;
  state.step = 3;
  const Dropout dropout = make_dropout(0.4, 5);
  const std::vector<std::int32_t> offsets = {0, 100};
  SequenceView sequences;
  sequences.offsets = offsets.data();
  sequences.sequences = 1;
  sequences.first_example = 2;
  constexpr int first_query = 48, first_key = 80, head = 3;
  int kept = 0;
  run_warp(0, [&] {
    const HeadPlace place(sequences, 64, head);
    const KeptPairs<rows> is_kept(place, dropout, &state, first_query, first_key);
    for (int n = 0; n < 2; ++n) {
      for (int i = 0; i < 4; ++i) {
        const int lane = lane_of_thread();
        const int query = first_query + PairLanes<rows>::query(lane, n, i);
        const int key = first_key + PairLanes<rows>::key(lane, n, i);
        const auto element = attention_element(head, static_cast<std::uint64_t>(query),
                                               static_cast<std::uint64_t>(key));
        const Draws alone =
            draw_eight(static_cast<std::uint32_t>(element / 8), place.example, dropout, &state);
        EXPECT_EQ(is_kept(n, i), alone.at(key % 8) >= dropout.threshold)
            << "query " << query << ", key " << key;
        if (is_kept(n, i)) ++kept;
      }
    }
  });
  EXPECT_GT(kept, 100);
  EXPECT_LT(kept, 200);
}

TEST(AttentionPairs, DropoutIsThatOfEachPairAlone) {
  expect_kept_as_drawn_alone<RowsAre::Queries>();
  expect_kept_as_drawn_alone<RowsAre::Keys>();
}

}  // namespace
}  // namespace basis::cuda::emulated
