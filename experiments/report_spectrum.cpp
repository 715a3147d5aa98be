#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <tuple>

#include <fmt/format.h>

#include "experiments/number_table.h"
#include "experiments/report_data.h"
#include "tensor/error.h"

namespace basis {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t preferred_dose_rank = 32;

/// A geometric mean that grows; zeros and what is not finite do not count.
class GeometricMean {
 public:
  void add(double value) {
    if (!std::isfinite(value) || value <= 0) return;
    sum_ += std::log(value);
    ++count_;
  }
  double value() const {
    return count_ > 0 ? std::exp(sum_ / static_cast<double>(count_))
                      : std::numeric_limits<double>::quiet_NaN();
  }
  std::int64_t count() const { return count_; }

 private:
  double sum_ = 0;
  std::int64_t count_ = 0;
};

GeometricMean& at(std::vector<GeometricMean>& means, std::int64_t k) {
  if (std::ssize(means) < k) means.resize(static_cast<std::size_t>(k));
  return means[static_cast<std::size_t>(k - 1)];
}

/// What spectrum.csv gathers to.
struct Rotations {
  std::vector<GeometricMean> rotation, control, ratio, chance;
  GeometricMean change;
  std::int64_t matrices = 0;
  std::int64_t smallest_rank = std::numeric_limits<std::int64_t>::max();
  bool is_simulated = true;
  struct AtRank {
    double rotation, control, ratio;
  };
  struct OfMatrix {
    double change = undefined;
    std::int64_t rank = 0;
    std::map<std::int64_t, std::vector<AtRank>> at_power;  // k = 1, 2, 4, ...; both sides
  };
  std::vector<std::pair<std::string, OfMatrix>> by_matrix;  // in the file's order
  using Choice = std::tuple<std::string, std::string, std::string, std::int64_t>;
  std::map<Choice, GeometricMean> effects;  // by side, kind, control and k = 1, 2, 4, ...
};

Rotations read_rotations(const std::filesystem::path& path) {
  static const std::array<TableColumn, 11> columns = {{{"matrix"},
                                                       {"side"},
                                                       {"k"},
                                                       {"rotation"},
                                                       {"rotation_gaussian"},
                                                       {"rotation_expected"},
                                                       {"ratio"},
                                                       {"change"},
                                                       {"out"},
                                                       {"in"},
                                                       {"rotation_haar"}}};
  NumberTable table(path, columns);
  Rotations all;
  while (table.next()) {
    if (all.by_matrix.empty() || all.by_matrix.back().first != table.text(0)) {
      all.by_matrix.emplace_back(table.text(0), Rotations::OfMatrix{});
      all.by_matrix.back().second.change = table.number(7);
      all.change.add(table.number(7));
    }
    Rotations::OfMatrix& matrix = all.by_matrix.back().second;
    const std::int64_t k = table.place(2);
    const double d = table.number(table.text(1) == "u" ? 8 : 9);
    const double chance = 1 - static_cast<double>(k) / d;
    const double simulated = table.number(4);
    const double control = std::isnan(simulated) ? std::min(table.number(5), chance) : simulated;
    all.is_simulated = all.is_simulated && !std::isnan(simulated);
    at(all.rotation, k).add(table.number(3));
    at(all.control, k).add(control);
    at(all.ratio, k).add(table.number(6));
    at(all.chance, k).add(chance);
    matrix.rank = std::max(matrix.rank, k);
    if ((k & (k - 1)) != 0) continue;
    matrix.at_power[k].push_back({table.number(3), control, table.number(6)});
    const std::string kind = matrix_kind(table.text(0));
    for (const auto& [name, value] :
         {std::pair{"Gaussian", simulated}, std::pair{"Haar", table.number(10)},
          std::pair{"first order", std::min(table.number(5), chance)}}) {
      all.effects[{table.text(1), kind, name, k}].add(table.number(3) / value);
    }
  }
  if (all.by_matrix.empty()) throw Error(fmt::format("{}: no rows", path.string()));
  for (const auto& [name, matrix] : all.by_matrix) {
    all.smallest_rank = std::min(all.smallest_rank, matrix.rank);
  }
  return all;
}

/// Means up to the last k that every matrix has; all of a square one's space does not turn, so that
/// its last k is not defined.
std::vector<double> values_of(const std::vector<GeometricMean>& means, std::int64_t ranks) {
  std::vector<double> values;
  for (std::int64_t k = 1; k <= ranks && k <= std::ssize(means); ++k) {
    values.push_back(means[static_cast<std::size_t>(k - 1)].value());
  }
  return values;
}

void set_doses(ReportSpectrum& spectrum, const Rotations& rotations) {
  spectrum.dose_rank = 1;
  while (spectrum.dose_rank * 2 <= preferred_dose_rank &&
         spectrum.dose_rank * 4 <= rotations.smallest_rank) {
    spectrum.dose_rank *= 2;
  }
  for (const auto& [name, matrix] : rotations.by_matrix) {
    const auto found = matrix.at_power.find(spectrum.dose_rank);
    if (found == matrix.at_power.end()) continue;
    GeometricMean rotation;
    GeometricMean control;
    for (const Rotations::AtRank& side : found->second) {
      rotation.add(side.rotation);
      control.add(side.control);
    }
    spectrum.doses.push_back({name, matrix.change, rotation.value(), control.value()});
  }
}

void set_ratios(ReportSpectrum& spectrum, const Rotations& rotations) {
  for (const auto& [name, matrix] : rotations.by_matrix) {
    for (const auto& [k, sides] : matrix.at_power) {
      GeometricMean ratio;
      for (const Rotations::AtRank& side : sides) ratio.add(side.ratio);
      if (ratio.count() == 0) continue;
      spectrum.ratios.push_back({matrix_kind(name), matrix_layer(name), k, ratio.value()});
    }
  }
}

double median(std::vector<double> values) {
  if (values.empty()) return undefined;
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void read_vectors(const std::filesystem::path& path, ReportSpectrum& spectrum) {
  static const std::array<TableColumn, 5> columns = {
      {{"matrix"}, {"i"}, {"sigma"}, {"sigma_after"}, {"sigma_shift"}}};
  struct Means {
    std::vector<GeometricMean> before, after;
  };
  std::map<std::string, Means> by_kind;
  std::vector<std::vector<double>> shifts;
  NumberTable table(path, columns);
  while (table.next()) {
    const std::int64_t i = table.place(1);
    Means& means = by_kind[matrix_kind(table.text(0))];
    at(means.before, i).add(table.number(2));
    at(means.after, i).add(table.number(3));
    if (std::ssize(shifts) < i) shifts.resize(static_cast<std::size_t>(i));
    const double shift = table.number(4);
    if (std::isfinite(shift)) shifts[static_cast<std::size_t>(i - 1)].push_back(std::abs(shift));
  }
  for (const auto& [kind, means] : by_kind) {
    const std::int64_t all = std::ssize(means.before);
    spectrum.sigma[kind] = {values_of(means.before, all), values_of(means.after, all)};
  }
  for (std::vector<double>& shift : shifts) spectrum.shift.push_back(median(std::move(shift)));
}

}  // namespace

std::string matrix_kind(const std::string& name) {
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  if (has(".query.")) return "1 query";
  if (has(".key.")) return "2 key";
  if (has(".value.")) return "3 value";
  if (has(".attention.output.")) return "4 attention output";
  if (has(".intermediate.")) return "5 ffn in";
  if (has(".output.dense")) return "6 ffn out";
  return "7 other";
}

std::int64_t matrix_layer(const std::string& name) {
  static constexpr std::string_view mark = "layer.";
  const std::size_t at = name.find(mark);
  if (at == std::string::npos) return -1;
  std::int64_t layer = -1;
  std::from_chars(name.data() + at + mark.size(), name.data() + name.size(), layer);
  return layer;
}

ReportSpectrum read_report_spectrum(const std::filesystem::path& folder) {
  const Rotations rotations = read_rotations(folder / "spectrum.csv");
  ReportSpectrum spectrum;
  spectrum.rotation = values_of(rotations.rotation, rotations.smallest_rank);
  spectrum.control = values_of(rotations.control, rotations.smallest_rank);
  spectrum.ratio = values_of(rotations.ratio, rotations.smallest_rank);
  spectrum.chance = values_of(rotations.chance, rotations.smallest_rank);
  spectrum.change = rotations.change.value();
  spectrum.matrices = std::ssize(rotations.by_matrix);
  spectrum.is_simulated = rotations.is_simulated;
  for (const auto& [choice, mean] : rotations.effects) {
    const auto& [side, kind, control, k] = choice;
    if (mean.count() > 0) spectrum.effects.push_back({side, kind, control, k, mean.value()});
  }
  set_doses(spectrum, rotations);
  set_ratios(spectrum, rotations);
  read_vectors(folder / "vectors.csv", spectrum);
  return spectrum;
}

}  // namespace basis
