#include "tests/tensor/parity.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/tensor/reference_backend.h"

namespace basis {

const std::vector<std::int64_t> parity_rows = {1, 3, 64, 129};
const std::vector<std::int64_t> parity_columns = {1, 7, 24, 33, 384};

namespace {

constexpr std::byte sentinel{0x5A};

/// Of the type that `dtype` is computed in.
double epsilon(DType dtype) {
  if (dtype == DType::F64) return std::numeric_limits<double>::epsilon();
  return static_cast<double>(std::numeric_limits<float>::epsilon());
}

/// How far apart two numbers may be stored that are almost one: a unit in the last place.
double rounding(DType dtype) {
  return dtype == DType::BF16 ? 1.0 / 128 : 0;
}

void expect_close(const Matrix& actual, const Matrix& expected, double units) {
  const ConstMatrixView view = expected.view();
  for (std::int64_t i = 0; i < view.rows; ++i) {
    for (std::int64_t j = 0; j < view.columns; ++j) {
      const double a = actual.at(i, j);
      const double e = expected.at(i, j);
      const double allowed = units * epsilon(actual.dtype()) * std::max(1.0, std::fabs(e)) +
                             (units > 0 ? rounding(actual.dtype()) * std::fabs(e) : 0);
      // Written so that NaN fails.
      if (std::fabs(a - e) <= allowed || a == e) continue;
      ADD_FAILURE() << "element (" << i << ", " << j << "): " << a << ", expected " << e
                    << ", difference " << a - e << ", allowed " << allowed;
      return;
    }
  }
}

}  // namespace

std::string KernelVariant::name() const {
  if (where == Where::CudaEmulated) return std::string(name_of(dtype)) + "_cuda_emulated";
  if (where == Where::Cuda) return std::string(name_of(dtype)) + "_cuda";
  return std::string(name_of(dtype)) + "_" + name_of(isa) + "_" + std::to_string(threads) +
         "threads";
}

std::string variant_name(const testing::TestParamInfo<KernelVariant>& info) {
  return info.param.name();
}

Matrix::Matrix(DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t gap)
    : dtype_(dtype),
      rows_(rows),
      columns_(columns),
      stride_(columns + gap),
      bytes_(static_cast<std::size_t>(rows * stride_) * size_of(dtype), sentinel) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) set(i, j, std::nan(""));
  }
}

MatrixView Matrix::view() {
  return {is_absent() ? nullptr : bytes_.data(), dtype_, rows_, columns_, stride_};
}
ConstMatrixView Matrix::view() const {
  return {is_absent() ? nullptr : bytes_.data(), dtype_, rows_, columns_, stride_};
}
double Matrix::at(std::int64_t i, std::int64_t j) const {
  return element(view(), i, j);
}
void Matrix::set(std::int64_t i, std::int64_t j, double value) {
  set_element(view(), i, j, value);
}

MatrixView Matrix::columns(std::int64_t begin, std::int64_t end) {
  return {bytes_.data() + static_cast<std::size_t>(begin) * size_of(dtype_), dtype_, rows_,
          end - begin, stride_};
}

bool Matrix::has_clean_gaps() const {
  const std::size_t size = size_of(dtype_);
  for (std::int64_t i = 0; i < rows_; ++i) {
    const auto begin = bytes_.begin() + (i * stride_ + columns_) * static_cast<std::int64_t>(size);
    const auto end = bytes_.begin() + (i + 1) * stride_ * static_cast<std::int64_t>(size);
    if (!std::all_of(begin, end, [](std::byte b) { return b == sentinel; })) return false;
  }
  return true;
}

ConstMatrixView Integers::view() const {
  const auto count = static_cast<std::int64_t>(values.size());
  return {values.data(), DType::I32, 1, count, count};
}

Packing::Packing(const std::vector<std::int32_t>& lengths, std::int64_t first)
    : first_example(first) {
  offsets.push_back(0);
  for (std::int32_t length : lengths) {
    sequence_of_row.insert(sequence_of_row.end(), static_cast<std::size_t>(length),
                           static_cast<std::int32_t>(offsets.size() - 1));
    offsets.push_back(offsets.back() + length);
    longest = std::max<std::int64_t>(longest, length);
  }
  sequence_of_row.resize((sequence_of_row.size() + 63) / 64 * 64,
                         static_cast<std::int32_t>(lengths.size() - 1));
}

SequenceView Packing::view() const {
  return {offsets.data(),
          sequence_of_row.data(),
          static_cast<std::int64_t>(sequence_of_row.size()),
          static_cast<std::int64_t>(offsets.size()) - 1,
          longest,
          first_example};
}

Workspace Scratch::workspace() {
  const auto address = reinterpret_cast<std::uintptr_t>(bytes_.data());
  return {bytes_.data() + (64 - address % 64) % 64, bytes_.size() - 64};
}

void Parity::SetUp() {
  if (GetParam().isa > supported_isa()) {
    GTEST_SKIP() << "this processor has no " << name_of(GetParam().isa);
  }
  backend_ = make_backend_of(GetParam());
  reference_ = make_reference_backend();
}

Matrix Parity::random_of(DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t gap,
                         double scale, double offset) {
  Matrix matrix(dtype, rows, columns, gap);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) matrix.set(i, j, scale * stream_.normal() + offset);
  }
  return matrix;
}

Matrix Parity::random(std::int64_t rows, std::int64_t columns, std::int64_t gap, double scale,
                      double offset) {
  return random_of(dtype(), rows, columns, gap, scale, offset);
}
Matrix Parity::random_wide(std::int64_t rows, std::int64_t columns, std::int64_t gap, double scale,
                           double offset) {
  return random_of(wide_dtype(), rows, columns, gap, scale, offset);
}

Matrix Parity::poisoned(std::int64_t rows, std::int64_t columns, std::int64_t gap) const {
  return Matrix(dtype(), rows, columns, gap);
}
Matrix Parity::poisoned_wide(std::int64_t rows, std::int64_t columns, std::int64_t gap) const {
  return Matrix(wide_dtype(), rows, columns, gap);
}

Integers Parity::random_ids(std::int64_t count, std::int32_t below) {
  Integers ids;
  for (std::int64_t i = 0; i < count; ++i) {
    ids.values.push_back(
        static_cast<std::int32_t>(stream_.below(static_cast<std::uint64_t>(below))));
  }
  return ids;
}

void Parity::compare(const std::string& what, const std::vector<Output>& outputs, const Run& run) {
  SCOPED_TRACE(what);
  std::vector<Output> expected = outputs, actual = outputs, again = outputs;
  run(*reference_, expected);
  run(*backend_, actual);
  run(*backend_, again);
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    SCOPED_TRACE("output " + std::to_string(o));
    expect_close(actual[o].matrix, expected[o].matrix, outputs[o].units);
    EXPECT_TRUE(actual[o].matrix.bytes() == again[o].matrix.bytes())
        << "other bits the second time";
    EXPECT_TRUE(actual[o].matrix.has_clean_gaps()) << "wrote between the columns";
  }
}

}  // namespace basis
