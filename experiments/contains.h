#pragma once

// Used by sources of experiments alone; not installed.

#include <algorithm>
#include <ranges>

namespace basis {

/// Is the value among those of the range?
template <class Range, class T>
bool contains(const Range& range, const T& value) {
  return std::ranges::find(range, value) != std::ranges::end(range);
}

/// A list of names that keeps to some, or to all where it is empty: `tasks` of a claim, `models` of
/// a method.
template <class Range, class T>
bool names_or_all(const Range& names, const T& name) {
  return std::ranges::empty(names) || contains(names, name);
}

}  // namespace basis
