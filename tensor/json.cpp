// From text and to text, by nlohmann's parser and printer; json_value.cpp has the rest.
#include "tensor/json.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tensor/file.h"

namespace basis {

// ---- From text ----------------------------------------------------------------------------------

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

/// nlohmann's message without its number and position, short and printable.
std::string reason_of(const nlohmann::detail::exception& error) {
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

/// A list or an object whose end has not come yet.
struct OpenValue {
  bool is_object;
  std::vector<Json> items;
  std::vector<Json::Member> members;
  std::set<std::string, std::less<>> keys;  // of many members

  bool has(std::string_view key) {
    constexpr std::size_t many = 16;  // fewer are faster compared one by one
    if (members.size() < many) {
      return std::any_of(members.begin(), members.end(),
                         [&](const Json::Member& member) { return member.key == key; });
    }
    if (members.size() == many) {
      for (const Json::Member& member : members) keys.insert(member.key);
    }
    return !keys.emplace(key).second;
  }
};

/// Makes a Json of what nlohmann's parser finds. The names are the parser's.
class Builder {
 public:
  Builder(std::string_view text, const std::string& source_name)
      : text_(text), source_name_(source_name), reached_(text.data()) {}

  Json build() {
    // The parser takes a NUL for the end of the text and would not look at what follows.
    if (const std::size_t nul = text_.find('\0'); nul != std::string_view::npos) {
      reached_ = text_.data() + nul + 1;
      fail("a NUL byte is not JSON");
    }
    nlohmann::json::sax_parse(TrackedIterator(text_.data(), &reached_),
                              TrackedIterator(text_.data() + text_.size(), &reached_), this);
    return std::move(root_);
  }

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(std::int64_t value) { return add(value); }
  bool number_unsigned(std::uint64_t value) { return add(value); }
  bool number_float(double value, const std::string&) { return add(value); }
  bool string(std::string& value) { return add(std::string_view(value)); }
  bool binary(nlohmann::json::binary_t&) { return false; }  // no text has it

  bool start_object(std::size_t) { return open(true); }
  bool start_array(std::size_t) { return open(false); }
  bool end_object() {
    Json object = Json::object(std::move(open_.back().members));
    open_.pop_back();
    return add(std::move(object));
  }
  bool end_array() {
    Json list = Json::list(std::move(open_.back().items));
    open_.pop_back();
    return add(std::move(list));
  }
  bool key(std::string& key) {
    if (open_.back().has(key)) fail("duplicate key " + Json(key).shown());
    open_.back().members.push_back({key, {}});
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) {
    fail(reason_of(error));
  }

 private:
  bool open(bool is_object) {
    if (open_.size() == static_cast<std::size_t>(Json::max_depth)) {
      fail(fmt::format("nested deeper than {} levels", Json::max_depth));
    }
    open_.push_back({is_object, {}, {}, {}});
    return true;
  }

  bool add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_object) {
      open_.back().members.back().value = std::move(value);
    } else {
      open_.back().items.push_back(std::move(value));
    }
    return true;
  }

  [[noreturn]] void fail(const std::string& reason) const {
    const char* last = reached_ == text_.data() ? reached_ : reached_ - 1;
    throw Error(
        fmt::format("{}:{}: {}", source_name_, 1 + std::count(text_.data(), last, '\n'), reason));
  }

  std::string_view text_;
  const std::string& source_name_;
  const char* reached_;  // behind the last byte that the parser has read
  std::vector<OpenValue> open_;
  Json root_;
};

}  // namespace

Json Json::parse(std::string_view text, const std::string& source_name) {
  return Builder(text, source_name).build();
}

Json Json::read(const std::filesystem::path& path) {
  return parse(read_file(path), path.string());
}

// ---- To text ------------------------------------------------------------------------------------

namespace {

using Printed = nlohmann::ordered_json;

Printed printed(const Json& json) {
  if (json.is_null()) return nullptr;
  if (json.is_bool()) return json.boolean();
  if (json.is_integer()) return json.integer();
  if (json.is_unsigned()) return json.unsigned_integer();
  if (json.is_number()) return json.number();
  if (json.is_text()) return json.text();
  if (json.is_list()) {
    Printed::array_t items;
    items.reserve(json.size());
    for (const Json& item : json.items()) items.push_back(printed(item));
    return items;
  }
  Printed::object_t members;
  members.reserve(json.size());
  // Not by the map's own emplace, which compares with every key before.
  auto& pairs = static_cast<Printed::object_t::Container&>(members);
  for (const auto& [key, value] : json.members()) pairs.emplace_back(key, printed(value));
  return members;
}

}  // namespace

std::string Json::dump(int indent, const std::string& source_name) const {
  try {
    return printed(*this).dump(indent);
  } catch (const Printed::exception& error) {
    throw Error(fmt::format("{}{}a text is not UTF-8 and cannot stand in JSON: {}", source_name,
                            source_name.empty() ? "" : ": ", reason_of(error)));
  }
}

void Json::write(const std::filesystem::path& path, int indent) const {
  write_file_atomically(path, dump(indent, path.string()) + "\n");
}

std::string Json::shown(std::size_t longest) const {
  if (is_object()) return "an object";
  if (is_list()) return "a list";
  if (!is_text()) return dump();
  const std::string start = text().size() > longest ? text().substr(0, longest) + "..." : text();
  return Printed(start).dump(one_line, ' ', false, Printed::error_handler_t::replace);
}

}  // namespace basis
