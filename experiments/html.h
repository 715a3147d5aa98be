#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace basis {

/// Text for an HTML page or an attribute in quotes: & < > " ' become entities, and bytes below
/// space other than tab and newline are left out.
std::string html_escape(std::string_view text);

// Numbers for readers. What is not finite is an em dash.

/// `digits` after the point: "91.20".
std::string fixed_text(double value, int digits);
/// `digits` significant ones without an exponent for what is not far from 1: "0.0031", "2.5e-08".
std::string significant_text(double value, int digits);
/// Digits in groups of three with a thin space: "22 713 216".
std::string grouped_text(std::int64_t value);
/// "42 s", "3 min 20 s", "2 h 05 min".
std::string duration_text(double seconds);

}  // namespace basis
