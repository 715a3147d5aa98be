#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "experiments/contains.h"
#include "experiments/html.h"
#include "experiments/report_curves.h"
#include "experiments/report_sections.h"

namespace basis {
namespace {

using Runs = std::vector<const ReportEmergence*>;

std::vector<std::string> models_of(const ReportData& data) {
  std::vector<std::string> models;
  for (const ReportEmergence& one : data.emergences) {
    if (!contains(models, one.model)) {
      models.push_back(one.model);
    }
  }
  return models;
}

/// Those of one model, a pretraining seed each.
Runs runs_of(const ReportData& data, const std::string& model) {
  Runs runs;
  for (const ReportEmergence& one : data.emergences) {
    if (one.model == model) runs.push_back(&one);
  }
  return runs;
}

double mean_metric(const Runs& runs, const std::string& name) {
  std::vector<double> values;
  for (const ReportEmergence* run : runs) values.push_back(metric_named(run->result, name));
  return spread_of(values).mean;
}

/// The ranks that are drawn, four at most.
std::vector<std::int64_t> drawn_ranks(const ReportEmergence& run) {
  constexpr std::array preferred = {1, 8, 32, 128};
  std::vector<std::int64_t> ranks, others;
  for (const auto& [k, curve] : run.with_final) {
    const bool is_preferred = contains(preferred, k);
    (is_preferred ? ranks : others).push_back(k);
  }
  if (!ranks.empty()) return ranks;
  others.resize(std::min(others.size(), preferred.size()));
  return others;
}

std::string tokens_text(double tokens) {
  if (tokens >= 1e6) return fmt::format("{:g} M", tokens / 1e6);
  return tokens >= 1e3 ? fmt::format("{:g} k", tokens / 1e3) : fmt::format("{:g}", tokens);
}

/// Tokens on a logarithmic axis, on which the beginning stands a step before the first snapshot.
struct TokenAxis {
  PlotAxis axis;
  double zero = 0;  // where 0 tokens stand

  explicit TokenAxis(const std::vector<double>& tokens) {
    constexpr double step = 2.5;
    const double last = tokens.back();
    double first = last;
    for (const double one : tokens) first = one > 0 ? std::min(first, one) : first;
    zero = first / step;
    axis.label = "tokens seen";
    axis.is_log = true;
    axis.high = last;
    axis.low = first;
    if (tokens.front() == 0) {
      axis.low = zero;
      axis.ticks.emplace_back(zero, "0");
    }
    const bool is_short = last / first < 30;
    for (double decade = 1; decade <= last; decade *= 10) {
      for (const double factor : {1.0, 3.0}) {
        const double tick = decade * factor;
        if (factor > 1 && !is_short) continue;
        if (tick >= first && tick <= last) axis.ticks.emplace_back(tick, tokens_text(tick));
      }
    }
  }

