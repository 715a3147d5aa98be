#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tensor/cpu/cpu_backend.h"

namespace basis {

/// What a parity test runs on: one dtype, one set of kernels, on the CPU a thread count.
struct KernelVariant {
  enum class Where : std::uint8_t { Cpu, CudaEmulated, Cuda };

  DType dtype;
  Isa isa = Isa::Baseline;
  int threads = 1;
  Where where = Where::Cpu;

  bool is_cpu() const { return where == Where::Cpu; }
  /// "bf16_avx2_3threads", "bf16_cuda_emulated", "bf16_cuda".
  std::string name() const;
  friend void PrintTo(const KernelVariant& variant, std::ostream* out) { *out << variant.name(); }
};

// These three differ from program to program (parity_variants.cpp).
/// On the CPU: every variant that this processor can run, and those that it cannot (they are
/// skipped by name).
std::vector<KernelVariant> kernel_variants();
/// On the CUDA kernels.
std::vector<KernelVariant> cuda_variants();
/// Kernels of the variant on memory of the host.
std::unique_ptr<Backend> make_backend_of(const KernelVariant& variant);

std::string variant_name(const testing::TestParamInfo<KernelVariant>& info);

/// A matrix with its storage. Elements between the columns and the row stride hold a sentinel.
class Matrix {
 public:
  Matrix() = default;
  /// All elements NaN.
  Matrix(DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t gap = 0);

  bool is_absent() const { return bytes_.empty(); }
  MatrixView view();
  ConstMatrixView view() const;
  DType dtype() const { return dtype_; }
  double at(std::int64_t i, std::int64_t j) const;
  void set(std::int64_t i, std::int64_t j, double value);
  /// Columns [begin, end) of the same storage.
  MatrixView columns(std::int64_t begin, std::int64_t end);
  const std::vector<std::byte>& bytes() const { return bytes_; }
  /// True when nothing between the columns was touched.
  bool has_clean_gaps() const;

 private:
  DType dtype_ = DType::F32;
  std::int64_t rows_ = 0, columns_ = 0, stride_ = 0;
  std::vector<std::byte> bytes_;
};

/// Integers as a (1, n) view.
struct Integers {
  std::vector<std::int32_t> values;
  ConstMatrixView view() const;
};

/// A packed layout on the host, rows rounded up to 64.
struct Packing {
  explicit Packing(const std::vector<std::int32_t>& lengths, std::int64_t first_example = 0);
  SequenceView view() const;
  std::int64_t tokens() const { return offsets.back(); }

  std::vector<std::int32_t> offsets, sequence_of_row;
  std::int64_t longest = 0, first_example = 0;
};

/// Scratch memory full of NaN.
class Scratch {
 public:
  explicit Scratch(std::size_t bytes) : bytes_(bytes + 64, std::byte{0xFF}) {}
  Workspace workspace();

 private:
  std::vector<std::byte> bytes_;
};

/// One output of a kernel: what stands there before, and the error that is allowed in units of
/// epsilon(dtype) * max(1, |expected|). For bf16 the units are f32's, in which it is computed, and
/// a bf16 epsilon of |expected| is added: two numbers that are almost one may be rounded apart.
struct Output {
  Matrix matrix;
  double units;
};

/// Runs kernels of one variant against the reference.
class Parity : public testing::TestWithParam<KernelVariant> {
 protected:
  void SetUp() override;

  DType dtype() const { return GetParam().dtype; }
  /// Of parameters, gradients and statistics beside activations of dtype().
  DType wide_dtype() const { return accumulation_dtype(dtype()); }
  /// Random normal elements times `scale` plus `offset`, of the variant's dtype.
  Matrix random(std::int64_t rows, std::int64_t columns, std::int64_t gap = 0, double scale = 1,
                double offset = 0);
  Matrix poisoned(std::int64_t rows, std::int64_t columns, std::int64_t gap = 0) const;
  /// The same of wide_dtype().
  Matrix random_wide(std::int64_t rows, std::int64_t columns, std::int64_t gap = 0,
                     double scale = 1, double offset = 0);
  Matrix poisoned_wide(std::int64_t rows, std::int64_t columns, std::int64_t gap = 0) const;
  Integers random_ids(std::int64_t count, std::int32_t below);

  /// Whether a fused kernel's default body is compared too: where it rounds no more than the
  /// reference, and in one variant, since its calls are the same in all and tested by themselves.
  bool compares_composition() const {
    return dtype() == wide_dtype() && GetParam().is_cpu() && GetParam().isa == Isa::Baseline &&
           GetParam().threads == 1;
  }

  using Run = std::function<void(Backend&, std::vector<Output>&)>;
  /// Runs `run` on copies of `outputs`: on the reference once, on the variant twice. Expects equal
  /// numbers within each output's units, the same bits twice, and untouched gaps.
  void compare(const std::string& what, const std::vector<Output>& outputs, const Run& run);

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Backend> reference_;

 private:
  Matrix random_of(DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t gap,
                   double scale, double offset);

  RandomStream stream_{20260511, 1};
};

/// Odd and round sizes; the largest are cut over several threads.
extern const std::vector<std::int64_t> parity_rows;
extern const std::vector<std::int64_t> parity_columns;

/// body(rows, columns, gap, text) for every size, contiguous and as a column slice.
template <class Body>
void for_sizes(Body body) {
  for (const std::int64_t rows : parity_rows) {
    for (const std::int64_t columns : parity_columns) {
      for (const std::int64_t gap : {0, 5}) {
        body(
            rows, columns, gap,
            std::to_string(rows) + " x " + std::to_string(columns) + " gap " + std::to_string(gap));
      }
    }
  }
}

}  // namespace basis
