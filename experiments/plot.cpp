#include "experiments/plot.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "experiments/plot_svg.h"
#include "tensor/error.h"
#include "tensor/file.h"

namespace basis {
namespace {

using Style = PlotSeries::Style;

constexpr double half_a_cell = 0.5;
constexpr double drawn_of_a_cell = 0.47;  // to each side; the page shows between cells

/// A folder of its own that goes with its owner.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "basis-plot-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      throw Error(fmt::format("{}: cannot be made ({}); set TMPDIR to a folder with room", pattern,
                              std::generic_category().message(errno)));
    }
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A string of gnuplot's that nothing is expanded in; one line.
std::string gnuplot_string(std::string_view text) {
  std::string out = "'";
  for (const char letter : text) {
    if (letter == '\'') out += '\'';
    out += letter == '\n' || letter == '\r' ? ' ' : letter;
  }
  return out + "'";
}

bool is_drawable(double value, const PlotAxis& axis) {
  return std::isfinite(value) && (!axis.is_log || value > 0);
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  bool is_empty() const { return low > high; }
  void add(const std::vector<double>& values, const PlotAxis& axis) {
    for (const double value : values) {
      if (!is_drawable(value, axis)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
};

Range range_of(const Plot& plot, bool is_x) {
  const PlotAxis& axis = is_x ? plot.x : plot.y;
  Range range;
  for (const PlotSeries& series : plot.series) {
    const std::vector<double>& values = is_x ? series.x : series.y;
    range.add(values, axis);
    for (const double value : values) {
      if (series.style == Style::Cells) range.add({value - half_a_cell, value + half_a_cell}, axis);
    }
    const bool are_edges_here = is_x == (series.style == Style::HorizontalBars);
    if (are_edges_here) {
      range.add(series.low, axis);
      range.add(series.high, axis);
    }
  }
  return range;
}

std::string power_of_ten(int exponent) {
  if (exponent == 0) return "1";
  if (exponent == 1) return "10";
  static constexpr const char* superscripts[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = exponent < 0 ? "10⁻" : "10";
  for (const char digit : fmt::format("{}", std::abs(exponent))) text += superscripts[digit - '0'];
  return text;
}

/// Ticks of a logarithmic axis: 1, 2, 5 within two decades, else decades, at most six of them.
std::vector<std::pair<double, std::string>> log_ticks(double low, double high) {
  std::vector<std::pair<double, std::string>> ticks;
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  const double decades = std::log10(high / low);
  const int stride = std::max(1, static_cast<int>(std::ceil(decades / 6)));
  for (int exponent = first; exponent <= last; ++exponent) {
    const double decade = std::pow(10.0, exponent);
    if (decades < 2) {
      for (const int digit : {1, 2, 5}) {
        ticks.emplace_back(digit * decade, fmt::format("{:g}", digit * decade));
      }
    } else if ((exponent % stride + stride) % stride == 0) {
      ticks.emplace_back(decade, power_of_ten(exponent));
    }
  }
  return ticks;
}

/// 1, 2 or 5 times a power of ten: about five ticks.
double linear_step(double low, double high) {
  const double wanted = high > low ? (high - low) / 5 : std::max(1.0, std::abs(low) / 10);
  const double decade = std::pow(10.0, std::floor(std::log10(wanted)));
  for (const int digit : {1, 2, 5}) {
    if (digit * decade >= wanted * 0.999) return digit * decade;
  }
  return 10 * decade;
}

std::vector<std::pair<double, std::string>> linear_ticks(double low, double high, double step) {
  std::vector<std::pair<double, std::string>> ticks;
  const double last = std::floor(high / step + 1e-6);
  for (double i = std::ceil(low / step - 1e-6); i <= last && ticks.size() < 20; ++i) {
    const double value = i == 0 ? 0 : i * step;  // no "-0"
    ticks.emplace_back(value, fmt::format("{:.6g}", value));
  }
  return ticks;
}

std::string axis_script(const char* name, const PlotAxis& axis, Range range) {
  std::string script = fmt::format("set {}label {}\n", name, gnuplot_string(axis.label));
  auto ticks = axis.ticks;
  if (axis.is_log) {
    if (range.is_empty()) range = {0.1, 1};
    range.low = axis.low.value_or(range.low / 1.15);
    range.high = axis.high.value_or(range.high * 1.15);
    script +=
        fmt::format("set logscale {}\nset {}range [{}:{}]\n", name, name, range.low, range.high);
    if (ticks.empty()) ticks = log_ticks(range.low, range.high);
  } else {
    if (range.is_empty()) range = {0, 1};
    const double step = linear_step(axis.low.value_or(range.low), axis.high.value_or(range.high));
    range.low = axis.low.value_or(std::floor(range.low / step) * step);
    range.high = axis.high.value_or(std::ceil(range.high / step) * step);
    if (range.high <= range.low) range = {range.low - step, range.low + step};
    script += fmt::format("set {}range [{}:{}]\n", name, range.low, range.high);
    if (ticks.empty()) ticks = linear_ticks(range.low, range.high, step);
  }
  std::string list;
  for (const auto& [value, label] : ticks) {
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", gnuplot_string(label), value);
  }
  script += fmt::format("set {}tics ({})\n", name, list);
  return script;
}

/// "#AARRGGBB", where AA is how much shines through.
std::string color_with_opacity(const PlotSeries& series) {
  const int through = static_cast<int>(std::lround(255 * (1 - std::clamp(series.opacity, 0., 1.))));
  return fmt::format("'#{:02x}{}'", through, plot_color(series.color) + 1);
}

std::string series_script(const PlotSeries& series, const std::string& file) {
  const std::string color = color_with_opacity(series);
  switch (series.style) {
    case Style::Line:
      return fmt::format("{} using 1:2 with lines lw {} dt {} lc rgb {} notitle", file,
                         series.width, series.is_dashed ? "(6,4)" : "1", color);
    case Style::Band:
      return fmt::format(
          "{} using 1:3:4 with filledcurves fc rgb '{}' fs transparent solid {} noborder notitle",
          file, plot_color(series.color), series.opacity);
    case Style::Points:
      return fmt::format("{} using 1:2 with points pt 7 ps {} lc rgb {} notitle", file,
                         series.width, color);
    case Style::HorizontalBars:
      return fmt::format("{} using 1:2:3:4 with xerrorbars pt 7 ps 0.6 lw {} lc rgb {} notitle",
                         file, series.width, color);
    case Style::VerticalBars:  // gnuplot's own would put a white ring about the point
      return fmt::format(
          "{0} using 1:3:(0):($4-$3) with vectors nohead lw {1} dt 1 lc rgb {2} notitle, "
          "{0} using 1:2 with points pt 7 ps 0.6 lc rgb {2} notitle",
          file, series.width, color);
    case Style::Cells:
      return fmt::format(
          "{0} using 1:2:($1-{3}):($1+{3}):($2-{3}):($2+{3}) with boxxyerror fc rgb '{1}' "
          "fs transparent solid {2} noborder notitle",
          file, plot_color(series.color), series.opacity, drawn_of_a_cell);
    case Style::Texts:
      return fmt::format("{} using 1:2:3 with labels font 'sans-serif,{}' tc rgb {} notitle", file,
                         series.width, color);
  }
  return "";
}

bool has_edges(const PlotSeries& series) {
  return series.style == Style::Band || series.style == Style::HorizontalBars ||
         series.style == Style::VerticalBars;
}

/// A word of a data file; nothing in it ends it.
std::string quoted(std::string text) {
  std::erase_if(text,
                [](char letter) { return letter == '"' || letter == '\\' || letter == '\n'; });
  return '"' + text + '"';
}

/// One point a line; an empty line breaks a curve.
std::string series_data(const Plot& plot, const PlotSeries& series) {
  ensure(series.x.size() == series.y.size(), "a series has as many x as y");
  const bool is_with_edges = has_edges(series);
  ensure(series.style != Style::Texts || series.texts.size() == series.x.size(),
         "a text for every point");
  ensure(!is_with_edges ||
             (series.low.size() == series.x.size() && series.high.size() == series.x.size()),
         "a band has as many edges as points");
  const PlotAxis& edge_axis = series.style == Style::HorizontalBars ? plot.x : plot.y;
  std::string data;
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    bool is_whole = is_drawable(series.x[i], plot.x) && is_drawable(series.y[i], plot.y);
    if (is_with_edges) {
      is_whole = is_whole && is_drawable(series.low[i], edge_axis) &&
                 is_drawable(series.high[i], edge_axis);
    }
    if (!is_whole) {
      data += '\n';
      continue;
    }
    data += fmt::format("{:.7g} {:.7g}", series.x[i], series.y[i]);
    if (is_with_edges) data += fmt::format(" {:.7g} {:.7g}", series.low[i], series.high[i]);
    if (series.style == Style::Texts) data += ' ' + quoted(series.texts[i]);
    data += '\n';
  }
  return data;
}

bool is_blank(const std::string& data) {
  return data.find_first_not_of('\n') == std::string::npos;
}

std::string plot_script(const Plot& plot, std::size_t place) {
  std::string script = fmt::format(
      "reset\nset encoding utf8\nset terminal svg size {},{} dynamic noenhanced "
      "font 'sans-serif,12'\nset output 'p{}.svg'\n"
      "set border 3 lw 0.8 lc rgb '{}'\nset tics nomirror out scale 0.5,0 textcolor rgb '{}'\n"
      "set key off\n"
      "set pointintervalbox 1\nset bars 0\nset xtics offset 0,0.3\nset xlabel offset 0,0.4\n"
      "set tmargin 0.6\nset bmargin 3.1\nset rmargin 2\n",
      plot.width, plot.height, place, plot_color(plot_muted), plot_color(plot_ink));
  if (plot.has_grid) {
    script += fmt::format("set grid xtics ytics lt 1 lw 0.6 lc rgb '{}'\n", plot_grid_color);
  }
  script += fmt::format("set lmargin {}\n", plot.left_margin);
  script += axis_script("x", plot.x, range_of(plot, true));
  script += axis_script("y", plot.y, range_of(plot, false));
  std::string parts;
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    if (is_blank(series_data(plot, plot.series[i]))) continue;  // gnuplot takes it for an error
    if (!parts.empty()) parts += ", ";
    parts += series_script(plot.series[i], fmt::format("'p{}s{}.dat'", place, i));
  }
  // NaN draws nothing but axes.
  return script + "plot " + (parts.empty() ? "NaN notitle" : parts) + "\nunset output\n";
}

/// Runs the program on SCRIPT in `folder` and waits. Throws Error.
void run_gnuplot(const std::string& program, const std::filesystem::path& folder) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const std::string messages = (folder / "messages").string();
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, messages.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  std::string name = program;
  std::string defaults = "--default-settings";  // no gnuplotrc of the user's
  std::string script = (folder / "script.gp").string();
  char* arguments[] = {name.data(), defaults.data(), script.data(), nullptr};
  pid_t child = 0;
  const int failure = posix_spawnp(&child, name.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) {
    throw Error(
        fmt::format("{}: cannot be started ({}); the report's figures need gnuplot: "
                    "`apt install gnuplot-nox`, then `basis report RUN`",
                    program, std::generic_category().message(failure)));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) {
      throw Error(fmt::format("{}: {}", program, std::generic_category().message(errno)));
    }
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  throw Error(fmt::format("{} drew no figures (status {}): {}", program,
                          WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                          read_file(messages)));
}

}  // namespace

std::string gnuplot_script(const std::vector<Plot>& plots) {
  std::string script;
  for (std::size_t i = 0; i < plots.size(); ++i) script += plot_script(plots[i], i);
  return script;
}

std::vector<std::string> render_plots(const std::vector<Plot>& plots, const std::string& prefix,
                                      const std::string& program) {
  if (plots.empty()) return {};
  const TemporaryFolder folder;
  for (std::size_t i = 0; i < plots.size(); ++i) {
    for (std::size_t j = 0; j < plots[i].series.size(); ++j) {
      write_file_atomically(folder.path() / fmt::format("p{}s{}.dat", i, j),
                            series_data(plots[i], plots[i].series[j]));
    }
  }
  write_file_atomically(
      folder.path() / "script.gp",
      fmt::format("cd {}\n{}", gnuplot_string(folder.path().string()), gnuplot_script(plots)));
  run_gnuplot(program, folder.path());
  std::vector<std::string> pictures;
  for (std::size_t i = 0; i < plots.size(); ++i) {
    const std::string file = read_file(folder.path() / fmt::format("p{}.svg", i));
    pictures.push_back(clean_svg(file, fmt::format("{}{}", prefix, i), plots[i].description));
  }
  return pictures;
}

}  // namespace basis
