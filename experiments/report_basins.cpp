#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "experiments/html.h"
#include "experiments/report_cells.h"
#include "experiments/report_sections.h"

namespace basis {
namespace {

constexpr double percent = 100;

/// What stands side by side of the trainings that differ in their seeds alone.
struct Row {
  std::vector<double> radii, norms, scores;
  bool is_past_grid = false;  // one basin or more is larger than the grid tells
  std::vector<double> after, kept, others;
  std::vector<double> held_out_losses;
  std::map<std::string, std::vector<double>> tuned;  // by "task, method"
};

/// By task, or "pretraining", and method or model, in the order of the plan.
class Rows {
 public:
  Row& at(const std::string& task, const std::string& method) {
    const auto key = std::pair(task, method);
    if (!rows_.contains(key)) order_.push_back(key);
    return rows_[key];
  }
  template <class Function>
  void each(Function visit) const {
    for (const auto& key : order_) visit(key.first, key.second, rows_.at(key));
  }

 private:
  std::vector<std::pair<std::string, std::string>> order_;
  std::map<std::pair<std::string, std::string>, Row> rows_;
};

void add_landscape(const ReportLandscape& one, Row& row) {
  row.norms.push_back(one.norm);
  row.scores.push_back(one.centre);
  if (!one.has_basin(relative_noise)) return;
  const Basin basin = basin_of(one, relative_noise);
  row.radii.push_back(basin.radius.estimate);
  row.is_past_grid = row.is_past_grid || basin.is_past_grid;
}

Rows fine_tunings(const ReportData& data) {
  Rows rows;
  for (const ReportLandscape& one : data.landscapes) {
    if (!one.is_of_pretraining()) add_landscape(one, rows.at(one.task, one.method));
  }
  for (const ReportRun& run : data.retentions) {
    Row& row = rows.at(run.task, run.method);
    row.after.push_back(metric_named(run.result, "score_after"));
    row.kept.push_back(metric_named(run.result, "kept"));
    row.others.push_back(metric_named(run.result, "other_score"));
  }
  return rows;
}

Rows pretrainings(const ReportData& data) {
  Rows rows;
  for (const ReportLandscape& one : data.landscapes) {
    if (!one.is_of_pretraining()) continue;
    Row& row = rows.at(one.task, one.method);
    add_landscape(one, row);
    for (const ReportRun& run : data.pretrainings) {
      if (run.model != one.model || run.pretrain_seed != one.pretrain_seed) continue;
      row.held_out_losses.push_back(metric_named(run.result, "held_out_loss"));
    }
    for (const ReportRun& run : data.runs) {
      if (run.model != one.model || run.pretrain_seed != one.pretrain_seed) continue;
      row.tuned[fmt::format("{}, {}", run.task, run.base_method)].push_back(
          run.result.metrics.front().second);
    }
  }
  return rows;
}

std::string heading(const std::string& name, const std::string& unit = "") {
  return fmt::format("<th scope=\"col\">{}<small>{}</small></th>", html_escape(name),
                     html_escape(unit));
}

/// Basin, norm and score.
std::string common_headings() {
  return heading("Runs") + heading("Basin", "relative σ") + heading("‖θ‖") +
         heading("Score", "× 100");
}

std::string common_cells(const Row& row) {
  return fmt::format("<td>{}</td>", std::max(row.norms.size(), row.kept.size())) +
         plain_cell(spread_of(row.radii), 1, 3) + plain_cell(spread_of(row.norms), 1, 2) +
         plain_cell(spread_of(row.scores), percent, 1);
}

std::string past_grid_note(const Rows& rows) {
  std::string names;
  rows.each([&](const std::string& task, const std::string& method, const Row& row) {
    if (!row.is_past_grid) return;
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", method, task);
  });
  return names.empty()
             ? ""
             : fmt::format(" Basins larger than the grid of σ count as its end: {}.", names);
}

std::string fine_tuning_table(const ReportData& data, const Rows& rows) {
  const bool has_other = !data.retentions.empty();
  const std::string& other = data.config.retention.task;
  std::string head = heading("Task") + heading("Method") + common_headings();
  if (has_other) {
    head += heading("Score after " + other, "× 100") +
            heading("Kept", "% of what is above chance") + heading(other, "× 100");
  }
  std::string body;
  rows.each([&](const std::string& task, const std::string& method, const Row& row) {
    body += fmt::format("<tr><td>{}</td>{}{}", html_escape(task), method_cell(data.config, method),
                        common_cells(row));
    if (has_other) {
      body += plain_cell(spread_of(row.after), percent, 1) +
              plain_cell(spread_of(row.kept), percent, 1) +
              plain_cell(spread_of(row.others), percent, 1);
    }
    body += "</tr>\n";
  });
  if (body.empty()) return "";
  std::string caption =
      "Means over seeds ± half the 95 % t-interval from three seeds on, the range for two. ‖θ‖ is "
      "of what was moved.";
  if (has_other) {
    caption += fmt::format(
        " Score after {0}: the fine-tuned encoder trained on {0} in full under a new head, every "
        "method's with the same settings and no perturbation; then its first head was put back.",
        other);
  }
  return table_html(head, body) + paragraph(caption + past_grid_note(rows));
}

std::string pretraining_table(const Rows& rows) {
  std::set<std::string> tuned;
  rows.each([&](const std::string&, const std::string&, const Row& row) {
    for (const auto& [name, scores] : row.tuned) tuned.insert(name);
  });
  std::string head = heading("Pretraining") + common_headings() + heading("Held-out loss", "nats");
  for (const std::string& name : tuned) head += heading(name, "fine-tuned, × 100");
  std::string body;
  rows.each([&](const std::string&, const std::string& model, const Row& row) {
    body += fmt::format("<tr><th scope=\"row\">{}</th>{}{}", html_escape(model), common_cells(row),
                        plain_cell(spread_of(row.held_out_losses), 1, 3));
    for (const std::string& name : tuned) {
      const auto found = row.tuned.find(name);
      body +=
          plain_cell(found == row.tuned.end() ? Spread{} : spread_of(found->second), percent, 1);
    }
    body += "</tr>\n";
  });
  if (body.empty()) return "";
  return table_html(head, body) +
         paragraph(
             "Score: how often the right token comes first at the masked positions of "
             "held-out text. Means over pretraining seeds, of fine-tunings over theirs too, "
             "± half the 95 % t-interval from three on, the range for two." +
             past_grid_note(rows));
}

}  // namespace

Section basins_section(const ReportData& data) {
  Section section{"basins", "Basins beside scores", {}};
  for (const std::string& table :
       {fine_tuning_table(data, fine_tunings(data)), pretraining_table(pretrainings(data))}) {
    if (!table.empty()) section.blocks.push_back({table, {}});
  }
  return section;
}

}  // namespace basis
