#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/tensor/parity.h"

// How rows are stored: rounded, and past the cache where they are large.

namespace basis {
namespace {

using ParityOfStorage = Parity;
INSTANTIATE_TEST_SUITE_P(Cpu, ParityOfStorage, testing::ValuesIn(kernel_variants()), variant_name);

// The layer norm of a row of zeros is its shift: rounding has one answer, and no error is allowed.
TEST_P(ParityOfStorage, RowsAreRoundedToNearestEven) {
  const double step = 1.0 / 128;  // of bf16 above 1
  const double infinity = std::numeric_limits<double>::infinity();
  const double beyond = std::ldexp(1.999, 127);  // above the largest bf16's upper half step
  const std::vector<double> numbers = {1 + step / 2,        1 + 3 * step / 2,
                                       1 + step * 0.51,     1 + step * 1.49,
                                       2 - step / 4,        beyond,
                                       std::ldexp(1, 127),  infinity,
                                       std::ldexp(1, -130), 0,
                                       3.14159265,          1e-3};
  for (const std::int64_t columns : {7, 24, 64 + 33}) {  // single elements, registers, both
    Matrix x = random(2, columns, 0, 0), gamma = random_wide(1, columns), beta = gamma;
    for (std::int64_t j = 0; j < columns; ++j) {
      const double number = numbers[static_cast<std::size_t>(j) % numbers.size()];
      beta.set(0, j, j / 12 % 2 == 0 ? number : -number);
    }
    compare(std::to_string(columns), {{poisoned(2, columns), 0}}, [&](Backend& b, auto& out) {
      b.layer_norm(x.view(), gamma.view(), beta.view(), 1, out[0].matrix.view(), {}, {});
    });
    // Its bits are all ones: rounded as a number it would become -0.
    beta.set(0, 3, static_cast<double>(std::bit_cast<float>(0x7FFFFFFFu)));
    Matrix out(dtype(), 2, columns);
    backend_->layer_norm(x.view(), gamma.view(), beta.view(), 1, out.view(), {}, {});
    EXPECT_TRUE(std::isnan(out.at(1, 3)));
    EXPECT_FALSE(std::isnan(out.at(1, 4)));
  }
}

constexpr std::int64_t width = 800;  // whole cache lines in every dtype
constexpr std::int64_t large = 16 << 20;
constexpr std::int64_t part_rows = 192;

/// Aligned as tensors are, which Matrix is not.
struct Aligned {
  Aligned(Backend& backend, DType dtype_, std::int64_t rows_)
      : dtype(dtype_), rows(rows_), block(backend.reserve(bytes())) {}
  std::size_t bytes() const { return static_cast<std::size_t>(rows * width) * size_of(dtype); }
  MatrixView part(std::int64_t first, std::int64_t count) const {
    const std::size_t skipped = static_cast<std::size_t>(first * width) * size_of(dtype);
    return {block.get() + skipped, dtype, count, width, width};
  }

  DType dtype;
  std::int64_t rows;
  Block block;
};

/// Rows [first, first + count) of the operands to two results.
using RowKernel =
    std::function<void(std::int64_t first, std::int64_t count, MatrixView out, MatrixView second)>;

// Large results are written by other instructions than small ones.
TEST_P(ParityOfStorage, LargeResultsHaveTheBitsOfTheirParts) {
  const std::int64_t per_row = width * static_cast<std::int64_t>(size_of(dtype()));
  const std::int64_t rows = (large / per_row / part_rows + 1) * part_rows;
  const Aligned x(*backend_, dtype(), rows), residual(*backend_, dtype(), rows);
  const Matrix drawn = random(61, width);
  for (std::int64_t t = 0; t < rows; ++t) {
    std::memcpy(x.part(t, 1).data, drawn.bytes().data() + t % 61 * per_row,
                static_cast<std::size_t>(per_row));
    std::memcpy(residual.part(t, 1).data, drawn.bytes().data() + (t + 7) % 61 * per_row,
                static_cast<std::size_t>(per_row));
  }
  const Matrix gamma = random_wide(1, width), beta = random_wide(1, width);
  const Matrix rstd = random_wide(1, rows, 0, 0.1, 1);
  const Dropout site = make_dropout(0.1, 4);
  StepState state;
  state.seed = 5;
  // Row t is example t: a part's masks are those of its rows.
  auto from_row = [](std::int64_t first) {
    SequenceView sequences;
    sequences.first_example = first;
    return sequences;
  };
  Backend& b = *backend_;
  const std::vector<std::pair<std::string, RowKernel>> kernels = {
      {"dropout",
       [&](auto first, auto count, MatrixView out, MatrixView second) {
         b.dropout(x.part(first, count), site, from_row(first), &state, out);
         b.dropout(x.part(first, count), {}, from_row(first), &state, second);
       }},
      {"residual layer norm",
       [&](auto first, auto count, MatrixView out, MatrixView second) {
         b.residual_layer_norm(x.part(first, count), site, residual.part(first, count),
                               from_row(first), &state, gamma.view(), beta.view(), 1e-5, out,
                               second, {});
       }},
      {"residual layer norm gradient",
       [&](auto first, auto count, MatrixView out, MatrixView second) {
         const ConstMatrixView all = rstd.view();
         const ConstMatrixView own{static_cast<const std::byte*>(all.data) +
                                       static_cast<std::size_t>(first) * size_of(all.dtype),
                                   all.dtype, 1, count, count};
         b.residual_layer_norm_gradient(x.part(first, count), residual.part(first, count), own,
                                        gamma.view(), site, from_row(first), &state, out, second, 0,
                                        {}, 0, {}, {});
       }},
  };
  const Aligned out(b, dtype(), rows), second(b, dtype(), rows);
  const Aligned part_out(b, dtype(), part_rows), part_second(b, dtype(), part_rows);
  for (const auto& [name, kernel] : kernels) {
    std::memset(out.block.get(), 0xFF, out.bytes());
    std::memset(second.block.get(), 0xFF, second.bytes());
    kernel(0, rows, out.part(0, rows), second.part(0, rows));
    for (std::int64_t first = 0; first < rows; first += part_rows) {
      kernel(first, part_rows, part_out.part(0, part_rows), part_second.part(0, part_rows));
      ASSERT_EQ(std::memcmp(out.part(first, 1).data, part_out.block.get(), part_out.bytes()), 0)
          << name << ", row " << first;
      ASSERT_EQ(
          std::memcmp(second.part(first, 1).data, part_second.block.get(), part_second.bytes()), 0)
          << name << ", second result, row " << first;
    }
  }
}

}  // namespace
}  // namespace basis
