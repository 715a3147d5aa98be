#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "experiments/claims.h"
#include "experiments/html.h"
#include "experiments/report_sections.h"

namespace basis {
namespace {

std::string interval_cell(const ClaimRow& row) {
  std::string html =
      fmt::format("<td><span class=\"value\">{}</span>", significant_text(row.value.estimate, 3));
  if (row.has_interval) {
    html += fmt::format("<span class=\"spread\"> ({} to {})</span>",
                        significant_text(row.value.low, 3), significant_text(row.value.high, 3));
  }
  return html + "</td>";
}

/// The answers in a row each: what a reader sees first.
std::string summary_html(const std::vector<ClaimAnswer>& answers) {
  std::string html;
  for (const ClaimAnswer& answer : answers) {
    html += fmt::format("<p><b>{}</b> {} <b class=\"verdict\">{}.</b> {}</p>\n",
                        html_escape(answer.claim.name + "."), html_escape(answer.claim.text),
                        name_of(answer.verdict), html_escape(answer.reason));
  }
  return html +
         "<p class=\"caption\">Endpoints stand in the config, written down before the run. Runs "
         "are "
         "the replicates; intervals of weights are 95 % t-intervals over them, of scores crossed "
         "bootstraps over seeds and dev rows. The definitions are METHODS 2 of this project: the "
         "paper's body gives no formula that could be had.</p>\n";
}

std::string rows_html(const ClaimAnswer& answer) {
  std::string html = fmt::format(
      "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">{}</th><th "
      "scope=\"col\">{}<small>{:.0f} % interval</small></th><th scope=\"col\"></th></tr></thead>\n"
      "<tbody>\n",
      html_escape("Claim " + answer.claim.name), html_escape(answer.unit), 100 * answer.confidence);
  for (const ClaimRow& row : answer.rows) {
    html += fmt::format("<tr><th scope=\"row\">{}</th>{}<td>{}</td></tr>\n", html_escape(row.label),
                        interval_cell(row), html_escape(row.meaning));
  }
  return html + "</tbody></table></div>\n";
}

double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<std::size_t>(std::lround(place))];
}

/// All choices sorted by their effect, a curve for each group.
Figure specification_figure(const ClaimAnswer& answer) {
  Figure figure;
  figure.title = fmt::format("Claim {}: every choice", answer.claim.name);
  std::map<std::string, std::vector<double>> groups;
  std::vector<double> all;
  for (const Specification& one : answer.specifications) {
    groups[one.group].push_back(one.effect);
    all.push_back(one.effect);
  }
  std::sort(all.begin(), all.end());
  const auto above = static_cast<double>(
      std::count_if(all.begin(), all.end(), [&](double x) { return x > answer.neutral; }));
  figure.caption = fmt::format(
      "The specification curve: {} of {} choices ({}), sorted by what they find, so that none "
      "could "
      "be picked. {} % lie above the dashed line of no effect; the median is {}, nine tenths lie "
      "between {} and {}.",
      answer.effect, all.size(), answer.choices,
      fixed_text(100 * above / static_cast<double>(all.size()), 0),
      significant_text(quantile(all, 0.5), 3), significant_text(quantile(all, 0.05), 3),
      significant_text(quantile(all, 0.95), 3));
  Plot plot;
  plot.description = "Effects of all choices in order";
  plot.x.label = "choices in order of effect, %";
  plot.y.label = answer.effect;
  plot.y.is_log = answer.is_log;
  plot.width = 560;
  plot.height = 264;
  PlotSeries none;
  none.color = plot_muted;
  none.is_dashed = true;
  none.x = {0, 100};
  none.y = {answer.neutral, answer.neutral};
  plot.series.push_back(std::move(none));
  int color = 0;
  for (auto& [group, effects] : groups) {
    std::sort(effects.begin(), effects.end());
    constexpr std::size_t points = 200;
    PlotSeries curve;
    curve.color = color;
    curve.width = 1.9;
    for (std::size_t i = 0; i < std::min(points, effects.size()); ++i) {
      const double share =
          effects.size() == 1
              ? 0.5
              : static_cast<double>(i) / static_cast<double>(std::min(points, effects.size()) - 1);
      curve.x.push_back(100 * share);
      curve.y.push_back(quantile(effects, share));
    }
    plot.series.push_back(std::move(curve));
    figure.legend.push_back({group, color, false});
    color = (color + 1) % plot_palette_size;
  }
  figure.legend.push_back({"no effect", plot_muted, true});
  figure.panels.push_back(std::move(plot));
  figure.is_wide = true;
  return figure;
}

}  // namespace

Section claims_section(const ReportData& data) {
  Section section{"claims", "Answers", {}};
  const std::vector<ClaimAnswer> answers = answer_claims(data);
  if (answers.empty()) return section;
  section.blocks.push_back({summary_html(answers), {}});
  for (const ClaimAnswer& answer : answers) {
    if (answer.rows.empty()) continue;
    section.blocks.push_back({rows_html(answer), {}});
    if (!answer.specifications.empty()) {
      section.blocks.push_back({"", specification_figure(answer)});
    }
  }
  return section;
}

}  // namespace basis
