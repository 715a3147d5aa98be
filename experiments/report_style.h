#pragma once

namespace basis {

/// The report's style sheet: light and dark, paper and phone.
extern const char* const report_style;

}  // namespace basis
