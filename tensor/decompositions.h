#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace basis {

/// W = Σ σ_i u_i v_iᵀ of W (n x m), n <= m, f64.
struct WideSvd {
  std::vector<double> sigma;  // (n), descending
  std::vector<double> u;      // (n x n), row i is u_i
  std::vector<double> v;      // (n x m), row i is v_i
};

/// The decompositions of a device's library, on matrices in the host's memory. Any number of
/// threads may ask at once and are served one after the other; nobody may use the backend that it
/// is of meanwhile.
class Decompositions {
 public:
  virtual ~Decompositions() = default;

  /// "cuSOLVER 12.0.4".
  virtual std::string name() const = 0;
  /// Of `w` (n x m) row by row, 1 <= n <= m, all finite; signs as they come. Nothing where the
  /// library does not converge or `is_decomposition` says that it is wrong: somebody else must.
  virtual std::optional<WideSvd> svd(std::int64_t n, std::int64_t m, const double* w) = 0;
  /// For the record: how often there was nothing, and why; empty where never.
  virtual std::string remark() const = 0;
};

/// Whether `found` is W's, as far as O(n m) work can tell: σ descends, and for vectors of random
/// signs W x = Σ σ_i u_i v_i·x and p = U Uᵀ p = V Vᵀ p, each to 1e-12 of its norm. A larger error
/// passes only where random signs cancel it.
bool is_decomposition(const WideSvd& found, std::int64_t n, std::int64_t m, const double* w);

}  // namespace basis
