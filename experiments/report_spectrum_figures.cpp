#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/report_curves.h"
#include "experiments/report_figures.h"

namespace basis {
namespace {

using Style = PlotSeries::Style;

std::vector<std::string> methods_with_spectrum(const ReportData& data) {
  std::vector<std::string> methods;
  for (const std::string& method : data.config.methods) {
    const auto has_it = [&](const ReportSpectrum& one) { return one.method == method; };
    if (std::any_of(data.spectra.begin(), data.spectra.end(), has_it)) methods.push_back(method);
  }
  return methods;
}

std::vector<const ReportSpectrum*> spectra_of(const ReportData& data, const std::string& task,
                                              const std::string& method) {
  std::vector<const ReportSpectrum*> found;
  for (const ReportSpectrum& one : data.spectra) {
    if (one.method == method && (task.empty() || one.task == task)) found.push_back(&one);
  }
  return found;
}

std::vector<LegendEntry> legend_of(const ReportData& data) {
  std::vector<LegendEntry> legend;
  for (const std::string& method : methods_with_spectrum(data)) {
    legend.push_back({method, method_color(data.config, method), false});
  }
  return legend;
}

RankCurve curve_of(const std::vector<const ReportSpectrum*>& spectra,
                   std::vector<double> ReportSpectrum::*quantity) {
  std::vector<const std::vector<double>*> runs;
  for (const ReportSpectrum* one : spectra) runs.push_back(&(one->*quantity));
  return thinned(rank_curve(runs));
}

PlotSeries line_of(const RankCurve& curve, int color, double width) {
  PlotSeries series;
  series.color = color;
  series.width = width;
  series.x = curve.k;
  series.y = curve.mean;
  return series;
}

PlotSeries band_of(const RankCurve& curve, int color) {
  PlotSeries series = line_of(curve, color, 0);
  series.style = Style::Band;
  series.opacity = 0.18;
  series.low = curve.low;
  series.high = curve.high;
  return series;
}

/// A panel for every task with spectra, which `fill` draws for each method.
template <class Fill>
std::vector<Plot> panels_by_task(const ReportData& data, const Plot& empty, Fill fill) {
  std::vector<Plot> panels;
  for (const std::string& task : data.config.tasks) {
    Plot plot = empty;
    plot.title = task;
    plot.description = fmt::format("{} on {}", empty.description, task);
    for (const std::string& method : methods_with_spectrum(data)) {
      const auto spectra = spectra_of(data, task, method);
      if (!spectra.empty()) fill(plot, spectra, method_color(data.config, method));
    }
    if (!plot.series.empty()) panels.push_back(std::move(plot));
  }
  return panels;
}

bool are_simulated(const ReportData& data) {
  return std::all_of(data.spectra.begin(), data.spectra.end(),
                     [](const ReportSpectrum& one) { return one.is_simulated; });
}

}  // namespace

PlotAxis rank_axis(std::string label) {
  PlotAxis axis;
  axis.label = std::move(label);
  axis.is_log = true;
  for (const int k : {1, 4, 16, 64, 256, 1024}) axis.ticks.emplace_back(k, fmt::format("{}", k));
  return axis;
}

Figure sigma_figure(const ReportData& data) {
  Figure figure;
  figure.title = "Singular values before and after";
  figure.caption =
      "σᵢ of the encoder's matrices by kind, geometric means over layers (and, after fine-tuning, "
      "over tasks and seeds). The wide grey line is the spectrum before. Where a coloured line "
      "lies "
      "on it, fine-tuning left the spectrum as it was; the next figure shows by how little.";
  figure.legend = {{"before", plot_muted, false}};
  for (const LegendEntry& entry : legend_of(data)) figure.legend.push_back(entry);
  if (data.spectra.empty()) return figure;
  for (const auto& [kind, first] : data.spectra.front().sigma) {
    Plot plot;
    plot.title = kind.substr(2);
    plot.description = fmt::format("Singular values of {}", plot.title);
    plot.x = rank_axis("i");
    plot.y.label = "σᵢ";
    plot.y.is_log = true;
    plot.series.push_back(line_of(thinned(rank_curve({&first.before})), plot_muted, 4.5));
    plot.series.back().opacity = 0.55;
    for (const std::string& method : methods_with_spectrum(data)) {
      std::vector<const std::vector<double>*> runs;
      for (const ReportSpectrum* one : spectra_of(data, "", method)) {
        const auto found = one->sigma.find(kind);
        if (found != one->sigma.end()) runs.push_back(&found->second.after);
      }
      plot.series.push_back(
          line_of(thinned(rank_curve(runs)), method_color(data.config, method), 1.3));
    }
    figure.panels.push_back(std::move(plot));
  }
  return figure;
}

Figure shift_figure(const ReportData& data) {
  Figure figure;
  figure.title = "Shift of the singular values";
  figure.caption =
      "Median over matrices of the relative change of the i-th singular value, geometric mean over "
      "seeds. A line that rises to the right says that small singular values moved most.";
  figure.legend = legend_of(data);
  Plot empty;
  empty.description = "Shift of the singular values";
  empty.x = rank_axis("i");
  empty.y.label = "|σ′ᵢ − σᵢ| / σᵢ";
  empty.y.is_log = true;
  figure.panels = panels_by_task(data, empty, [](Plot& plot, const auto& spectra, int color) {
    plot.series.push_back(line_of(curve_of(spectra, &ReportSpectrum::shift), color, 1.6));
  });
  return figure;
}

Figure rotation_figure(const ReportData& data) {
  Figure figure;
  figure.title = "Rotation of the leading subspaces";
  figure.caption = fmt::format(
      "How far the leading k singular vectors turned (0: not at all, 1: into other directions "
      "altogether), geometric mean over matrices and both sides; bands are 95 % t-intervals over "
      "seeds. Dashed in the same colour: what a Gaussian change of equal Frobenius norm does to "
      "the same matrix ({}). A solid line below its dashed one: the basis is more stable than "
      "the size of the change explains; above it: less.",
      are_simulated(data) ? "simulated" : "first-order formula, at most chance");
  figure.legend = legend_of(data);
  figure.legend.push_back({"Gaussian control, in the method's colour", plot_muted, true});
  Plot empty;
  empty.description = "Rotation against k with its Gaussian control";
  empty.x = rank_axis("k");
  empty.y.label = "rotation";
  empty.y.is_log = true;
  figure.panels = panels_by_task(data, empty, [](Plot& plot, const auto& spectra, int color) {
    const RankCurve rotation = curve_of(spectra, &ReportSpectrum::rotation);
    if (rotation.low.size() == rotation.k.size()) plot.series.push_back(band_of(rotation, color));
    PlotSeries control = line_of(curve_of(spectra, &ReportSpectrum::control), color, 1.2);
    control.is_dashed = true;
    plot.series.push_back(std::move(control));
    plot.series.push_back(line_of(rotation, color, 1.9));
  });
  return figure;
}

Figure ratio_figure(const ReportData& data) {
  Figure figure;
  figure.title = "Rotation ratio";
  figure.caption =
      "ρₖ, the rotation over that of the Gaussian control, geometric mean over matrices and both "
      "sides; bands are 95 % t-intervals over seeds. The dashed line at 1 is no effect. Below it "
      "the leading basis is protected beyond what the size of the change explains. Raw overlap "
      "would not show this: a random change of 1 % leaves it near 1.";
  figure.legend = legend_of(data);
  figure.legend.push_back({"no effect", plot_muted, true});
  Plot empty;
  empty.description = "Rotation ratio against k";
  empty.x = rank_axis("k");
  empty.y.label = "ρₖ";
  empty.y.is_log = true;
  figure.panels = panels_by_task(data, empty, [](Plot& plot, const auto& spectra, int color) {
    const RankCurve ratio = curve_of(spectra, &ReportSpectrum::ratio);
    if (ratio.k.empty()) return;
    if (ratio.low.size() == ratio.k.size()) plot.series.push_back(band_of(ratio, color));
    PlotSeries one;
    one.color = plot_muted;
    one.is_dashed = true;
    one.width = 1.2;
    one.x = {ratio.k.front(), ratio.k.back()};
    one.y = {1, 1};
    plot.series.push_back(std::move(one));
    plot.series.push_back(line_of(ratio, color, 1.9));
  });
  return figure;
}

Figure dose_figure(const ReportData& data) {
  Figure figure;
  const std::int64_t k = data.spectra.empty() ? 32 : data.spectra.front().dose_rank;
  figure.title = "Dose and response";
  figure.caption = fmt::format(
      "Each dot is one encoder matrix after one run: its rotation at k = {} against the size of "
      "its "
      "change. Grey dots are the Gaussian control of the same matrices. Coloured dots below the "
      "grey "
      "ones of equal dose: more stable than the size of the change explains.",
      k);
  figure.legend = legend_of(data);
  figure.legend.push_back({"Gaussian control", plot_muted, false});
  Plot empty;
  empty.description = "Rotation against the relative size of the change";
  empty.x.label = "‖ΔW‖ / ‖W₀‖";
  empty.x.is_log = true;
  empty.y.label = fmt::format("rotation, k = {}", k);
  empty.y.is_log = true;
  figure.panels = panels_by_task(data, empty, [](Plot& plot, const auto& spectra, int color) {
    PlotSeries dots;
    dots.style = Style::Points;
    dots.width = 0.5;
    dots.opacity = 0.75;
    dots.color = color;
    PlotSeries control = dots;
    control.color = plot_muted;
    control.opacity = 0.45;
    for (const ReportSpectrum* one : spectra) {
      for (const ReportDose& dose : one->doses) {
        dots.x.push_back(dose.change);
        dots.y.push_back(dose.rotation);
        control.x.push_back(dose.change);
        control.y.push_back(dose.control);
      }
    }
    plot.series.insert(plot.series.begin(), std::move(control));  // beneath every method's
    plot.series.push_back(std::move(dots));
  });
  return figure;
}

}  // namespace basis
