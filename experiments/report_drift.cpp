#include <array>
#include <cmath>
#include <map>
#include <tuple>

#include "experiments/number_table.h"
#include "experiments/report_data.h"

namespace basis {

std::vector<ReportCoDrift> read_report_co_drifts(const std::filesystem::path& folder) {
  static const std::array<TableColumn, 9> columns = {{{"matrix"},
                                                      {"side"},
                                                      {"k"},
                                                      {"relation"},
                                                      {"replicate"},
                                                      {"first"},
                                                      {"second"},
                                                      {"co_drift"},
                                                      {"cosine"}}};
  NumberTable table(folder / "sharing.csv", columns);
  struct Sum {
    double co_drift = 0, cosine = 0;
    std::int64_t count = 0;
  };
  using Choice = std::tuple<std::string, std::int64_t, std::string, std::string, std::string,
                            std::string, std::int64_t>;
  std::map<Choice, Sum> sums;
  while (table.next()) {
    if (!std::isfinite(table.number(7))) continue;
    Sum& sum = sums[{table.text(3), static_cast<std::int64_t>(table.number(4)), table.text(5),
                     table.text(6), table.text(1), matrix_kind(table.text(0)), table.place(2)}];
    sum.co_drift += table.number(7);
    sum.cosine += table.number(8);
    ++sum.count;
  }
  std::vector<ReportCoDrift> rows;
  for (const auto& [choice, sum] : sums) {
    const auto& [relation, replicate, first, second, side, kind, k] = choice;
    const auto count = static_cast<double>(sum.count);
    rows.push_back({relation, replicate, first, second, side, kind, k, sum.co_drift / count,
                    sum.cosine / count, "", 0});
  }
  return rows;
}

std::string task_of_run(const std::string& run) {
  return run.substr(0, run.find('/'));
}

std::vector<ReportCut> read_report_cuts(const std::filesystem::path& folder) {
  static const std::array<TableColumn, 5> columns = {
      {{"basis"}, {"part"}, {"k"}, {"energy"}, {"score"}}};
  NumberTable table(folder / "surgery.csv", columns);
  std::vector<ReportCut> cuts;
  while (table.next()) {
    ReportCut cut;
    cut.basis = table.text(0);
    cut.part = table.text(1);
    cut.k = table.text(2).empty() ? 0 : table.place(2);
    cut.energy = table.number(3);
    cut.score = table.number(4);
    cuts.push_back(std::move(cut));
  }
  return cuts;
}

}  // namespace basis
