#include "experiments/report_figures.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/report_curves.h"

namespace basis {
namespace {

using Style = PlotSeries::Style;
constexpr double percent = 100;
constexpr std::size_t points_of_a_curve = 120;

/// Binned losses of a method's runs on a task.
std::vector<ReportCurve> loss_curves(const ReportData& data, const std::string& task,
                                     const std::string& method) {
  std::vector<ReportCurve> curves;
  for (const ReportRun& run : data.runs) {
    if (run.task != task || run.method != method) continue;
    const ReportCurve* loss = run.curve("loss");
    if (loss != nullptr) curves.push_back(binned(*loss, points_of_a_curve));
  }
  return curves;
}

PlotSeries line(int color, ReportCurve curve, double width, double opacity = 1) {
  PlotSeries series;
  series.color = color;
  series.width = width;
  series.opacity = opacity;
  series.x = std::move(curve.x);
  series.y = std::move(curve.y);
  return series;
}

Plot score_panel(const ReportData& data, const ScoreTable& table, std::size_t task) {
  Plot plot;
  plot.title = table.tasks[task];
  PlotSeries seeds;
  std::size_t longest = 0;
  std::string metric;
  const std::size_t count = table.methods.size();
  for (std::size_t method = 0; method < count; ++method) {
    const double row = static_cast<double>(count - method);
    plot.y.ticks.emplace_back(row, table.methods[method]);
    longest = std::max(longest, table.methods[method].size());
    const MethodScores& cell = table.cells[method][task];
    if (cell.scores.empty() || cell.scores[0].spread.count == 0) continue;
    metric = cell.scores[0].metric;
    const Spread& spread = cell.scores[0].spread;
    const int color = method_color(data.config, table.methods[method]);
    PlotSeries dots;
    dots.style = Style::Points;
    dots.color = color;
    dots.width = 0.45;
    dots.opacity = 0.45;
    for (const double value : cell.primary) {
      dots.x.push_back(percent * value);
      dots.y.push_back(row - 0.28);
    }
    PlotSeries bar;
    bar.style = Style::HorizontalBars;
    bar.color = color;
    bar.width = 2;
    bar.x = {percent * spread.mean};
    bar.y = {row};
    bar.low = {percent * spread.low};
    bar.high = {percent * spread.high};
    plot.series.push_back(std::move(dots));
    plot.series.push_back(std::move(bar));
  }
  plot.x.label = metric.empty() ? "score" : metric + " × 100";
  plot.y.low = 0.4;
  plot.y.high = static_cast<double>(count) + 0.6;
  plot.left_margin = static_cast<double>(longest) + 2;
  plot.height = 62 + 24 * static_cast<double>(count);
  plot.description = fmt::format("Scores of every method on {}", table.tasks[task]);
  return plot;
}

}  // namespace

std::vector<LegendEntry> method_legend(const Config& config,
                                       const std::vector<std::string>& methods) {
  std::vector<LegendEntry> legend;
  for (const std::string& method : methods) {
    legend.push_back({method, method_color(config, method), false});
  }
  return legend;
}

void add_curve(Plot& plot, const std::map<double, std::vector<double>>& points, int color) {
  PlotSeries line, band;
  line.color = band.color = color;
  line.width = 1.9;
  band.style = Style::Band;
  band.opacity = 0.18;
  for (const auto& [x, scores] : points) {
    const Spread spread = spread_of(scores);
    line.x.push_back(x);
    line.y.push_back(percent * spread.mean);
    if (spread.count < 3) continue;
    band.x.push_back(x);
    band.y.push_back(percent * spread.mean);
    band.low.push_back(percent * spread.low);
    band.high.push_back(percent * spread.high);
  }
  if (!band.x.empty()) plot.series.insert(plot.series.begin(), std::move(band));
  plot.series.push_back(std::move(line));
}

int method_color(const Config& config, const std::string& method) {
  std::vector<std::string> families, loners;
  const auto place_in = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) - names.begin();
  };
  for (const std::string& name : config.methods) {
    const std::string& family = config.method.at(name).family;
    if (family.empty()) {
      loners.push_back(name);
    } else if (place_in(families, family) == std::ssize(families)) {
      families.push_back(family);
    }
  }
  const auto found = config.method.find(method);
  const bool has_family = found != config.method.end() && !found->second.family.empty();
  const auto place = has_family ? place_in(families, found->second.family)
                                : std::ssize(families) + place_in(loners, method);
  return static_cast<int>(place % plot_palette_size);
}

Figure score_figure(const ReportData& data, const ScoreTable& table) {
  Figure figure;
  figure.title = "Scores on dev";
  figure.caption =
      "The primary metric of every task by method. Large dots are means over seeds, bars the "
      "95 % t-interval over seeds (the range for two), small dots single seeds. Bars that "
      "lie apart differ by more than the seed explains; bars that overlap do not prove two "
      "methods equal.";
  if (table.is_empty()) return figure;
  for (std::size_t task = 0; task < table.tasks.size(); ++task) {
    Plot panel = score_panel(data, table, task);
    if (!panel.series.empty()) figure.panels.push_back(std::move(panel));
  }
  return figure;
}

