#pragma once

#include <span>
#include <string>
#include <string_view>

namespace basis {

/// Edits (insert, delete, replace, swap of neighbours) that turn one text into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// `; did you mean "learning_rate"?` with the nearest of `names`, or the empty text where none is
/// near: at most a third of the asked text's letters, and at least one, may differ.
std::string did_you_mean(std::string_view asked, std::span<const std::string> names);

}  // namespace basis
