#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "experiments/landscape_subject.h"
#include "spectral/svd_basis.h"

namespace basis {

/// One direction of a slice, draw of noise or plane, with the rows of landscape.csv that it makes.
struct LandscapePiece {
  std::string kind;
  std::int64_t place = 0;
  std::function<std::string()> rows;
};

/// All kinds of [landscape] around a subject, which must outlive it.
class LandscapePieces {
 public:
  /// `seed`: of every direction and draw. Throws Error where a kind goes to the start and training
  /// moved nothing.
  LandscapePieces(const Config& config, std::int64_t seed, Compute& compute,
                  const LandscapeSubject& subject);

  /// In the order of landscape.csv. They refer to this object.
  std::vector<LandscapePiece> all();
  /// ‖start - θ‖; 0 where no kind goes there.
  double distance() const { return distance_; }
  /// ‖θ‖ of what is moved.
  double norm() const;

 private:
  bool wants(const char* kind) const;
  void find_start();
  double length() const;
  Direction gaussian(std::int64_t place) const;
  Direction direction_of(const std::string& kind, std::int64_t place) const;
  const std::vector<Basis>& bases_in(const std::string& kind);
  std::string slice(const std::string& kind, std::int64_t place) const;
  std::string plane() const;
  std::string noise(const std::string& kind, std::int64_t place) const;
  std::string noise_in_directions(const std::string& kind, std::int64_t place);
  std::string path(std::int64_t place) const;

  const LandscapeSettings& settings_;
  const int threads_;
  const std::uint64_t seed_;
  Compute& compute_;
  const LandscapeSubject& subject_;
  const ParameterList& moved_;
  std::map<std::string, std::vector<Basis>> bases_;  // by kind of noise
  Direction way_;        // to the start, of norm √n; empty where no kind wants it
  double distance_ = 0;  // ‖start - θ‖
};

}  // namespace basis
