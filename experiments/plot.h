#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace basis {

/// Colours by what they stand for: 0 to plot_palette_size - 1 are the methods', in order.
inline constexpr int plot_palette_size = 8;
inline constexpr int plot_muted = -1;  // controls and references
inline constexpr int plot_ink = -2;    // the text's colour
inline constexpr int plot_paper = -3;  // the page's, for text on dark cells

struct PlotSeries {
  /// Cells are squares of side 1 about their points, Texts `texts` in the middle of theirs.
  enum class Style : unsigned char {
    Line,
    Band,
    Points,
    HorizontalBars,
    VerticalBars,
    Cells,
    Texts
  };
  Style style = Style::Line;
  int color = plot_ink;
  double width = 1.5;  // of the line in points; of Points and Texts their size
  double opacity = 1;  // 0..1
  bool is_dashed = false;
  std::vector<double> x;
  std::vector<double> y;
  std::vector<double> low;   // Band, VerticalBars: lower edge in y; HorizontalBars: left end in x
  std::vector<double> high;  // the other edge or end
  std::vector<std::string> texts;
};

struct PlotAxis {
  std::string label;  // with its unit
  bool is_log = false;
  std::optional<double> low;
  std::optional<double> high;
  std::vector<std::pair<double, std::string>> ticks;  // empty: chosen from the data
};

/// One panel. Points that are not finite, or not positive on a logarithmic axis, are left out and
/// break a line.
struct Plot {
  std::string title;        // stands above it in the page
  std::string description;  // for readers who do not see it
  PlotAxis x;
  PlotAxis y;
  std::vector<PlotSeries> series;
  double width = 360;  // the shape of the panel and the size of its text relative to it
  double height = 264;
  double left_margin = 8;  // in letters
  bool has_grid = true;
};

/// Draws every plot by one gnuplot process and returns an <svg> element each, ready to stand in one
/// HTML page: ids differ between them (and between calls of another `prefix`), the text is in the
/// page's font, the size follows the page, and colours are the page's variables --c0 to --c7,
/// --muted, --grid, --paper with the text's own colour for the rest.
/// Throws Error when gnuplot is missing (with the name of its package) or fails (with what it
/// said). `program` is looked up in PATH.
std::vector<std::string> render_plots(const std::vector<Plot>& plots,
                                      const std::string& prefix = "p",
                                      const std::string& program = "gnuplot");

/// What gnuplot is told, with the data in files `p<i>s<j>.dat` of its working folder; `output`
/// names where each SVG goes, `p<i>.svg`. For tests.
std::string gnuplot_script(const std::vector<Plot>& plots);

}  // namespace basis
