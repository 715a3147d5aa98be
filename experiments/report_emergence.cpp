#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "experiments/number_table.h"
#include "experiments/report_data.h"
#include "spectral/statistics.h"
#include "tensor/error.h"

namespace basis {
namespace {

using MeansByRank = std::map<std::int64_t, std::map<double, RunningMean>>;  // k, tokens

/// Ranks at which the overlap is defined.
std::map<std::int64_t, ReportCurve> curves_of(const MeansByRank& means) {
  std::map<std::int64_t, ReportCurve> curves;
  for (const auto& [k, by_tokens] : means) {
    for (const auto& [tokens, mean] : by_tokens) {
      if (mean.count() == 0) continue;
      curves[k].x.push_back(tokens);
      curves[k].y.push_back(mean.value());
    }
  }
  return curves;
}

void read_overlaps(const std::filesystem::path& path, ReportEmergence& emergence) {
  static const std::array<TableColumn, 8> columns = {{{"tokens"},
                                                      {"held_out_loss"},
                                                      {"k"},
                                                      {"overlap_final"},
                                                      {"overlap_initial"},
                                                      {"chance"},
                                                      {"overlap_gaussian"},
                                                      {"change_to_final"}}};
  NumberTable table(path, columns);
  MeansByRank with_final, gaussian, with_initial;
  std::map<double, RunningMean> changes;
  std::map<double, double> losses;
  while (table.next()) {
    const double tokens = table.number(0);
    const double chance = table.number(5);
    const auto corrected = [&](double overlap) { return (overlap - chance) / (1 - chance); };
    losses[tokens] = table.number(1);
    with_final[table.place(2)][tokens].add(corrected(table.number(3)));
    gaussian[table.place(2)][tokens].add(corrected(table.number(6)));
    changes[tokens].add(table.number(7));
    with_initial[table.place(2)][tokens].add(corrected(table.number(4)));
  }
  if (losses.empty()) throw Error(fmt::format("{}: no rows", path.string()));
  emergence.with_final = curves_of(with_final);
  emergence.gaussian = curves_of(gaussian);
  emergence.with_initial = curves_of(with_initial);
  for (const auto& [tokens, loss] : losses) {
    emergence.held_out_loss.x.push_back(tokens);
    emergence.held_out_loss.y.push_back(loss);
    emergence.change_to_final.x.push_back(tokens);
    emergence.change_to_final.y.push_back(changes[tokens].value());
  }
}

/// Adds the logarithm of a matrix's spectrum, relative to its root mean square, to those of its
/// kind.
void add_relative(std::vector<RunningMean>& means, const std::vector<double>& spectrum) {
  double squares = 0;
  for (const double value : spectrum) squares += value * value;
  const double scale = std::sqrt(squares / static_cast<double>(spectrum.size()));
  if (means.size() < spectrum.size()) means.resize(spectrum.size());
  for (std::size_t i = 0; i < spectrum.size(); ++i) means[i].add(std::log(spectrum[i] / scale));
}

std::vector<double> exponentials(const std::vector<RunningMean>& means) {
  std::vector<double> values;
  for (const RunningMean& mean : means) values.push_back(std::exp(mean.value()));
  return values;
}

void read_use(const std::filesystem::path& path, ReportEmergence& emergence) {
  static const std::array<TableColumn, 5> columns = {
      {{"tokens"}, {"matrix"}, {"i"}, {"sigma"}, {"functional"}}};
  NumberTable table(path, columns);
  struct Spectra {
    std::vector<double> sigma, functional;
  };
  std::map<double, std::map<std::string, Spectra>> by_tokens;  // then by matrix
  while (table.next()) {
    Spectra& spectra = by_tokens[table.number(0)][table.text(1)];
    spectra.sigma.push_back(table.number(3));
    spectra.functional.push_back(table.number(4));
    if (table.place(2) != std::ssize(spectra.sigma)) {
      throw Error(
          fmt::format("{}: the rows of {} are not i = 1, 2, ...", path.string(), table.text(1)));
    }
  }
  if (by_tokens.empty()) throw Error(fmt::format("{}: no rows", path.string()));
  const double last = by_tokens.rbegin()->first;
  for (const auto& [tokens, matrices] : by_tokens) {
    std::map<std::string, std::pair<std::vector<RunningMean>, std::vector<RunningMean>>> kinds;
    for (const auto& [matrix, spectra] : matrices) {
      auto& [sigma, functional] = kinds[matrix_kind(matrix)];
      add_relative(sigma, spectra.sigma);
      add_relative(functional, spectra.functional);
    }
    for (const auto& [kind, means] : kinds) {
      ReportUse& use = emergence.use[kind];
      (tokens == last ? use.sigma : use.sigma_initial) = exponentials(means.first);
      (tokens == last ? use.functional : use.functional_initial) = exponentials(means.second);
    }
  }
}

}  // namespace

ReportEmergence read_report_emergence(const std::filesystem::path& folder) {
  ReportEmergence emergence;
  read_overlaps(folder / "emergence.csv", emergence);
  read_use(folder / "functional.csv", emergence);
  return emergence;
}

}  // namespace basis
