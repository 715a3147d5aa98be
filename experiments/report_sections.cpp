#include "experiments/report_sections.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/html.h"
#include "experiments/report_cells.h"
#include "experiments/report_curves.h"

namespace basis {
namespace {

/// The primary metric large, the others beneath it.
std::string score_cell(const MethodScores& cell, bool is_weak) {
  std::string classes = cell.is_best ? "best" : "";
  if (is_weak) classes += classes.empty() ? "weak" : " weak";
  std::string html = classes.empty() ? "<td>" : fmt::format("<td class=\"{}\">", classes);
  if (cell.scores.empty()) return html + "—</td>";
  for (std::size_t i = 0; i < cell.scores.size(); ++i) {
    const Score& score = cell.scores[i];
    const bool is_known = score.spread.count > 0;
    const std::string value = is_known ? fixed_text(100 * score.spread.mean, 1) : "undefined";
    const std::string spread = spread_text(score.spread, 100, 1);
    html += i == 0
                ? fmt::format("<span class=\"value\">{}</span><span class=\"spread\">{}</span>",
                              value, spread)
                : fmt::format("<small>{} {}{}</small>", html_escape(score.metric), value, spread);
  }
  return html + "</td>";
}

std::string primary_metric_of(const ScoreTable& table, std::size_t task) {
  for (const auto& row : table.cells) {
    if (!row[task].scores.empty()) return row[task].scores[0].metric;
  }
  return "";
}

bool has_means(const ScoreTable& table) {
  return table.tasks.size() > 1 &&
         std::any_of(table.means.begin(), table.means.end(),
                     [](const Spread& spread) { return spread.count > 0; });
}

/// rho at one k over the runs of a cell: geometric mean with its interval.
std::string ratio_cell(const std::vector<const ReportSpectrum*>& spectra, std::size_t k) {
  std::vector<const std::vector<double>*> runs;
  for (const ReportSpectrum* one : spectra) {
    if (one->ratio.size() >= k) runs.push_back(&one->ratio);
  }
  const RankCurve curve = rank_curve(runs);
  const auto found = std::find(curve.k.begin(), curve.k.end(), static_cast<double>(k));
  if (found == curve.k.end()) return "<td>—</td>";
  const auto at = static_cast<std::size_t>(found - curve.k.begin());
  std::string html =
      fmt::format("<td><span class=\"value\">{}</span>", significant_text(curve.mean[at], 3));
  if (curve.low.size() == curve.k.size()) {
    html += fmt::format("<span class=\"spread\"> ({}–{})</span>",
                        significant_text(curve.low[at], 3), significant_text(curve.high[at], 3));
  }
  return html + "</td>";
}

std::string ratio_table(const ReportData& data) {
  static constexpr std::size_t ranks[] = {1, 8, 32, 128};
  std::string head =
      "<th scope=\"col\">Task</th><th scope=\"col\" class=\"name\">Method</th><th "
      "scope=\"col\">Runs</th>"
      "<th scope=\"col\">‖ΔW‖ / ‖W₀‖<small>%</small></th>";
  for (const std::size_t k : ranks) {
    head += fmt::format("<th scope=\"col\">ρ<small>k = {}</small></th>", k);
  }
  std::string body;
  for (const std::string& task : data.config.tasks) {
    bool is_first = true;  // its rows stand under one name
    for (const std::string& method : data.config.methods) {
      std::vector<const ReportSpectrum*> spectra;
      std::vector<double> changes;
      for (const ReportSpectrum& one : data.spectra) {
        if (one.task != task || one.method != method) continue;
        spectra.push_back(&one);
        changes.push_back(one.change);
      }
      if (spectra.empty()) continue;
      const Spread change = spread_of(changes);
      body +=
          fmt::format("<tr><td>{}</td>{}<td>{}</td><td>{}</td>", is_first ? html_escape(task) : "",
                      method_cell(data.config, method), spectra.size(),
                      change.count > 0 ? significant_text(100 * change.mean, 3) : "—");
      is_first = false;
      for (const std::size_t k : ranks) body += ratio_cell(spectra, k);
      body += "</tr>\n";
    }
  }
  return table_html(head, body);
}

/// `is_images`: the pretraining was on images.
std::string held_out_summary(const ReportRun& run, bool is_images) {
  const auto last = [&](const char* name) {
    const ReportCurve* curve = run.curve(name);
    return curve != nullptr && !curve->is_empty() ? curve->y.back() : std::nan("");
  };
  const double held_out = last("held_out_loss");
  const double unigram = last("unigram_loss");
  std::string text =
      fmt::format("Held-out loss {} nats per {} at the end; {} scores {} on the same {}",
                  fixed_text(held_out, 3), is_images ? "image" : "token",
                  is_images ? "who knows how frequent the classes are" : "a unigram model",
                  fixed_text(unigram, 3), is_images ? "images" : "positions");
  if (std::isfinite(held_out) && std::isfinite(unigram)) {
    text += fmt::format(
        " ({} nats {})", fixed_text(std::abs(unigram - held_out), 2),
        held_out < unigram ? "above it" : "below it: nothing but frequencies was learned");
  }
  const double accuracy = last("held_out_accuracy");
  if (std::isfinite(accuracy)) {
    text += fmt::format("; the right {} came first at {} % of them", is_images ? "class" : "token",
                        fixed_text(100 * accuracy, 1));
  }
  return text + fmt::format(". {} of training.", duration_text(run.result.seconds));
}

}  // namespace

Section scores_section(const ReportData& data, const ScoreTable& table) {
  if (data.config.tasks.empty()) return {};  // pretraining alone
  Section section{"results", "Results", {}};
  if (table.is_empty()) {
    section.blocks.push_back({paragraph("No fine-tuning has finished yet."), {}});
    return section;
  }
  std::string head =
      "<th scope=\"col\" class=\"name\">Method</th><th scope=\"col\">Trained<small>%</small></th>";
  bool is_any_weak = false;
  for (std::size_t task = 0; task < table.tasks.size(); ++task) {
    is_any_weak = is_any_weak || table.is_weak[task];
    head +=
        fmt::format("<th scope=\"col\"{}>{}<small>{}</small></th>",
                    table.is_weak[task] ? " class=\"weak\"" : "", html_escape(table.tasks[task]),
                    html_escape(primary_metric_of(table, task)));
  }
  const bool shows_means = has_means(table);
  if (shows_means) head += "<th scope=\"col\">Mean<small>";
  if (shows_means)
    head += is_any_weak ? "over tasks not greyed</small></th>" : "over tasks</small></th>";
  const std::vector<MethodCost> costs = method_costs(data.config, data.runs);
  std::string body;
  for (std::size_t method = 0; method < table.methods.size(); ++method) {
    body += "<tr>" + method_cell(data.config, table.methods[method]);
    const auto cost = std::find_if(costs.begin(), costs.end(), [&](const MethodCost& one) {
      return one.method == table.methods[method];
    });
    body +=
        fmt::format("<td>{}</td>",
                    cost == costs.end() ? "—" : significant_text(100 * cost->trainable_share, 3));
    for (std::size_t task = 0; task < table.tasks.size(); ++task) {
      body += score_cell(table.cells[method][task], table.is_weak[task]);
    }
    if (shows_means) body += plain_cell(table.means[method], 100, 1);
    body += "</tr>\n";
  }
  std::string caption =
      "Scores on dev after the last step, times 100: mean over seeds ± half the 95 % t-interval "
      "from three seeds on, the range for two. The primary metric is large, others are beneath "
      "it. ▸ marks the highest mean of a task, which is no test: where intervals overlap, the "
      "order may be the seeds'. Trained: share of the encoder's parameters, the head not counted.";
  if (is_any_weak) {
    caption +=
        " Greyed tasks: full fine-tuning is not 3 standard errors above the majority class, so "
        "they decide nothing.";
  }
  section.blocks.push_back({table_html(head, body) + paragraph(caption), {}});
  section.blocks.push_back({"", score_figure(data, table)});
  for (Figure figure : {budget_figure(data, table), budget_by_task_figure(data, table)}) {
    if (!figure.panels.empty()) section.blocks.push_back({"", std::move(figure)});
  }
  return section;
}

Section costs_section(const ReportData& data) {
  Section section{"costs", "Costs", {}};
  const std::vector<MethodCost> costs = method_costs(data.config, data.runs);
  if (costs.empty()) return section;
  const std::string head =
      "<th scope=\"col\" class=\"name\">Method</th><th "
      "scope=\"col\">Trained<small>parameters</small></th>"
      "<th scope=\"col\">Share<small>of the encoder, %</small></th>"
      "<th scope=\"col\">Share<small>of adapted matrices, %</small></th>"
      "<th scope=\"col\">Head<small>parameters</small></th>"
      "<th scope=\"col\">Speed<small>tokens/s</small></th>"
      "<th scope=\"col\">Peak memory<small>MiB</small></th>"
      "<th scope=\"col\">Time<small>a run</small></th><th scope=\"col\">Runs</th>";
  std::string body;
  for (const MethodCost& cost : costs) {
    const auto whole = [](double value) { return grouped_text(std::llround(value)); };
    body += fmt::format(
        "<tr>{}<td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
        "<td>{}</td></tr>\n",
        method_cell(data.config, cost.method), whole(cost.trainable),
        significant_text(100 * cost.trainable_share, 3),
        cost.adapted_share > 0 ? significant_text(100 * cost.adapted_share, 3) : "—",
        whole(cost.head_parameters), whole(cost.tokens_per_s), whole(cost.peak_mib),
        duration_text(cost.seconds), cost.runs);
  }
  section.blocks.push_back(
      {table_html(head, body) +
           paragraph("Means over all runs of a method; memory is the largest. Speed counts real "
                     "tokens in training and no padding. Memory is the whole process's, data and "
                     "model included. The head is trained by every method and in no share."),
       {}});
  return section;
}

Section pretraining_section(const ReportData& data, const ScoreTable& table) {
  Section section{"pretraining", "Pretraining", {}};
  for (const ReportRun& run : data.pretrainings) {
    section.blocks.push_back(
        {"<p>" +
             html_escape(held_out_summary(run, data.config.pretrain_for(run.model).is_images())) +
             "</p>\n",
         {}});
  }
  section.blocks.push_back({"", pretraining_figure(data)});
  const auto comparisons = start_comparisons(data.config, table, data.runs);
  if (data.pretrainings.empty() && comparisons.empty()) return {};
  if (comparisons.empty()) return section;
  std::string head = "<th scope=\"col\">Pretrained − random</th>";
  for (const std::string& task : table.tasks) {
    head += fmt::format("<th scope=\"col\">{}</th>", html_escape(task));
  }
  std::string body;
  for (const StartComparison& comparison : comparisons) {
    body += fmt::format("<tr><th scope=\"row\">{} − {}</th>", html_escape(comparison.pretrained),
                        html_escape(comparison.random));
    for (const Spread& spread : comparison.differences) body += plain_cell(spread, 100, 1, true);
    body += "</tr>\n";
  }
  section.blocks.push_back(
      {table_html(head, body) +
           paragraph("What pretraining adds: the score of the pretrained start minus that of the "
                     "same model from random weights, in points of the primary metric, paired by "
                     "seed; mean ± half the 95 % t-interval (the range for two seeds)."),
       {}});
  return section;
}

Section curves_section(const ReportData& data, const ScoreTable& table) {
  Section section{"curves", "Training", {}};
  for (Figure figure : {loss_figure(data), dev_figure(data, table)}) {
    if (!figure.panels.empty()) section.blocks.push_back({"", std::move(figure)});
  }
  return section;
}

Section spectra_section(const ReportData& data) {
  Section section{"spectra", "Spectra", {}};
  if (data.spectra.empty()) return section;
  section.blocks.push_back(
      {"<p>How the encoder's matrices changed: W₀ before and W₀ + ΔW after fine-tuning. ρₖ is the "
       "rotation of the leading k singular vectors over the rotation that a Gaussian change of "
       "the same size causes; below 1 the basis is more stable than the size of the change "
       "explains.</p>\n" +
           ratio_table(data) +
           paragraph("Geometric means over matrices and both sides, then over runs; in brackets "
                     "the 95 % t-interval over seeds of log ρ, from three on."),
       {}});
  for (Figure figure : {ratio_figure(data), heat_figure(data), rotation_figure(data),
                        dose_figure(data), sigma_figure(data), shift_figure(data)}) {
    if (!figure.panels.empty()) section.blocks.push_back({"", std::move(figure)});
  }
  return section;
}

}  // namespace basis
