#include "tensor/json_text.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis {
namespace {

/// Walks over the text and tells how far the parser has read: the parser itself says so only in
/// syntax errors.
class TrackedIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TrackedIterator(const char* place, const char** reached) : place_(place), reached_(reached) {}
  const char& operator*() const { return *place_; }
  TrackedIterator& operator++() {
    *reached_ = ++place_;
    return *this;
  }
  TrackedIterator operator++(int) {
    TrackedIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const TrackedIterator& other) const { return place_ == other.place_; }

 private:
  const char* place_;
  const char** reached_;
};

/// Line of the last byte of `read`, from 1.
std::ptrdiff_t line_of_end(std::string_view read) {
  if (!read.empty()) read.remove_suffix(1);
  return 1 + std::count(read.begin(), read.end(), '\n');
}

/// nlohmann's message without its number and position, short and printable.
std::string reason_of(const nlohmann::json::exception& error) {
  std::string reason = error.what();
  for (const char* lead : {"] ", "parse error", ": "}) {
    const std::size_t place = reason.find(lead);
    if (place != std::string::npos) reason.erase(0, place + std::string_view(lead).size());
  }
  constexpr std::size_t longest = 300;
  if (reason.size() > longest) reason = reason.substr(0, longest) + "...";
  for (char& letter : reason) {
    if (static_cast<unsigned char>(letter) >= 0x7f || static_cast<unsigned char>(letter) < 0x20) {
      letter = '?';
    }
  }
  return reason;
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& source_name) {
  using nlohmann::json;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* reached = begin;
  const auto fail = [&](const std::string& reason) -> void {
    const std::string_view read(begin, static_cast<std::size_t>(reached - begin));
    throw Error(fmt::format("{}:{}: {}", source_name, line_of_end(read), reason));
  };
  // The parser takes a NUL for the end of the text and would not look at what follows.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    reached = begin + nul + 1;
    fail("a NUL byte is not JSON");
  }

  std::vector<std::set<std::string>> open_keys;  // of each open object or array
  const auto watch = [&](int, json::parse_event_t event, json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start:
      case json::parse_event_t::array_start:
        if (open_keys.size() == static_cast<std::size_t>(max_json_depth)) {
          fail(fmt::format("nested deeper than {} levels", max_json_depth));
        }
        open_keys.emplace_back();
        break;
      case json::parse_event_t::object_end:
      case json::parse_event_t::array_end:
        open_keys.pop_back();
        break;
      case json::parse_event_t::key:
        if (!open_keys.back().insert(parsed.get<std::string>()).second) {
          fail(fmt::format("duplicate key {}", parsed.dump()));
        }
        break;
      case json::parse_event_t::value:
        break;
    }
    return true;
  };
  try {
    return json::parse(TrackedIterator(begin, &reached), TrackedIterator(end, &reached), watch);
  } catch (const json::exception& error) {
    fail(reason_of(error));
    throw;  // not reached
  }
}

}  // namespace basis
