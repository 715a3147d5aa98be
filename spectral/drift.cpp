#include "spectral/drift.h"

#include <algorithm>
#include <utility>

#include "spectral/svd_basis.h"

namespace basis {

WeightDrifts::WeightDrifts(const Matrix& start, std::int64_t k, Decompositions* device)
    : start_(start),
      k_(std::min({k, start.rows(), start.columns()})),
      device_(device),
      leading_(leading_of(start)) {}

WeightDrifts::Leading WeightDrifts::leading_of(const Matrix& weight) const {
  const Svd whole = svd(weight, device_);
  return {columns_of(whole.u, 0, k_), columns_of(whole.v, 0, k_)};
}

std::size_t WeightDrifts::add(const Matrix& after) {
  return add_change(subtract(after, start_), after);
}

std::size_t WeightDrifts::add_gaussian(std::size_t like, std::uint64_t seed,
                                       std::uint64_t purpose) {
  Matrix change = random_of_norm(start_.rows(), start_.columns(),
                                 frobenius_norm(drifts_.at(like).change), seed, purpose);
  Matrix after = basis::add(start_, change);
  return add_change(std::move(change), after);
}

std::size_t WeightDrifts::add_change(Matrix change, const Matrix& after) {
  Leading leading = leading_of(after);
  SidedCurves rotation{rotation_between(leading_.u, leading.u),
                       rotation_between(leading_.v, leading.v)};
  drifts_.push_back({std::move(change), std::move(leading), std::move(rotation)});
  return drifts_.size() - 1;
}

WeightDrifts::Pair WeightDrifts::compare(std::size_t i, std::size_t j) const {
  const Drift &first = drifts_.at(i), &second = drifts_.at(j);
  Pair pair;
  pair.rotation = {rotation_between(first.leading.u, second.leading.u),
                   rotation_between(first.leading.v, second.leading.v)};
  pair.co_drift = {co_drift(first.rotation.u, second.rotation.u, pair.rotation.u),
                   co_drift(first.rotation.v, second.rotation.v, pair.rotation.v)};
  pair.cosine = cosine(first.change, second.change);
  return pair;
}

}  // namespace basis
