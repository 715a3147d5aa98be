#include <cmath>

#include "tests/tensor/parity.h"

// Kernels over many stretches of flat memory in one call.

namespace basis {
namespace {

using ParityOfRanges = Parity;
INSTANTIATE_TEST_SUITE_P(Cpu, ParityOfRanges, testing::ValuesIn(kernel_variants()), variant_name);
INSTANTIATE_TEST_SUITE_P(Cuda, ParityOfRanges, testing::ValuesIn(cuda_variants()), variant_name);

/// Ends of stretches in a row of all their elements: whole packs, as the optimiser makes them, or
/// odd ones. 70 of them, more than one launch takes.
std::vector<std::int64_t> ends_of_stretches(bool has_odd) {
  std::vector<std::int64_t> ends;
  std::int64_t end = 0;
  for (std::int64_t i = 0; i < 70; ++i) {
    end += i % 7 == 3 ? 4112 : 16 * (1 + i % 5);
    if (has_odd) end += i % 3;
    ends.push_back(end);
  }
  return ends;
}

MatrixView stretch(MatrixView flat, std::int64_t begin, std::int64_t end) {
  auto* data =
      static_cast<std::byte*>(flat.data) + static_cast<std::size_t>(begin) * size_of(flat.dtype);
  return {data, flat.dtype, 1, end - begin, end - begin};
}

TEST_P(ParityOfRanges, AdamWAndNorm) {
  StepState state;
  state.step = 4;
  for (int group = 0; group < 3; ++group) state.learning_rate[group] = 0.01 * (group + 1);
  state.bias_correction1 = 0.4;
  state.bias_correction2 = 0.005;
  state.clip_factor = 0.7;
  for (const bool has_odd : {false, true}) {
    const std::vector<std::int64_t> ends = ends_of_stretches(has_odd);
    const Matrix value = random_wide(1, ends.back()), moment = random_wide(1, ends.back());
    Matrix gradient = random_wide(1, ends.back());
    Matrix squares = random_wide(1, ends.back());
    for (std::int64_t i = 0; i < ends.back(); ++i) squares.set(0, i, std::pow(squares.at(0, i), 2));
    compare(
        has_odd ? "odd stretches" : "whole packs", {{value, 8}, {moment, 8}, {squares, 16}},
        [&](Backend& b, auto& out) {
          std::vector<OptimizerRange> ranges;
          std::int64_t begin = 0;
          for (const std::int64_t end : ends) {
            // One in four has no gradient in this step.
            if (ranges.size() % 4 != 3 || begin % 2 == 0) {
              ranges.push_back({stretch(out[0].matrix.view(), begin, end),
                                stretch(gradient.view(), begin, end),
                                stretch(out[1].matrix.view(), begin, end),
                                stretch(out[2].matrix.view(), begin, end),
                                static_cast<int>(end % 3), 0.01 * static_cast<double>(end % 2)});
            }
            begin = end;
          }
          b.adamw_of_all(ranges, AdamWConstants{}, &state);
        });
    compare(has_odd ? "norm of odd stretches" : "norm of packs", {{Matrix(DType::F64, 1, 1), 1000}},
            [&](Backend& b, auto& out) {
              std::vector<ConstMatrixView> parts;
              std::int64_t begin = 0;
              for (const std::int64_t end : ends) {
                parts.push_back(stretch(gradient.view(), begin, end));
                begin = end;
              }
              b.squared_norm_of_all(parts, out[0].matrix.view());
            });
  }
}

}  // namespace
}  // namespace basis
