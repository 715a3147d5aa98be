#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "experiments/html.h"
#include "experiments/report_cells.h"
#include "experiments/report_sections.h"

namespace basis {
namespace {

/// Accuracy of every run of one method on one task, by change.
using Accuracies = std::map<PixelChange, std::vector<double>>;

Accuracies accuracies_of(const ReportData& data, const std::string& task,
                         const std::string& method) {
  Accuracies all;
  for (const ReportRobustness& one : data.robustness) {
    if (one.task != task || one.method != method) continue;
    for (const auto& [change, answers] : one.answers) {
      all[change].push_back(score(answers.metric, answers.predicted, answers.expected));
    }
  }
  return all;
}

/// Those of any run: clean, then attacks, then noise, each by its size.
std::vector<PixelChange> changes_of(const ReportData& data) {
  std::set<PixelChange> found;
  for (const ReportRobustness& one : data.robustness) {
    for (const auto& [change, answers] : one.answers) found.insert(change);
  }
  std::vector<PixelChange> changes;
  for (const char* kind : {"clean", "pgd", "noise"}) {
    for (const PixelChange& change : found) {
      if (change.first == kind) changes.push_back(change);
    }
  }
  return changes;
}

std::vector<std::string> methods_of(const ReportData& data) {
  std::vector<std::string> methods;
  for (const std::string& method : data.config.methods) {
    const auto is_its = [&](const ReportRobustness& one) { return one.method == method; };
    if (std::any_of(data.robustness.begin(), data.robustness.end(), is_its)) {
      methods.push_back(method);
    }
  }
  return methods;
}

std::string head_cell(const PixelChange& change) {
  const auto& [kind, size] = change;
  if (kind == "clean") return "<th scope=\"col\">clean</th>";
  const bool is_noise = kind == "noise";
  return fmt::format("<th scope=\"col\">{}<small>{} = {}</small></th>",
                     is_noise ? "noise" : "attacked", is_noise ? "σ" : "ε", size);
}

std::string accuracy_table(const ReportData& data, const std::string& task) {
  const std::vector<PixelChange> changes = changes_of(data);
  std::string head = fmt::format(
      "<th scope=\"col\">{}</th><th scope=\"col\">Runs</th><th scope=\"col\">Images</th>",
      html_escape(task));
  for (const PixelChange& change : changes) head += head_cell(change);
  std::string body;
  for (const std::string& method : methods_of(data)) {
    const Accuracies all = accuracies_of(data, task, method);
    if (all.empty()) continue;
    std::int64_t images = 0;
    for (const ReportRobustness& one : data.robustness) {
      if (one.task == task && one.method == method) {
        images = one.answers.begin()->second.expected.size();
      }
    }
    body += fmt::format("<tr>{}<td>{}</td><td>{}</td>", method_cell(data.config, method),
                        all.begin()->second.size(), grouped_text(images));
    for (const PixelChange& change : changes) {
      const auto found = all.find(change);
      body += plain_cell(found == all.end() ? Spread{} : spread_of(found->second), 100, 1);
    }
    body += "</tr>\n";
  }
  return body.empty() ? "" : table_html(head, body);
}

/// A panel a task: accuracy against the size of one kind of change, which begins at clean rows.
void add_panels(const ReportData& data, const std::string& kind, const std::string& label,
                Figure& figure) {
  for (const std::string& task : data.config.tasks) {
    Plot plot;
    for (const std::string& method : methods_of(data)) {
      std::map<double, std::vector<double>> points;
      bool is_changed = false;
      for (const auto& [change, values] : accuracies_of(data, task, method)) {
        if (change.first != "clean" && change.first != kind) continue;
        points[change.second] = values;
        is_changed = is_changed || change.first == kind;
      }
      if (is_changed) add_curve(plot, points, method_color(data.config, method));
    }
    if (plot.series.empty()) continue;
    plot.title = fmt::format("{}, {}", task, kind == "noise" ? "noise" : "attacked");
    plot.description = fmt::format("Accuracy on {} by {}", task, label);
    plot.x.label = label;
    plot.y.label = "accuracy × 100";
    plot.y.low = 0;
    figure.panels.push_back(std::move(plot));
  }
}

Figure accuracy_figure(const ReportData& data) {
  Figure figure;
  figure.title = "Accuracy under changed pixels";
  figure.caption =
      "Accuracy on dev against ε, the largest change of any pixel that an attack on the model "
      "itself may make, and against σ of Gaussian noise; both in units of the range from black to "
      "white, 0 on the left the images as they are. Means over seeds with their 95 % t-bands. A "
      "method is more robust where its line falls later than another's from the same height; a "
      "line that falls under attacks alone has gradients that noise does not find.";
  figure.legend = method_legend(data.config, methods_of(data));
  add_panels(data, "pgd", "ε, share of the pixels' range", figure);
  add_panels(data, "noise", "σ, share of the pixels' range", figure);
  return figure;
}

}  // namespace

Section robustness_section(const ReportData& data) {
  Section section{"robustness", "Robustness", {}};
  if (data.robustness.empty()) return section;
  const RobustnessSettings& settings = data.config.robustness;
  std::string html = fmt::format(
      "<p>Accuracy on dev, times 100, where every image is changed before the model sees it. "
      "Attacked: {} steps of projected gradient ascent on the cross-entropy from a random start, "
      "by the fine-tuned model's own gradients, no pixel further than ε from where it was (arXiv "
      "1706.06083). Noise: Gaussian, of standard deviation σ. Sizes are shares of the pixels' "
      "range, to which all is clipped. Mean over seeds ± half the 95 % t-interval from three "
      "seeds on.</p>\n",
      settings.steps);
  for (const std::string& task : data.config.tasks) html += accuracy_table(data, task);
  section.blocks.push_back({std::move(html), accuracy_figure(data)});
  return section;
}

}  // namespace basis
