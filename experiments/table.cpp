#include "experiments/table.h"

#include <algorithm>

#include <fmt/format.h>

#include "experiments/html.h"
#include "tensor/error.h"

namespace basis {
namespace {

using Row = std::vector<std::string>;

/// Characters of a UTF-8 text.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char letter) {
    return (static_cast<unsigned char>(letter) & 0xC0U) != 0x80U;
  }));
}

/// The first column to the left, the others to the right.
std::string aligned(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string gap(widths[i] - width_of(row[i]), ' ');
      if (i > 0) line += "  ";
      line += i == 0 ? row[i] + gap : gap + row[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::string score_cell(const MethodScores& cell) {
  if (cell.scores.empty() || cell.scores[0].spread.count == 0) return "-";
  const Spread& spread = cell.scores[0].spread;
  return fmt::format("{:.1f}{}{}", 100 * spread.mean, spread_text(spread, 100, 1),
                     cell.is_best ? " *" : "  ");
}

std::string metric_of_task(const ScoreTable& table, std::size_t task) {
  for (const auto& row : table.cells) {
    if (!row[task].scores.empty()) return row[task].scores[0].metric;
  }
  return "";
}

}  // namespace

std::string results_table(const Config& config, const std::vector<ReportRun>& runs) {
  const ScoreTable table = score_table(config, runs);
  if (table.is_empty()) return "no finished fine-tuning yet\n";
  Row head = {"method", "trained %"};
  Row metrics = {"", ""};
  for (std::size_t task = 0; task < table.tasks.size(); ++task) {
    head.push_back(table.tasks[task] + "  ");
    metrics.push_back(metric_of_task(table, task) + "  ");
  }
  head.emplace_back("tokens/s");
  metrics.emplace_back("");
  std::vector<Row> rows = {head, metrics};
  const std::vector<MethodCost> costs = method_costs(config, runs);
  for (std::size_t method = 0; method < table.methods.size(); ++method) {
    const auto cost = std::find_if(costs.begin(), costs.end(), [&](const MethodCost& one) {
      return one.method == table.methods[method];
    });
    const bool has_cost = cost != costs.end();
    Row row = {table.methods[method],
               has_cost ? significant_text(100 * cost->trainable_share, 3) : "-"};
    for (const MethodScores& cell : table.cells[method]) row.push_back(score_cell(cell));
    row.push_back(has_cost ? fmt::format("{:.0f}", cost->tokens_per_s) : "-");
    rows.push_back(std::move(row));
  }
  return aligned(rows);
}

std::string results_table(const StageStore& store, const Plan& plan) {
  std::vector<ReportRun> runs;
  for (const Stage& stage : plan.stages) {
    if (stage.kind != StageKind::Finetune) continue;
    try {
      if (auto result = store.result_of(stage)) {
        ReportRun run;
        run.task = stage.task;
        run.method = method_by_model(plan.config, stage);
        run.seed = stage.seed;
        run.result = std::move(*result);
        runs.push_back(std::move(run));
      }
    } catch (const Error&) {
      // A damaged result is no row; the runner reports it when it comes to that stage.
    }
  }
  return results_table(by_model(plan.config), runs);
}

}  // namespace basis