Figure loss_figure(const ReportData& data) {
  Figure figure;
  figure.title = "Training loss";
  figure.caption =
      "Loss of the training batches against the optimiser's step. Thin lines are single seeds, "
      "averaged over about a hundredth of the run; thick lines their mean, smoothed. Look for "
      "methods that stay above the others: they have not the capacity or not the learning rate "
      "to fit the task.";
  figure.legend = method_legend(data.config, data.config.methods);
  for (const std::string& task : data.config.tasks) {
    Plot plot;
    plot.title = task;
    plot.description = fmt::format("Training loss on {}", task);
    plot.x.label = "step";
    plot.y.label = data.config.task.contains(task) && data.config.task.at(task).regression
                       ? "squared error"
                       : "loss";
    std::vector<PlotSeries> means;
    for (const std::string& method : data.config.methods) {
      const int color = method_color(data.config, method);
      const std::vector<ReportCurve> curves = loss_curves(data, task, method);
      for (const ReportCurve& curve : curves) {
        if (curves.size() > 1) plot.series.push_back(line(color, curve, 0.7, 0.3));
      }
      if (curves.empty()) continue;
      means.push_back(line(color, smoothed(mean_curve(curves), 4), 1.9));
    }
    plot.x.low = 0;
    plot.series.insert(plot.series.end(), means.begin(), means.end());
    if (!plot.series.empty()) figure.panels.push_back(std::move(plot));
  }
  return figure;
}

Figure dev_figure(const ReportData& data, const ScoreTable& table) {
  Figure figure;
  figure.title = "Dev score during training";
  figure.caption =
      "The primary metric on dev each time it was taken, means over seeds with single seeds as "
      "thin lines. A curve that still climbs at its end asks for more steps; one that falls, for "
      "fewer.";
  figure.legend = method_legend(data.config, data.config.methods);
  for (std::size_t task = 0; task < table.tasks.size(); ++task) {
    Plot plot;
    plot.title = table.tasks[task];
    plot.description = fmt::format("Dev score during training on {}", table.tasks[task]);
    plot.x.label = "step";
    plot.x.low = 0;
    for (std::size_t method = 0; method < table.methods.size(); ++method) {
      const MethodScores& cell = table.cells[method][task];
      if (cell.scores.empty()) continue;
      const int color = method_color(data.config, table.methods[method]);
      plot.y.label = cell.scores[0].metric + " × 100";
      std::vector<ReportCurve> curves;
      for (const ReportRun& run : data.runs) {
        if (run.task != table.tasks[task] || run.method != table.methods[method]) continue;
        const ReportCurve* scores = run.curve("dev_" + cell.scores[0].metric);
        if (scores == nullptr || scores->x.size() < 2) continue;
        curves.push_back(*scores);
        for (double& score : curves.back().y) score *= percent;
      }
      if (curves.empty()) continue;
      for (const ReportCurve& curve : curves) {
        if (curves.size() > 1) plot.series.push_back(line(color, curve, 0.7, 0.3));
      }
      plot.series.push_back(line(color, mean_curve(curves), 1.9));
    }
    if (!plot.series.empty()) figure.panels.push_back(std::move(plot));
  }
  return figure;
}

Figure pretraining_figure(const ReportData& data) {
  const bool is_images = std::any_of(
      data.pretrainings.begin(), data.pretrainings.end(),
      [&](const ReportRun& run) { return data.config.pretrain_for(run.model).is_images(); });
  Figure figure;
  figure.title = is_images ? "Classification of images" : "Masked language modelling";
  figure.caption =
      is_images
          ? "Left: cross-entropy on training batches (thin) and on the test split (thick) against "
            "the step; the dashed line is what the frequencies of the classes score there. Right: "
            "the share of test images whose most probable class is right."
          : "Left: cross-entropy on training batches (thin) and on held-out text (thick) against "
            "the "
            "step; the dashed line is what a unigram model scores on the same positions. Held-out "
            "loss below it means that the model reads context; at it, that it only learned how "
            "frequent words are. Right: the share of held-out positions where the most probable "
            "token is right.";
  figure.legend = {{"held-out", plot_ink, false},
                   {"training", plot_muted, false},
                   {is_images ? "frequencies" : "unigram", plot_ink, true}};
  figure.is_wide = true;
  Plot losses;
  losses.x.label = "step";
  losses.y.label = is_images ? "loss, nats per image" : "loss, nats per token";
  losses.description = "Loss of pretraining";
  Plot accuracy;
  accuracy.x.label = "step";
  accuracy.y.label = "held-out accuracy, %";
  accuracy.description = "Held-out accuracy of pretraining";
  for (const ReportRun& run : data.pretrainings) {
    if (const ReportCurve* loss = run.curve("loss")) {
      losses.series.push_back(line(plot_muted, binned(*loss, 2 * points_of_a_curve), 1));
    }
    if (const ReportCurve* held_out = run.curve("held_out_loss")) {
      losses.series.push_back(line(plot_ink, *held_out, 2));
    }
    const ReportCurve* unigram = run.curve("unigram_loss");
    const ReportCurve* loss = run.curve("loss");
    if (unigram != nullptr && loss != nullptr && !unigram->is_empty() && !loss->is_empty()) {
      const double level = unigram->y.back();
      PlotSeries reference =
          line(plot_ink, {{loss->x.front(), loss->x.back()}, {level, level}}, 1.5);
      reference.is_dashed = true;
      losses.series.push_back(std::move(reference));
    }
    if (const ReportCurve* held_out = run.curve("held_out_accuracy")) {
      ReportCurve scaled = *held_out;
      for (double& value : scaled.y) value *= percent;
      accuracy.series.push_back(line(plot_ink, std::move(scaled), 2));
    }
  }
  for (Plot* plot : {&losses, &accuracy}) {
    plot->width = 480;
    plot->x.low = 0;
    if (!plot->series.empty()) figure.panels.push_back(std::move(*plot));
  }
  return figure;
}

}  // namespace basis
