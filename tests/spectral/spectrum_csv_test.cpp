#include "spectral/spectrum_csv.h"

#include <cstdlib>
#include <map>
#include <sstream>

#include <gtest/gtest.h>

#include "spectral/svd_basis.h"
#include "tests/spectral/reference.h"
#include "tests/tensor/file_fixture.h"

namespace basis {
namespace {

using SpectrumCsvTest = TemporaryFolder;
using Table = std::vector<std::map<std::string, std::string>>;

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  for (const char letter : line) {
    if (letter == ',') {
      fields.emplace_back();
    } else {
      fields.back() += letter;
    }
  }
  return fields;
}

Table read_table(const std::filesystem::path& path) {
  std::istringstream text(read_file(path));
  std::string line;
  std::getline(text, line);
  const std::vector<std::string> header = fields_of(line);
  Table table;
  while (std::getline(text, line)) {
    const std::vector<std::string> fields = fields_of(line);
    EXPECT_EQ(fields.size(), header.size()) << line;
    auto& row = table.emplace_back();
    for (std::size_t i = 0; i < header.size(); ++i) row[header[i]] = fields.at(i);
  }
  return table;
}

MatrixReport small_report(const std::string& name, int draws) {
  const Matrix before = random_gaussian(4, 6, 1, 1);
  return analyse_matrix({name, before, with_noise(before, 0.1, 2)},
                        {.gaussian_draws = draws, .haar_draws = draws, .angle_ranks = {2}});
}

TEST_F(SpectrumCsvTest, HasARowForEveryMatrixSideAndRank) {
  const MatrixReport a = small_report("a.weight", 1), b = small_report("b.weight", 0);
  SpectrumCsv csv(folder());
  csv.add(a);
  csv.add(b);
  csv.commit();
  EXPECT_EQ(names(), (std::vector<std::string>{"spectrum.csv", "vectors.csv"}));
  const Table table = read_table(path("spectrum.csv"));
  ASSERT_EQ(table.size(), 2u * 2u * 4u);
  const auto& row = table.at(6);  // a.weight, v, k = 3
  EXPECT_EQ(row.at("matrix"), "a.weight");
  EXPECT_EQ(row.at("side"), "v");
  EXPECT_EQ(row.at("k"), "3");
  const std::map<std::string, double> expected = {{"overlap", a.v.overlap[2]},
                                                  {"overlap_corrected", a.v.overlap_corrected[2]},
                                                  {"chance", a.v.chance[2]},
                                                  {"rotation", a.v.rotation[2]},
                                                  {"rotation_gaussian", a.v.rotation_gaussian[2]},
                                                  {"rotation_haar", a.v.rotation_haar[2]},
                                                  {"rotation_expected", a.v.rotation_expected[2]},
                                                  {"ratio", a.v.ratio[2]},
                                                  {"energy_core", a.energy.core[2]},
                                                  {"energy_diagonal", a.energy.diagonal[2]},
                                                  {"change", a.change},
                                                  {"energy_core_chance", 9.0 / 24},
                                                  {"energy_diagonal_chance", 3.0 / 24},
                                                  {"wedin_bound", a.wedin[2]}};
  for (const auto& [column, value] : expected) {
    // 12 significant digits.
    EXPECT_NEAR(std::strtod(row.at(column).c_str(), nullptr), value, 1e-11 * std::abs(value))
        << column;
  }
  EXPECT_EQ(row.at("largest_angle"), "");
  EXPECT_NE(table.at(5).at("largest_angle"), "");
  EXPECT_EQ(table.at(3).at("overlap_corrected"), "") << "u, k = d = 4: not defined";
  EXPECT_EQ(table.at(8).at("matrix"), "b.weight");
  EXPECT_EQ(table.at(8).at("rotation_gaussian"), "") << "not simulated";
  EXPECT_EQ(table.at(8).at("rotation_haar"), "") << "not simulated";
}

TEST_F(SpectrumCsvTest, HasARowForEverySingularPair) {
  const MatrixReport report = small_report("w", 0);
  SpectrumCsv csv(folder());
  csv.add(report);
  csv.commit();
  const Table table = read_table(path("vectors.csv"));
  ASSERT_EQ(table.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(table[i].at("i"), std::to_string(i + 1));
    EXPECT_NEAR(std::strtod(table[i].at("sigma").c_str(), nullptr), report.sigma[i], 1e-11 * 10);
    EXPECT_NEAR(std::strtod(table[i].at("stability_matched").c_str(), nullptr),
                report.stability.matched[i], 1e-11);
    EXPECT_EQ(table[i].at("matched_with"), std::to_string(report.stability.matched_with[i] + 1));
  }
}

TEST_F(SpectrumCsvTest, LeavesNothingWithoutCommit) {
  {
    SpectrumCsv csv(folder());
    csv.add(small_report("w", 0));
  }
  EXPECT_TRUE(names().empty());
  EXPECT_THROW(SpectrumCsv(path("missing")), Error);
}

TEST_F(SpectrumCsvTest, QuotesNamesThatHoldSeparators) {
  SpectrumCsv csv(folder());
  csv.add(small_report("a,\"b\"", 0));
  csv.commit();
  EXPECT_NE(read_file(path("spectrum.csv")).find("\n\"a,\"\"b\"\"\",u,1,"), std::string::npos);
}

}  // namespace
}  // namespace basis
