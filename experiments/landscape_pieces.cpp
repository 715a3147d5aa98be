#include "experiments/landscape_pieces.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/contains.h"
#include "spectral/adapter_method.h"
#include "spectral/matrix_parallel.h"
#include "spectral/matrix_transfer.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

constexpr double path_shares[] = {0.25, 0.5, 0.75, 1};
constexpr std::int64_t plane_points = 15;  // a side

}  // namespace

LandscapePieces::LandscapePieces(const Config& config, std::int64_t seed, Compute& compute,
                                 const LandscapeSubject& subject)
    : settings_(config.landscape),
      threads_(static_cast<int>(config.threads)),
      seed_(static_cast<std::uint64_t>(seed)),
      compute_(compute),
      subject_(subject),
      moved_(subject.moved) {
  if (wants("sft-case") || wants("path") || wants("plane")) find_start();
}

bool LandscapePieces::wants(const char* kind) const {
  return contains(settings_.kinds, kind);
}

void LandscapePieces::find_start() {
  way_ = difference_to(compute_.backend(), compute_.memory(), moved_, subject_.start());
  distance_ = norm_of(compute_.backend(), compute_.memory(), way_);
  if (distance_ == 0) {
    throw Error(
        "training moved nothing, so there is no way to its start: leave sft-case, path and plane "
        "out of \"kinds\" in [landscape]");
  }
  scale(compute_.backend(), way_, 1 / length());
}

/// How far along `way_` its end is.
double LandscapePieces::length() const {
  return distance_ / std::sqrt(static_cast<double>(element_count(moved_)));
}

double LandscapePieces::norm() const {
  Direction values;
  for (const Parameter* parameter : moved_) values.push_back(parameter->value());
  return norm_of(compute_.backend(), compute_.memory(), values);
}

std::vector<LandscapePiece> LandscapePieces::all() {
  std::vector<LandscapePiece> pieces;
  const auto add = [&](const char* kind, std::int64_t count,
                       const std::function<std::string(const std::string&, std::int64_t)>& rows) {
    for (std::int64_t i = 0; wants(kind) && i < count; ++i) {
      pieces.push_back({kind, i, [rows, kind, i] { return rows(kind, i); }});
    }
  };
  const auto sliced = [this](const std::string& kind, std::int64_t i) { return slice(kind, i); };
  const auto noisy = [this](const std::string& kind, std::int64_t i) { return noise(kind, i); };
  const auto directed = [this](const std::string& kind, std::int64_t i) {
    return noise_in_directions(kind, i);
  };
  for (const char* kind : {"most-case", "most-case-scaled"})
    add(kind, settings_.directions, sliced);
  for (const char* kind : {"sft-case", "worst-case"}) add(kind, 1, sliced);
  add("plane", 1, [this](const std::string&, std::int64_t) { return plane(); });
  for (const char* kind : {"noise", "noise-relative"}) add(kind, settings_.draws, noisy);
  for (const char* kind : {"noise-leading", "noise-trailing", "noise-random"}) {
    add(kind, settings_.path_draws, directed);
  }
  add("path", settings_.path_draws, [this](const std::string&, std::int64_t i) { return path(i); });
  return pieces;
}

Direction LandscapePieces::gaussian(std::int64_t place) const {
  return gaussian_direction(compute_.backend(), compute_.memory(), moved_, seed_,
                            static_cast<std::uint64_t>(place));
}

Direction LandscapePieces::direction_of(const std::string& kind, std::int64_t place) const {
  if (kind == "sft-case") return way_;
  if (kind == "worst-case") {
    constexpr double alpha = 0.005, rate = 0.2;
    return worst_direction(compute_.backend(), compute_.memory(), moved_, subject_.loss_gradient,
                           alpha, static_cast<int>(settings_.worst_steps), rate, seed_);
  }
  Direction direction = gaussian(place);
  if (kind == "most-case-scaled") {
    scale_by_tensor(compute_.backend(), compute_.memory(), moved_, direction);
  }
  return direction;
}

/// METHODS 3: α in [-span, span) in equal steps.
std::string LandscapePieces::slice(const std::string& kind, std::int64_t place) const {
  const Direction direction = direction_of(kind, place);
  const double span = kind == "most-case-scaled" ? settings_.scaled_span : settings_.span;
  Displacement displacement(compute_.backend(), compute_.memory(), moved_);
  std::string rows;
  for (std::int64_t i = 0; i < settings_.points; ++i) {
    const double alpha =
        span * (2 * static_cast<double>(i) / static_cast<double>(settings_.points) - 1);
    displacement.move(alpha, direction);
    rows += fmt::format("{},{},{:.9g},,{}\n", kind, place, alpha, subject_.score());
  }
  return rows;
}

