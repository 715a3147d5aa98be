#include "tensor/cuda/decompositions.h"

#include <mutex>

#include <fmt/format.h>

#include "tensor/cuda/plain.h"
#include "tensor/cuda/solver.h"
#include "tensor/error.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

namespace {

/// The operands of one decomposition in the device's memory, which grows with the largest.
class Operands {
 public:
  explicit Operands(Runtime& runtime) : runtime_(runtime) {}

  SvdOperands of(std::int64_t m, std::int64_t n) {
    const std::size_t of_a = padded(m * n), of_sigma = padded(n), of_v = padded(n * n);
    const std::size_t needed = 2 * of_a + of_sigma + of_v;
    if (needed > count_) {
      count_ = 0;
      memory_.reset();
      memory_ = runtime_.reserve(needed * sizeof(double));
      count_ = needed;
    }
    auto* a = reinterpret_cast<double*>(memory_.get());
    return {m, n, a, a + of_a, a + of_a + of_sigma, a + 2 * of_a + of_sigma};
  }

 private:
  /// In units of 256 bytes, as cudaMalloc aligns.
  static std::size_t padded(std::int64_t count) {
    constexpr std::size_t unit = 256 / sizeof(double);
    return (static_cast<std::size_t>(count) + unit - 1) / unit * unit;
  }

  Runtime& runtime_;
  Block memory_;
  std::size_t count_ = 0;
};

/// Of (n x n).
std::vector<double> transposed(const std::vector<double>& a, std::int64_t n) {
  std::vector<double> result(a.size());
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      result[static_cast<std::size_t>(j * n + i)] = a[static_cast<std::size_t>(i * n + j)];
    }
  }
  return result;
}

class CudaDecompositions final : public Decompositions {
 public:
  explicit CudaDecompositions(Runtime& runtime)
      : runtime_(runtime), solver_(runtime), operands_(runtime) {}

  std::string name() const override { return solver_.name(); }

  std::optional<WideSvd> svd(std::int64_t n, std::int64_t m, const double* w) override {
    ensure(1 <= n && n <= m, "a matrix to decompose is wide");
    std::string reasons;
    for (const Algorithm algorithm : {Algorithm::Polar, Algorithm::Qr}) {
      const Attempt attempt = try_on_device(algorithm, n, m, w);
      std::string reason = attempt.refusal;
      if (reason.empty()) {
        if (is_decomposition(attempt.found, n, m, w)) {
          count("");
          return attempt.found;
        }
        reason = "the result is not the matrix's";
      }
      reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : ", ",
                             algorithm == Algorithm::Polar ? "polar" : "QR", reason);
    }
    count(fmt::format("{} x {}: {}", n, m, reasons));
    return std::nullopt;
  }

  std::string remark() const override {
    const std::lock_guard lock(mutex_);
    if (refused_ == 0) return "";
    return fmt::format("SVD: LAPACK decomposed {} of {} matrices in place of {} (the first, {})",
                       refused_, asked_, solver_.name(), first_refusal_);
  }

 private:
  enum class Algorithm : std::uint8_t { Polar, Qr };
  struct Attempt {
    WideSvd found;
    std::string refusal;
  };

  /// What the library returns, or has against it. W row by row is A = Wᵀ column by column: A's u
  /// are W's v, and a vector a column there is a vector a row here.
  Attempt try_on_device(Algorithm algorithm, std::int64_t n, std::int64_t m, const double* w) {
    const std::lock_guard lock(mutex_);
    runtime_.use_on_this_thread();
    const SvdOperands at = operands_.of(m, n);
    runtime_.copy_to_device(w, at.a, static_cast<std::size_t>(n * m) * sizeof(double));
    Attempt attempt;
    attempt.refusal = algorithm == Algorithm::Polar ? solver_.polar(at) : solver_.qr(at);
    if (!attempt.refusal.empty()) return attempt;
    attempt.found.sigma = fetch(at.sigma, n);
    attempt.found.v = fetch(at.u, n * m);
    attempt.found.u = fetch(at.v, n * n);
    if (algorithm == Algorithm::Qr) attempt.found.u = transposed(attempt.found.u, n);
    return attempt;
  }

  std::vector<double> fetch(const double* from, std::int64_t count) {
    std::vector<double> elements(static_cast<std::size_t>(count));
    runtime_.copy_to_host(from, elements.data(), elements.size() * sizeof(double));
    return elements;
  }

  void count(const std::string& refusal) {
    const std::lock_guard lock(mutex_);
    ++asked_;
    if (refusal.empty()) return;
    if (refused_++ == 0) first_refusal_ = refusal;
  }

  Runtime& runtime_;
  Solver solver_;
  Operands operands_;
  mutable std::mutex mutex_;
  int asked_ = 0, refused_ = 0;
  std::string first_refusal_;
};

}  // namespace

std::unique_ptr<Decompositions> make_decompositions(Runtime& runtime) {
  if (is_plain("svd")) return nullptr;
  try {
    return std::make_unique<CudaDecompositions>(runtime);
  } catch (const Error&) {
    return nullptr;  // describe_svd says why
  }
}

std::string describe_svd() {
  if (is_plain("svd")) return "LAPACK, as BASIS_CUDA_PLAIN says";
  try {
    return Solver::describe();
  } catch (const Error& error) {
    return fmt::format("LAPACK: {}", error.what());
  }
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
