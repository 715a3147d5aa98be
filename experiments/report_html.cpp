#include "experiments/report_html.h"

#include <fmt/format.h>

#include "experiments/html.h"
#include "experiments/report_sections.h"
#include "experiments/report_style.h"
#include "tensor/error.h"

namespace basis {
namespace {

std::string color_class(int color) {
  if (color == plot_muted) return "muted";
  if (color == plot_ink) return "ink";
  return fmt::format("c{}", color);
}

std::string mark_html(const LegendEntry& entry) {
  const std::string color = color_class(entry.color);
  if (entry.cell_opacity > 0) {
    return fmt::format("<span class=\"cell {}\" style=\"opacity:{:.2f}\"></span>", color,
                       entry.cell_opacity);
  }
  if (entry.is_dot) return fmt::format("<span class=\"dot {}\"></span>", color);
  return fmt::format("<span class=\"stroke{} {}\"></span>", entry.is_dashed ? " dashed" : "",
                     color);
}

std::string legend_html(const std::vector<LegendEntry>& legend) {
  if (legend.empty()) return "";
  std::string html = "<ul class=\"legend\">";
  for (const LegendEntry& entry : legend) {
    html += "<li>" + mark_html(entry) + html_escape(entry.label) + "</li>";
  }
  return html + "</ul>\n";
}

/// `next` is the first of the figure's pictures.
std::string figure_html(const Figure& figure, int number,
                        std::vector<std::string>::const_iterator& next) {
  std::string html =
      fmt::format("<figure>\n<h3>{}</h3>\n{}<div class=\"panels{}\">\n", html_escape(figure.title),
                  legend_html(figure.legend), figure.is_wide ? " wide" : "");
  for (std::size_t i = 0; i < figure.panels.size(); ++i) {
    const std::string& title = figure.panels[i].title;
    html += "<div>";
    if (!title.empty()) html += fmt::format("<h4>{}</h4>\n", html_escape(title));
    html += *next++ + "</div>\n";
  }
  html += fmt::format("</div>\n<figcaption><b>Figure {}.</b> {}</figcaption>\n</figure>\n", number,
                      html_escape(figure.caption));
  return html;
}

std::vector<Section> sections_of(const ReportData& data) {
  const ScoreTable table = score_table(data.config, data.runs);
  std::vector<Section> sections;
  for (Section& section : std::vector<Section>{
           claims_section(data), scores_section(data, table), costs_section(data),
           pretraining_section(data, table), emergence_section(data), curves_section(data, table),
           spectra_section(data), sharing_section(data), surgery_section(data),
           landscape_section(data), basins_section(data), robustness_section(data),
           again_section(data), notes_section(data, table)}) {
    if (!section.blocks.empty()) sections.push_back(std::move(section));
  }
  return sections;
}

std::vector<std::string> pictures_of(const std::vector<Section>& sections,
                                     const std::string& gnuplot) {
  std::vector<Plot> plots;
  for (const Section& section : sections) {
    for (const ReportBlock& block : section.blocks) {
      plots.insert(plots.end(), block.figure.panels.begin(), block.figure.panels.end());
    }
  }
  return render_plots(plots, "p", gnuplot);
}

std::string navigation(const std::vector<Section>& sections) {
  std::string html = "<nav>";
  for (const Section& section : sections) {
    html += fmt::format("<a href=\"#{}\">{}</a> ", section.id, html_escape(section.title));
  }
  return html + "</nav>\n";
}

}  // namespace

std::string report_html(const ReportData& data, const std::string& gnuplot) {
  const std::vector<Section> sections = sections_of(data);
  const std::vector<std::string> pictures = pictures_of(sections, gnuplot);
  const std::string title =
      data.config.report.title.empty() ? data.config.name : data.config.report.title;
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      // A browser then refuses whatever would come from elsewhere.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n",
      html_escape(title), report_style);
  html += report_header(data) + navigation(sections);
  auto next = pictures.begin();
  int number = 0;
  for (const Section& section : sections) {
    html +=
        fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n", section.id, html_escape(section.title));
    for (const ReportBlock& block : section.blocks) {
      html += block.html;
      if (!block.figure.panels.empty()) html += figure_html(block.figure, ++number, next);
    }
    html += "</section>\n";
  }
  ensure(next == pictures.end(), "every picture has its figure");
  return html + "</main>\n</body>\n</html>\n";
}

}  // namespace basis
