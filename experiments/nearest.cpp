#include "experiments/nearest.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace basis {

// Optimal string alignment: three rows of the table of Damerau and Levenshtein.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    next[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = row[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      next[j] = std::min({row[j] + 1, next[j - 1] + 1, replaced});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) next[j] = std::min(next[j], before[j - 2] + 1);
    }
    std::swap(before, row);
    std::swap(row, next);
  }
  return row[b.size()];
}

std::string did_you_mean(std::string_view asked, std::span<const std::string> names) {
  constexpr std::size_t longest = 100;  // nobody means so long a key, and the table stays small
  if (asked.size() > longest) return "";
  const std::size_t allowed = std::max<std::size_t>(1, (asked.size() + 2) / 3);
  const std::string* nearest = nullptr;
  std::size_t nearest_distance = allowed + 1;
  for (const std::string& name : names) {
    const std::size_t distance = edit_distance(asked, name);
    if (distance >= nearest_distance) continue;
    nearest = &name;
    nearest_distance = distance;
  }
  return nearest == nullptr ? "" : fmt::format("; did you mean \"{}\"?", *nearest);
}

}  // namespace basis
