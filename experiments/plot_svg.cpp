#include "experiments/plot_svg.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include <fmt/format.h>

#include "experiments/html.h"
#include "experiments/plot.h"
#include "tensor/error.h"

namespace basis {
namespace {

// Okabe and Ito's palette without its yellow, which is illegible on white; a brown in its place.
constexpr std::array<const char*, plot_palette_size> palette = {
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c5a2b", "#5b4b9a"};
constexpr const char* muted_color = "#808080";
constexpr const char* ink_color = "#000000";
constexpr const char* paper_color = "#ffffff";

/// The page's variable for a colour as gnuplot writes it, or "" for a colour that is not ours.
std::string variable_of(const std::string& hex) {
  for (std::size_t i = 0; i < palette.size(); ++i) {
    if (hex == palette[i]) return fmt::format("var(--c{})", i);
  }
  if (hex == muted_color) return "var(--muted)";
  if (hex == plot_grid_color) return "var(--grid)";
  if (hex == ink_color) return "currentColor";
  if (hex == paper_color) return "var(--paper)";
  return "";
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  std::size_t at = 0;
  while ((at = text.find(from, at)) != std::string::npos) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
}

/// Removes everything from each `begin` to the `end` after it.
void remove_all(std::string& text, std::string_view begin, std::string_view end) {
  std::size_t at = 0;
  while ((at = text.find(begin, at)) != std::string::npos) {
    const std::size_t last = text.find(end, at + begin.size());
    if (last == std::string::npos) return;
    text.erase(at, last + end.size() - at);
  }
}

/// "rgb( 0, 114, 178)" becomes the page's variable.
void replace_colors(std::string& text) {
  std::size_t at = 0;
  while ((at = text.find("rgb(", at)) != std::string::npos) {
    const std::size_t end = text.find(')', at);
    int red = 0;
    int green = 0;
    int blue = 0;
    const std::string color = text.substr(at, end - at);
    if (end != std::string::npos &&
        std::sscanf(color.c_str(), "rgb(%d ,%d ,%d", &red, &green, &blue) == 3) {
      const std::string name = variable_of(fmt::format("#{:02x}{:02x}{:02x}", red, green, blue));
      if (!name.empty()) text.replace(at, end + 1 - at, name);
    }
    at += 4;
  }
}

/// gnuplot opens a group for every change of pen, most of which stay empty.
void remove_empty_groups(std::string& text) {
  std::size_t at = 0;
  while ((at = text.find("<g ", at)) != std::string::npos) {
    const std::size_t inside = text.find('>', at);
    if (inside == std::string::npos) return;
    const std::size_t next = text.find_first_not_of(" \t\n", inside + 1);
    if (next != std::string::npos && text.compare(next, 4, "</g>") == 0) {
      text.erase(at, next + 4 - at);
    } else {
      at = inside;
    }
  }
}

/// gnuplot defines every mark it knows; only the filled circle is used (and is made of the empty
/// one). One definition a line.
void remove_unused_marks(std::string& text) {
  const std::size_t begin = text.find("<defs>");
  const std::size_t end = text.find("</defs>");
  if (begin == std::string::npos || end == std::string::npos || end < begin) return;
  const std::string all = text.substr(begin, end - begin);
  std::string kept = "<defs>\n";
  for (std::size_t line = 0, next = 0; line < all.size(); line = next + 1) {
    next = std::min(all.find('\n', line), all.size());
    const std::string_view one(all.data() + line, next - line);
    const bool is_used = one.find("id='gpPt5'") != std::string_view::npos ||
                         one.find("id='gpPt6'") != std::string_view::npos;
    if (is_used) kept.append(one).append("\n");
  }
  text.replace(begin, end - begin, kept);
}

/// Lines without what only indents them.
std::string without_indents(const std::string& text) {
  std::string kept;
  bool is_at_start = true;
  for (const char letter : text) {
    if (is_at_start && (letter == ' ' || letter == '\t' || letter == '\n')) continue;
    kept += letter;
    is_at_start = letter == '\n';
  }
  return kept;
}

}  // namespace

const char* plot_color(int color) {
  if (color == plot_muted) return muted_color;
  if (color == plot_ink) return ink_color;
  if (color == plot_paper) return paper_color;
  return palette[static_cast<std::size_t>(color) % palette.size()];
}

std::string clean_svg(std::string_view file, const std::string& prefix,
                      const std::string& description) {
  const std::size_t begin = file.find("<svg");
  const std::size_t end = file.rfind("</svg>");
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) {
    throw Error("gnuplot wrote no <svg> element; does `gnuplot -e 'set terminal svg'` work?");
  }
  std::string text(file.substr(begin, end + 6 - begin));
  remove_all(text, "<title>", "</title>");  // gnuplot_plot_1: no words for a reader
  remove_all(text, "<desc>", "</desc>");
  remove_all(text, "<filter", "</filter>");
  remove_all(text, " font-family=\"", "\"");
  remove_all(text, " xmlns=\"", "\"");
  remove_all(text, "xmlns:xlink=\"", "\"");
  replace_all(text, "xlink:href", "href");
  remove_all(text, "<rect x=\"0\" y=\"0\"", "/>");  // the background
  remove_unused_marks(text);
  for (const char* name : {"gpPt", "gnuplot_canvas", "gnuplot_plot"}) {
    replace_all(text, fmt::format("id='{}", name), fmt::format("id='{}-{}", prefix, name));
    replace_all(text, fmt::format("id=\"{}", name), fmt::format("id=\"{}-{}", prefix, name));
    replace_all(text, fmt::format("href='#{}", name), fmt::format("href='#{}-{}", prefix, name));
  }
  replace_all(text, "color=\"black\" ", "");
  replace_all(text, "\"black\"", "\"currentColor\"");
  replace_all(text, "#FFFFFF", "var(--paper)");
  replace_colors(text);
  remove_empty_groups(text);
  text = without_indents(text);
  const std::string words = html_escape(description);
  text.insert(4, fmt::format(" role=\"img\" aria-label=\"{}\"", words));
  return text;
}

}  // namespace basis
