#include <cmath>

#include "tests/tensor/parity_attention.h"

// Attention where rows are aligned, as a model has them: what a GPU's tensor cores do.

namespace basis {
namespace {

using ParityOfAlignedAttention = Parity;
INSTANTIATE_TEST_SUITE_P(Cuda, ParityOfAlignedAttention, testing::ValuesIn(cuda_variants()),
                         variant_name);

struct AlignedCase {
  std::vector<std::int32_t> lengths;
  std::int64_t heads, head_size;
  double probability;
};

const std::vector<AlignedCase> aligned_cases = {
    {{1}, 1, 64, 0},
    {{15, 16, 17, 1, 63, 64}, 2, 64, 0},
    {{15, 16, 17, 1, 63, 64}, 3, 32, 0.1},
    {{2, 33}, 1, 128, 0.5},
    {{65, 127, 128, 7}, 2, 64, 0.1},
    {{128, 100}, 1, 32, 0},
    {{81, 16}, 1, 128, 0.1},
    {{129, 200}, 1, 64, 0.1},
    {{512, 33, 1, 64, 65}, 1, 64, 0.1},
    {{191, 257, 31}, 2, 32, 0},
    {{66, 128, 300}, 1, 128, 0.1},
};

std::string describe(const AlignedCase& c) {
  return describe_attention(c.lengths, c.heads, c.head_size, c.probability);
}

/// Tensor cores multiply in bf16, so a probability p (and in backward its score's gradient) is
/// rounded before its product with v: by up to 2^-9 of itself. With sum p = 1 and |v| below 4.5
/// that is 4.5 2^-9 at most; in f32 nothing is rounded so.
double rounding_units(DType dtype, double magnitude) {
  if (dtype != DType::BF16) return 0;
  return magnitude * std::ldexp(1, -9) / std::ldexp(1, -23);
}

TEST_P(ParityOfAlignedAttention, ForwardAndGradient) {
  StepState state;
  state.seed = 99;
  state.step = 5;
  for (const AlignedCase& c : aligned_cases) {
    const Packing packing(c.lengths, 3);
    const std::int64_t rows = packing.view().rows, width = c.heads * c.head_size;
    const Dropout site = make_dropout(c.probability, 6);
    const AttentionShape shape{c.heads, c.head_size,
                               1 / std::sqrt(static_cast<double>(c.head_size))};
    Matrix qkv = random(rows, 3 * width);
    const ConstMatrixView q = qkv.columns(0, width), k = qkv.columns(width, 2 * width),
                          v = qkv.columns(2 * width, 3 * width);
    Matrix dout = random(rows, width);
    for (std::int64_t i = packing.tokens(); i < rows; ++i) {
      for (std::int64_t j = 0; j < width; ++j) dout.set(i, j, 0);
    }
    const double kept = 1 / (1 - c.probability);
    const double units = 8 * std::sqrt(static_cast<double>(c.head_size)) * 5 + 16;
    const double out_units = units + rounding_units(dtype(), 4.5 * kept);
    // Of dS = scale p (dP - delta), with |dP| and |delta| below 4 sqrt(D) kept; a column of P sums
    // to about one, and roundings are as often up as down.
    const double gradient_units =
        units * 4 * std::sqrt(static_cast<double>(c.head_size)) + rounding_units(dtype(), 8 * kept);
    const AttentionCall call{q, k, v, packing.view(), shape, site, &state};
    compare(describe(c),
            {{poisoned(rows, width), out_units}, {poisoned_wide(rows, c.heads), units}},
            [&](Backend& b, auto& o) { call.forward(b, o[0].matrix.view(), o[1].matrix.view()); });
    compare(describe(c) + " without log-sum-exp", {{poisoned(rows, width), out_units}},
            [&](Backend& b, auto& o) { call.forward(b, o[0].matrix.view(), {}); });

    Matrix out = poisoned(rows, width), lse = poisoned_wide(rows, c.heads);
    call.forward(*reference_, out.view(), lse.view());
    compare(describe(c) + " gradient", {{poisoned(rows, 3 * width), gradient_units}},
            [&](Backend& b, auto& o) {
              Matrix& d = o[0].matrix;
              call.gradient(b, dout, out, lse, d.columns(0, width), d.columns(width, 2 * width),
                            d.columns(2 * width, 3 * width));
            });
  }
}

// One query a sequence.
TEST_P(ParityOfAlignedAttention, OfFirstRows) {
  StepState state;
  state.seed = 99;
  state.step = 5;
  for (const AlignedCase& c : aligned_cases) {
    const Packing packing(c.lengths, 3);
    const SequenceView sequences = packing.view();
    const std::int64_t rows = sequences.rows, width = c.heads * c.head_size;
    const std::int64_t queries = sequences.sequences;
    const Dropout site = make_dropout(c.probability, 6);
    const AttentionShape shape{c.heads, c.head_size,
                               1 / std::sqrt(static_cast<double>(c.head_size)),
                               AttentionShape::Queries::FirstRows};
    const Matrix q = random(queries, width), dout = random(queries, width);
    Matrix kv = random(rows, 2 * width);
    const ConstMatrixView k = kv.columns(0, width), v = kv.columns(width, 2 * width);
    const double units = 8 * std::sqrt(static_cast<double>(c.head_size)) * 5 + 16;
    const double gradient_units = units * 4 * std::sqrt(static_cast<double>(c.head_size));
    Matrix out = poisoned(queries, width), lse = poisoned_wide(queries, c.heads);
    const AttentionCall call{q.view(), k, v, sequences, shape, site, &state};
    compare(describe(c), {{poisoned(queries, width), units}, {lse, units}},
            [&](Backend& b, auto& o) { call.forward(b, o[0].matrix.view(), o[1].matrix.view()); });
    call.forward(*reference_, out.view(), lse.view());
    compare(
        describe(c) + " gradient",
        {{poisoned(queries, width), gradient_units}, {poisoned(rows, 2 * width), gradient_units}},
        [&](Backend& b, auto& o) {
          Matrix& d = o[1].matrix;
          call.gradient(b, dout, out, lse, o[0].matrix.view(), d.columns(0, width),
                        d.columns(width, 2 * width));
        });
  }
}

}  // namespace
}  // namespace basis
