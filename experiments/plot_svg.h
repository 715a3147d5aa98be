#pragma once

#include <string>
#include <string_view>

namespace basis {

/// The colour that gnuplot is given for a colour of a Plot: "#0072b2".
const char* plot_color(int color);
inline constexpr const char* plot_grid_color = "#e0e0e0";

/// A file of gnuplot's svg terminal as an element for an HTML page. Ids begin with `prefix`, fixed
/// sizes and fonts are gone, and known colours are variables of the page. Throws Error when `file`
/// holds no <svg>.
std::string clean_svg(std::string_view file, const std::string& prefix,
                      const std::string& description);

}  // namespace basis
