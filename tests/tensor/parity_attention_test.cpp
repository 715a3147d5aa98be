#include "tests/tensor/parity_attention.h"

#include <cmath>

namespace basis {
namespace {

using ParityOfAttention = Parity;
INSTANTIATE_TEST_SUITE_P(Cpu, ParityOfAttention, testing::ValuesIn(kernel_variants()),
                         variant_name);
INSTANTIATE_TEST_SUITE_P(Cuda, ParityOfAttention, testing::ValuesIn(cuda_variants()), variant_name);

struct AttentionCase {
  std::vector<std::int32_t> lengths;
  std::int64_t heads, head_size;
  double probability;
  double query_scale;  // large: one key takes nearly all of the softmax
};

const std::vector<AttentionCase> attention_cases = {
    {{1}, 1, 8, 0, 1},
    {{1, 2, 3}, 2, 8, 0.1, 1},
    {{7, 16, 17, 31, 32, 33}, 3, 32, 0, 1},
    {{7, 16, 17, 31, 32, 33}, 3, 32, 0.1, 1},
    {{53, 17, 64, 1, 65}, 2, 33, 0.1, 1},
    {{53, 17, 64, 1, 65}, 4, 32, 0.1, 1},
    {{100, 129}, 2, 64, 0.5, 1},
    {{64, 128}, 2, 24, 0, 30},
    {{512}, 1, 32, 0.1, 1},
    {{257, 1}, 1, 7, 0.1, 1},
};

std::string describe(const AttentionCase& c) {
  return describe_attention(c.lengths, c.heads, c.head_size, c.probability);
}

StepState some_state() {
  StepState state;
  state.seed = 99;
  state.step = 5;
  return state;
}

AttentionShape shape_of(const AttentionCase& c) {
  return {c.heads, c.head_size, 1 / std::sqrt(static_cast<double>(c.head_size))};
}

// Scores of D products, below 5 query_scale, carry sqrt(D) epsilon of themselves into the exponent,
// the softmax passes that on, and a sum over keys averages it. Gradients: a further factor of
// |dout v| (below 4 sqrt(D)) and of the keys.
double units_of(const AttentionCase& c) {
  return 2 * 4 * std::sqrt(static_cast<double>(c.head_size)) * 5 * c.query_scale + 16;
}
double gradient_units_of(const AttentionCase& c) {
  return units_of(c) * 4 * std::sqrt(static_cast<double>(c.head_size)) * c.query_scale;
}

TEST_P(ParityOfAttention, ForwardAndGradient) {
  const StepState state = some_state();
  for (const AttentionCase& c : attention_cases) {
    const Packing packing(c.lengths, 3);
    const std::int64_t rows = packing.view().rows, width = c.heads * c.head_size;
    const Dropout site = make_dropout(c.probability, 6);
    const AttentionShape shape = shape_of(c);
    // Query, key and value are column slices of one product.
    Matrix qkv = random(rows, 3 * width, 5);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < width; ++j) qkv.set(i, j, qkv.at(i, j) * c.query_scale);
    }
    const ConstMatrixView q = qkv.columns(0, width), k = qkv.columns(width, 2 * width),
                          v = qkv.columns(2 * width, 3 * width);
    Matrix dout = random(rows, width, 2);
    for (std::int64_t i = packing.tokens(); i < rows; ++i) {
      for (std::int64_t j = 0; j < width; ++j) dout.set(i, j, 0);
    }
    const double units = units_of(c), gradient_units = gradient_units_of(c);
    Matrix out = poisoned(rows, width), lse = poisoned_wide(rows, c.heads);
    const AttentionCall call{q, k, v, packing.view(), shape, site, &state};
    compare(describe(c), {{poisoned(rows, width, 3), units}, {lse, units}},
            [&](Backend& b, auto& o) { call.forward(b, o[0].matrix.view(), o[1].matrix.view()); });
    compare(describe(c) + " without log-sum-exp", {{poisoned(rows, width), units}},
            [&](Backend& b, auto& o) { call.forward(b, o[0].matrix.view(), {}); });

    call.forward(*reference_, out.view(), lse.view());
    compare(describe(c) + " gradient", {{poisoned(rows, 3 * width, 1), gradient_units}},
            [&](Backend& b, auto& o) {
              Matrix& d = o[0].matrix;
              call.gradient(b, dout, out, lse, d.columns(0, width), d.columns(width, 2 * width),
                            d.columns(2 * width, 3 * width));
            });
  }
}

// One query a sequence: what its first row gets among all rows, to the bit of the mask.
TEST_P(ParityOfAttention, OfFirstRows) {
  const StepState state = some_state();
  for (const AttentionCase& c : attention_cases) {
    const Packing packing(c.lengths, 3);
    const SequenceView sequences = packing.view();
    const std::int64_t rows = sequences.rows, width = c.heads * c.head_size;
    const std::int64_t queries = sequences.sequences;
    const Dropout site = make_dropout(c.probability, 6);
    AttentionShape shape = shape_of(c);
    shape.queries = AttentionShape::Queries::FirstRows;
    const Matrix q = random(queries, width, 2, c.query_scale), dout = random(queries, width);
    Matrix kv = random(rows, 2 * width, 5);
    const ConstMatrixView k = kv.columns(0, width), v = kv.columns(width, 2 * width);
    Matrix out = poisoned(queries, width), lse = poisoned_wide(queries, c.heads);
    const AttentionCall call{q.view(), k, v, sequences, shape, site, &state};
    compare(describe(c), {{poisoned(queries, width, 3), units_of(c)}, {lse, units_of(c)}},
            [&](Backend& b, auto& o) { call.forward(b, o[0].matrix.view(), o[1].matrix.view()); });
    call.forward(*reference_, out.view(), lse.view());
    compare(describe(c) + " gradient",
            {{poisoned(queries, width, 1), gradient_units_of(c)},
             {poisoned(rows, 2 * width, 1), gradient_units_of(c)}},
            [&](Backend& b, auto& o) {
              Matrix& d = o[1].matrix;
              call.gradient(b, dout, out, lse, o[0].matrix.view(), d.columns(0, width),
                            d.columns(width, 2 * width));
            });
  }
}