  ReportCurve place(ReportCurve curve) const {
    for (double& x : curve.x) x = x > 0 ? x : zero;
    return curve;
  }
};

PlotSeries line(int color, const ReportCurve& curve, double width, bool is_dashed = false,
                double opacity = 1) {
  PlotSeries series;
  series.color = color;
  series.width = width;
  series.opacity = opacity;
  series.is_dashed = is_dashed;
  series.x = curve.x;
  series.y = curve.y;
  return series;
}

/// The mean of the runs' curves, above thin single ones where there are several.
void add_curves(Plot& plot, const TokenAxis& axis, int color, double width, bool is_dashed,
                const std::vector<ReportCurve>& curves) {
  constexpr double thin = 0.7, faint = 0.35;
  if (curves.empty()) return;
  for (const ReportCurve& curve : curves) {
    if (curves.size() == 1) break;
    plot.series.push_back(line(color, axis.place(curve), thin, is_dashed, faint));
  }
  plot.series.push_back(line(color, axis.place(mean_curve(curves)), width, is_dashed));
}

std::vector<ReportCurve> curves_at(const Runs& runs, std::int64_t k,
                                   std::map<std::int64_t, ReportCurve> ReportEmergence::*overlaps) {
  std::vector<ReportCurve> curves;
  for (const ReportEmergence* run : runs) {
    const auto found = (run->*overlaps).find(k);
    if (found != (run->*overlaps).end()) curves.push_back(found->second);
  }
  return curves;
}

/// The overlap with the final basis (thick), and beside it another one (dashed).
Plot overlap_panel(const Runs& runs, const TokenAxis& axis, const std::string& title,
                   std::map<std::int64_t, ReportCurve> ReportEmergence::*beside) {
  Plot plot;
  plot.title = title;
  plot.description = title + " against tokens";
  plot.x = axis.axis;
  plot.y.label = "corrected overlap";
  plot.y.high = 1;
  int color = 0;
  for (const std::int64_t k : drawn_ranks(*runs.front())) {
    add_curves(plot, axis, color, 1, true, curves_at(runs, k, beside));
    add_curves(plot, axis, color, 2.2, false, curves_at(runs, k, &ReportEmergence::with_final));
    ++color;
  }
  return plot;
}

/// A quantity of the whole model.
Plot plain_panel(const Runs& runs, const TokenAxis& axis, const std::string& title,
                 ReportCurve ReportEmergence::*quantity) {
  Plot plot;
  plot.title = title;
  plot.description = title + " against tokens";
  plot.x = axis.axis;
  std::vector<ReportCurve> curves;
  for (const ReportEmergence* run : runs) curves.push_back(run->*quantity);
  add_curves(plot, axis, plot_ink, 2.2, false, curves);
  return plot;
}

Plot change_panel(const Runs& runs, const TokenAxis& axis) {
  Plot plot =
      plain_panel(runs, axis, "Distance to the final weights", &ReportEmergence::change_to_final);
  plot.y.label = "‖W − W_end‖ / ‖W_end‖";
  plot.y.low = 0;
  return plot;
}

Plot loss_panel(const Runs& runs, const TokenAxis& axis) {
  Plot plot = plain_panel(runs, axis, "Held-out loss", &ReportEmergence::held_out_loss);
  plot.y.label = "nats per token";
  const double unigram = mean_metric(runs, "unigram_loss");
  if (std::isfinite(unigram)) {
    const ReportCurve level{{*axis.axis.low, *axis.axis.high}, {unigram, unigram}};
    plot.series.push_back(line(plot_muted, level, 1.5, true));
  }
  return plot;
}

std::string titled(const std::string& title, const std::string& model) {
  return model.empty() ? title : fmt::format("{}: {}", title, model);
}

Figure overlap_figure(const Runs& runs) {
  const ReportEmergence& first = *runs.front();
  const bool has_initial = !first.with_initial.empty();
  Figure figure;
  figure.title = titled("Emergence of the singular basis", first.model);
  figure.caption =
      "Thick: how far the leading k singular vectors of a snapshot span those of the final "
      "weights; "
      "1 is the same subspace, 0 what two random ones share. Means over matrices and both sides";
  if (runs.size() > 1) figure.caption += ", then over seeds, which are faint";
  figure.caption +=
      ". Dashed beside it, the control: the same of the final weights after a Gaussian change as "
      "large as the snapshot's distance from the end. A thick line above its control: the basis "
      "stands earlier than the nearness of the weights explains. Thick lines that rise only after "
      "the loss has fallen: the final basis is made late; before it: the basis stands first and "
      "the "
      "rest is learned in it. A small k that rises before a large one: leading directions settle "
      "first. The loss is of held-out text; dashed: what token frequencies alone reach.";
  if (has_initial) {
    figure.caption +=
        " Where the overlap with the initial basis stays high, that much of the final one is the "
        "initialiser's. The axis is logarithmic; 0, the initial weights, stands at its left end.";
  }
  int color = 0;
  for (const std::int64_t k : drawn_ranks(first)) {
    figure.legend.push_back({fmt::format("k = {}", k), color++, false});
  }
  figure.legend.push_back({"control, initial basis, unigram", plot_ink, true});
  figure.is_wide = true;
  const TokenAxis axis(first.held_out_loss.x);
  figure.panels = {overlap_panel(runs, axis, "Overlap with the final basis, and its control",
                                 &ReportEmergence::gaussian),
                   loss_panel(runs, axis)};
  if (has_initial) {
    figure.panels.push_back(
        overlap_panel(runs, axis, "Overlap with the final basis and (dashed) with the initial one",
                      &ReportEmergence::with_initial));
  }
  figure.panels.push_back(change_panel(runs, axis));
  for (Plot& panel : figure.panels) panel.width = 480;
  return figure;
}

Figure use_figure(const Runs& runs) {
  Figure figure;
  figure.title = titled("Functional spectrum", runs.front()->model);
  figure.caption =
      "Grey: the singular values σᵢ of the final weights (solid) and of the initial ones (dashed). "
      "Coloured: σᵢ · rms(vᵢᵀx), what the i-th direction puts out on held-out text. Each is "
      "relative to its root mean square over i; geometric means over layers and runs. Coloured "
      "above grey on the left: text lies in the leading directions more than in others, and they "
      "matter more than σᵢ says; below it: the largest singular values belong to directions that "
      "text hardly uses. Before training the two differ by what the embeddings alone do.";
  figure.legend = {{"σᵢ", plot_muted, false},
                   {"σᵢ · rms(vᵢᵀx)", 0, false},
                   {"initial weights, in the same colour", plot_ink, true}};
  for (const auto& [kind, use] : runs.front()->use) {
    Plot plot;
    plot.title = kind.substr(2);
    plot.description = fmt::format("Singular values and functional spectrum of {}", plot.title);
    plot.x = rank_axis("i");
    plot.y.label = "relative to root mean square";
    plot.y.is_log = true;
    const auto add = [&](std::vector<double> ReportUse::*spectrum, int color, bool is_dashed) {
      std::vector<const std::vector<double>*> spectra;
      for (const ReportEmergence* run : runs) {
        const auto found = run->use.find(kind);
        if (found != run->use.end()) spectra.push_back(&(found->second.*spectrum));
      }
      const RankCurve curve = thinned(rank_curve(spectra));
      if (curve.k.empty()) return;
      plot.series.push_back(line(color, {curve.k, curve.mean}, is_dashed ? 1 : 2, is_dashed));
    };
    add(&ReportUse::sigma_initial, plot_muted, true);
    add(&ReportUse::functional_initial, 0, true);
    add(&ReportUse::sigma, plot_muted, false);
    add(&ReportUse::functional, 0, false);
    figure.panels.push_back(std::move(plot));
  }
  return figure;
}

/// The answer in a paragraph.
std::string summary(const Config& config, const Runs& runs) {
  const auto of = [&](const char* metric) { return fixed_text(mean_metric(runs, metric), 2); };
  return fmt::format(
      "{}A quarter of the way through pretraining the leading {} singular vectors had a corrected "
      "overlap of {} with those of the end (1: the same subspace; 0: chance), where a Gaussian "
      "change of the final weights by the same distance leaves {}; half of the way {}, and {}. "
      "Over "
      "the directions of a final matrix, the rank correlation of σᵢ with rms(vᵢᵀx) on held-out "
      "text is {}, with σᵢ · rms(vᵢᵀx) {}.{}",
      runs.front()->model.empty() ? "" : runs.front()->model + ": ",
      summary_rank(config.emergence.ranks), of("overlap_quarter"), of("gaussian_quarter"),
      of("overlap_half"), of("gaussian_half"), of("use_spearman"), of("functional_spearman"),
      runs.size() > 1 ? fmt::format(" Means over {} pretraining seeds.", runs.size()) : "");
}

}  // namespace

Section emergence_section(const ReportData& data) {
  Section section{"emergence", "Emergence", {}};
  for (const std::string& model : models_of(data)) {
    const Runs runs = runs_of(data, model);
    section.blocks.push_back({"<p>" + html_escape(summary(data.config, runs)) + "</p>\n", {}});
    section.blocks.push_back({"", overlap_figure(runs)});
    section.blocks.push_back({"", use_figure(runs)});
  }
  return section;
}

}  // namespace basis
