#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "tensor/error.h"
#include "tensor/json.h"

namespace basis {
namespace {

constexpr auto most_signed = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

/// The alternative of a variant that the caller has asked for.
template <class Value, class Variant>
auto& get_as(Variant& variant, const char* promise) {
  auto* value = std::get_if<Value>(&variant);
  ensure(value != nullptr, promise);
  return *value;
}

}  // namespace

Json::Json(std::uint64_t value) {
  if (value <= most_signed) {
    value_ = static_cast<std::int64_t>(value);
  } else {
    value_ = value;
  }
}

Json::Json(double value) {
  if (std::isfinite(value)) value_ = value;
}

Json::Json(const char* text) : value_(std::string(text)) {}
Json::Json(std::string_view text) : value_(std::string(text)) {}
Json::Json(std::string text) : value_(std::move(text)) {}

Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;

Json Json::list(std::vector<Json> items) {
  Json json;
  json.value_ = std::move(items);
  return json;
}

Json Json::texts(std::span<const std::string> texts) {
  return list(std::vector<Json>(texts.begin(), texts.end()));
}

Json Json::object(std::vector<Member> members) {
  Json json;
  json.value_ = std::move(members);
  return json;
}

bool Json::is_unsigned() const {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return *value >= 0;
  return std::holds_alternative<std::uint64_t>(value_);
}

bool Json::is_number() const {
  return is_integer() || std::holds_alternative<double>(value_) ||
         std::holds_alternative<std::uint64_t>(value_);
}

bool Json::boolean() const {
  return get_as<bool>(value_, "a JSON value is true or false");
}

std::int64_t Json::integer() const {
  return get_as<std::int64_t>(value_, "a JSON value is an integer");
}

std::uint64_t Json::unsigned_integer() const {
  ensure(is_unsigned(), "a JSON value is an integer from 0");
  const auto* beyond_signed = std::get_if<std::uint64_t>(&value_);
  return beyond_signed != nullptr ? *beyond_signed : static_cast<std::uint64_t>(integer());
}

double Json::number() const {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*value);
  return get_as<double>(value_, "a JSON value is a number");
}

const std::string& Json::text() const {
  return get_as<std::string>(value_, "a JSON value is text");
}

const std::vector<Json>& Json::items() const {
  return get_as<std::vector<Json>>(value_, "a JSON value is a list");
}

const std::vector<Json::Member>& Json::members() const {
  return get_as<std::vector<Member>>(value_, "a JSON value is an object");
}

std::size_t Json::size() const {
  if (is_list()) return items().size();
  return is_object() ? members().size() : 0;
}

const Json* Json::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const Member& member : members()) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

void Json::set(std::string_view key, Json value) {
  auto& members = get_as<std::vector<Member>>(value_, "a JSON value is an object");
  for (Member& member : members) {
    if (member.key != key) continue;
    member.value = std::move(value);
    return;
  }
  members.push_back({std::string(key), std::move(value)});
}

void Json::append(Json item) {
  get_as<std::vector<Json>>(value_, "a JSON value is a list").push_back(std::move(item));
}

void Json::sort_keys() {
  if (auto* items = std::get_if<std::vector<Json>>(&value_)) {
    for (Json& item : *items) item.sort_keys();
  }
  if (auto* members = std::get_if<std::vector<Member>>(&value_)) {
    std::sort(members->begin(), members->end(),
              [](const Member& a, const Member& b) { return a.key < b.key; });
    for (Member& member : *members) member.value.sort_keys();
  }
}

}  // namespace basis