// A sequence attends to itself alone: packed with another or by itself at its example number, with
// one thread or three, the same bits.
TEST_P(ParityOfAttention, MasksDoNotDependOnPackingOrThreads) {
  const StepState state = some_state();
  const AttentionShape shape{3, 32, 0.2};
  const Dropout site = make_dropout(0.2, 6);
  const Packing together({37, 70}, 10), apart({70}, 11);
  const Matrix q = random(together.view().rows, 96), k = random(together.view().rows, 96),
               v = random(together.view().rows, 96);
  auto attend = [&](Backend& b, const Packing& packing, std::int64_t first_row) {
    Matrix out = poisoned(packing.view().rows, 96);
    auto from = [&](const Matrix& m) {
      ConstMatrixView view = m.view();
      view.data = static_cast<const std::byte*>(view.data) +
                  static_cast<std::size_t>(first_row * view.row_stride) * size_of(dtype());
      return view;
    };
    Scratch s(b.attention_workspace(packing.view(), shape, dtype()));
    b.attention(from(q), from(k), from(v), packing.view(), shape, site, &state, out.view(), {},
                s.workspace());
    return out;
  };
  const Matrix both = attend(*backend_, together, 0);
  if (GetParam().is_cpu()) {
    const auto other = make_cpu_backend(GetParam().threads == 1 ? 3 : 1, GetParam().isa);
    EXPECT_TRUE(both.bytes() == attend(*other, together, 0).bytes());
  }
  const Matrix second = attend(*backend_, apart, 37);
  for (std::int64_t i = 0; i < 70; ++i) {
    for (std::int64_t j = 0; j < 96; ++j) ASSERT_EQ(second.at(i, j), both.at(37 + i, j)) << i;
  }
}

// Equal scores, and of each key a value that no other has: what is zero was dropped.
TEST_P(ParityOfAttention, MasksAreTheReferences) {
  const StepState state = some_state();
  const Packing packing({37, 64, 3}, 10);
  const AttentionShape shape{2, 64, 1};
  const std::int64_t rows = packing.view().rows;
  Matrix zeros = random(rows, 128), ones = zeros;
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto sequence = packing.sequence_of_row[static_cast<std::size_t>(i)];
    for (std::int64_t j = 0; j < 128; ++j) {
      zeros.set(i, j, 0);
      ones.set(i, j, i - packing.offsets[static_cast<std::size_t>(sequence)] == j % 64 ? 1 : 0);
    }
  }
  auto attend = [&](Backend& b) {
    Matrix out = poisoned(rows, 128);
    Scratch s(b.attention_workspace(packing.view(), shape, dtype()));
    b.attention(zeros.view(), zeros.view(), ones.view(), packing.view(), shape,
                make_dropout(0.3, 6), &state, out.view(), {}, s.workspace());
    return out;
  };
  const Matrix found = attend(*backend_), wanted = attend(*reference_);
  std::int64_t dropped = 0;
  for (std::int64_t i = 0; i < packing.tokens(); ++i) {
    for (std::int64_t j = 0; j < 128; ++j) {
      ASSERT_EQ(found.at(i, j) == 0, wanted.at(i, j) == 0) << "query " << i << ", key " << j;
      dropped += found.at(i, j) == 0 ? 1 : 0;
    }
  }
  EXPECT_GT(dropped, 0);
}

TEST_P(ParityOfAttention, RowMasksDoNotDependOnPackingOrThreads) {
  const StepState state = some_state();
  const Dropout site = make_dropout(0.2, 6);
  const Packing together({37, 70}, 10), apart({70}, 11);
  Matrix ones = random(together.view().rows, 384, 0, 0, 1);
  auto drop = [&](Backend& b, const Packing& packing) {
    Matrix out = poisoned(packing.view().rows, 384);
    ConstMatrixView x = ones.view();
    x.rows = packing.view().rows;
    b.dropout(x, site, packing.view(), &state, out.view());
    return out;
  };
  const Matrix both = drop(*backend_, together);
  // Of whatever device: the CPU's mask, bit for bit.
  const auto other = make_cpu_backend(GetParam().threads == 1 ? 3 : 1, GetParam().isa);
  EXPECT_TRUE(both.bytes() == drop(*other, together).bytes());
  const Matrix second = drop(*backend_, apart);
  std::int64_t dropped = 0;
  for (std::int64_t i = 0; i < 70; ++i) {
    for (std::int64_t j = 0; j < 384; ++j) {
      ASSERT_EQ(second.at(i, j), both.at(37 + i, j)) << i;
      dropped += second.at(i, j) == 0 ? 1 : 0;
    }
  }
  // 26880 draws with p = 0.2: five standard deviations are 0.0122.
  EXPECT_NEAR(static_cast<double>(dropped) / 26880, 0.2, 0.0122);
}

}  // namespace
}  // namespace basis
