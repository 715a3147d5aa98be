#pragma once

#include <string>

#include "experiments/report_scores.h"

namespace basis {

// Pieces of a report's tables.

/// A table under a row of headings, which scrolls where it is wide.
std::string table_html(const std::string& head, const std::string& body);
/// Text beneath a table.
std::string paragraph(const std::string& text);
/// The head of a method's row, with its colour.
std::string method_cell(const Config& config, const std::string& method);
/// A mean with its interval, times `scale`; a dash for no values.
std::string plain_cell(const Spread& spread, double scale, int digits, bool has_sign = false);

}  // namespace basis
