#include "spectral/spectrum_csv.h"

#include <cmath>
#include <iterator>
#include <string>

#include <fmt/format.h>

namespace basis {
namespace {

constexpr const char* spectrum_header =
    "matrix,side,k,overlap,overlap_corrected,chance,rotation,rotation_gaussian,rotation_haar,"
    "rotation_expected,ratio,energy_core,energy_diagonal,change,out,in,energy_core_chance,energy_"
    "diagonal_chance,"
    "wedin_bound,largest_angle,intruders\n";
constexpr const char* vectors_header =
    "matrix,i,sigma,sigma_after,sigma_shift,coefficient_shift,stability_diagonal,stability_matched,"
    "matched_with,matched_chance,group_begin,group_end,group_overlap_u,group_overlap_v\n";

/// A field as RFC 4180 wants it.
std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string field = "\"";
  for (const char letter : text) {
    if (letter == '"') field += '"';
    field += letter;
  }
  return field + '"';
}

/// One line that grows field by field.
class Row {
 public:
  explicit Row(const std::string& first) : text_(first) {}
  Row& add(std::int64_t value) {
    fmt::format_to(std::back_inserter(text_), ",{}", value);
    return *this;
  }
  Row& add(const char* value) {
    text_ += ',';
    text_ += value;
    return *this;
  }
  Row& add(double value) {
    text_ += ',';
    if (!std::isnan(value)) fmt::format_to(std::back_inserter(text_), "{:.12g}", value);
    return *this;
  }
  Row& add_empty() {
    text_ += ',';
    return *this;
  }
  std::string line() { return std::move(text_) + '\n'; }

 private:
  std::string text_;
};

std::string side_rows(const MatrixReport& report, const char* name, const SideReport& side) {
  std::string rows;
  const std::string matrix = quoted(report.name);
  for (std::size_t k = 0; k < side.overlap.size(); ++k) {
    Row row(matrix);
    row.add(name).add(static_cast<std::int64_t>(k + 1)).add(side.overlap[k]);
    row.add(side.overlap_corrected[k]).add(side.chance[k]).add(side.rotation[k]);
    for (const Curve* control : {&side.rotation_gaussian, &side.rotation_haar}) {
      control->empty() ? row.add_empty() : row.add((*control)[k]);
    }
    row.add(side.rotation_expected[k]).add(side.ratio[k]);
    row.add(report.energy.core[k]).add(report.energy.diagonal[k]).add(report.change);
    row.add(report.out).add(report.in);
    row.add(report.energy.core_chance[k]).add(report.energy.diagonal_chance[k]);
    row.add(report.wedin[k]);
    double largest_angle = std::nan("");
    for (const PrincipalAngles& angles : side.angles) {
      if (angles.k == static_cast<std::int64_t>(k + 1)) largest_angle = angles.radians.front();
    }
    rows += row.add(largest_angle).add(side.intruders).line();
  }
  return rows;
}

std::string vector_rows(const MatrixReport& report) {
  std::string rows;
  const std::string matrix = quoted(report.name);
  for (const GapGroup& group : report.groups) {
    for (std::int64_t i = group.begin; i < group.end; ++i) {
      const auto at = static_cast<std::size_t>(i);
      Row row(matrix);
      row.add(i + 1).add(report.sigma[at]).add(report.sigma_after[at]).add(report.sigma_shift[at]);
      row.add(report.energy.coefficient_shift[at]);
      row.add(report.stability.diagonal[at]).add(report.stability.matched[at]);
      row.add(report.stability.matched_with[at] + 1).add(report.matched_chance[at]);
      row.add(group.begin + 1).add(group.end).add(group.overlap_u).add(group.overlap_v);
      rows += row.line();
    }
  }
  return rows;
}

}  // namespace

SpectrumCsv::SpectrumCsv(const std::filesystem::path& folder)
    : spectrum_(folder / "spectrum.csv"), vectors_(folder / "vectors.csv") {
  spectrum_.write(std::string_view(spectrum_header));
  vectors_.write(std::string_view(vectors_header));
}

void SpectrumCsv::add(const MatrixReport& report) {
  spectrum_.write(side_rows(report, "u", report.u));
  spectrum_.write(side_rows(report, "v", report.v));
  vectors_.write(vector_rows(report));
}

void SpectrumCsv::commit() {
  vectors_.commit();
  spectrum_.commit();  // last: whoever sees it finds both
}

}  // namespace basis