/// The way to the start, as far again behind it and twice as far the other way, and a Gaussian
/// direction across it.
std::string LandscapePieces::plane() const {
  const Direction across = gaussian(0);
  Displacement displacement(compute_.backend(), compute_.memory(), moved_);
  std::string rows;
  constexpr double middle = (plane_points - 1) / 2.0;
  for (std::int64_t i = 0; i < plane_points; ++i) {
    for (std::int64_t j = 0; j < plane_points; ++j) {
      const double alpha = 2 * length() * (static_cast<double>(i) - middle) / middle;
      const double beta = settings_.span * (static_cast<double>(j) - middle) / middle;
      const Displacement::Move moves[] = {{alpha, &way_}, {beta, &across}};
      displacement.move(moves);
      rows += fmt::format("plane,0,{:.9g},{:.9g},{}\n", alpha, beta, subject_.score());
    }
  }
  return rows;
}

std::string LandscapePieces::noise(const std::string& kind, std::int64_t place) const {
  const bool is_relative = kind == "noise-relative";
  Direction epsilon = gaussian(place);
  if (is_relative) {
    scale_by_root_mean_square(compute_.backend(), compute_.memory(), moved_, epsilon);
  }
  Displacement displacement(compute_.backend(), compute_.memory(), moved_);
  std::string rows;
  for (const double sigma : is_relative ? settings_.relative_sigmas : settings_.sigmas) {
    displacement.move(sigma, epsilon);
    rows += fmt::format("{},{},{:.9g},,{}\n", kind, place, sigma, subject_.score());
  }
  return rows;
}

/// Of every encoder matrix that is moved, in its leading, trailing or random directions; each
/// gets noise of σ ‖W‖_F, all else none.
std::string LandscapePieces::noise_in_directions(const std::string& kind, std::int64_t place) {
  const std::vector<Basis>& bases = bases_in(kind);
  Direction epsilon;
  for (std::size_t i = 0; i < moved_.size(); ++i) {
    Tensor tensor = Tensor::allocate(compute_.memory(), moved_[i]->shape(),
                                     moved_[i]->value().dtype(), compute_.backend().device());
    compute_.backend().fill(0, tensor.view());
    if (!bases[i].u.is_empty()) {
      const double norm = norm_of(compute_.backend(), compute_.memory(), {moved_[i]->value()});
      tensor = device_matrix(compute_.backend(), compute_.memory(),
                             noise_in_basis(bases[i], norm, seed_,
                                            static_cast<std::uint64_t>(place), moved_[i]->name()),
                             tensor.dtype());
    }
    epsilon.push_back(std::move(tensor));
  }
  Displacement displacement(compute_.backend(), compute_.memory(), moved_);
  std::string rows;
  for (const double sigma : settings_.relative_sigmas) {
    displacement.move(sigma, epsilon);
    rows += fmt::format("{},{},{:.9g},,{}\n", kind, place, sigma, subject_.score());
  }
  return rows;
}

/// A basis of every moved encoder matrix, empty ones of the rest; made when first asked for.
const std::vector<Basis>& LandscapePieces::bases_in(const std::string& kind) {
  std::vector<Basis>& bases = bases_[kind];
  if (!bases.empty()) return bases;
  bases.resize(moved_.size());
  const BasisKind which = kind == "noise-leading"    ? BasisKind::Leading
                          : kind == "noise-trailing" ? BasisKind::Trailing
                                                     : BasisKind::Random;
  std::vector<HostWeight> weights(moved_.size());
  for (std::size_t i = 0; i < moved_.size(); ++i) {
    if (!contains(subject_.matrices, moved_[i])) continue;
    weights[i] = {moved_[i]->name(), to_host(compute_.backend(), moved_[i]->value())};
  }
  for_each_on_threads(moved_.size(), threads_, [&](std::size_t i) {
    if (weights[i].name.empty()) return;
    const Shape& shape = weights[i].value.shape();
    const std::int64_t k = std::min({settings_.basis_rank, shape[0], shape[1]});
    bases[i] = basis_of_weight(weights[i], which, k, seed_);
  });
  return bases;
}

std::string LandscapePieces::path(std::int64_t place) const {
  const Direction epsilon = gaussian(place);
  Displacement displacement(compute_.backend(), compute_.memory(), moved_);
  std::string rows;
  for (const double share : path_shares) {
    for (const double sigma : settings_.sigmas) {
      const Displacement::Move moves[] = {{share * length(), &way_}, {sigma, &epsilon}};
      displacement.move(moves);
      rows += fmt::format("path,{},{},{:.9g},{}\n", place, share, sigma, subject_.score());
    }
  }
  return rows;
}

}  // namespace basis
