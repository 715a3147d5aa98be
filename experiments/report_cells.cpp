#include "experiments/report_cells.h"

#include <fmt/format.h>

#include "experiments/html.h"
#include "experiments/report_figures.h"

namespace basis {

std::string method_cell(const Config& config, const std::string& method) {
  return fmt::format("<th scope=\"row\"><span class=\"swatch c{}\"></span>{}</th>",
                     method_color(config, method), html_escape(method));
}

std::string paragraph(const std::string& text) {
  return "<p class=\"caption\">" + html_escape(text) + "</p>\n";
}

std::string table_html(const std::string& head, const std::string& body) {
  return fmt::format(
      "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>{}</tr></thead>\n"
      "<tbody>\n{}</tbody></table></div>\n",
      head, body);
}

std::string plain_cell(const Spread& spread, double scale, int digits, bool has_sign) {
  if (spread.count == 0) return "<td>—</td>";
  const std::string sign = has_sign && spread.mean > 0 ? "+" : "";
  return fmt::format("<td><span class=\"value\">{}{}</span><span class=\"spread\">{}</span></td>",
                     sign, fixed_text(scale * spread.mean, digits),
                     spread_text(spread, scale, digits));
}

}  // namespace basis
