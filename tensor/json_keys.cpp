#include "tensor/json_keys.h"

#include <utility>

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis {

JsonKeys::JsonKeys(Json object, std::string source)
    : object_(std::make_shared<const Json>(std::move(object))), source_(std::move(source)) {
  if (!object_->is_object()) throw Error(source_ + ": not a JSON object");
}

JsonKeys JsonKeys::read(const std::filesystem::path& path) {
  return {Json::read(path), path.string()};
}

const Json* JsonKeys::find(std::string_view key) const {
  const Json* found = object_->find(key);
  return found == nullptr || found->is_null() ? nullptr : found;
}

const Json& JsonKeys::require(std::string_view key) const {
  const Json* found = object_->find(key);
  if (found == nullptr) fail(key, "is missing");
  if (found->is_null()) fail(key, "is null");
  return *found;
}

// ---- One value ----------------------------------------------------------------------------------

std::int64_t JsonKeys::integer(std::string_view key, std::int64_t least, std::int64_t most) const {
  return as_integer(key, require(key), least, most);
}

std::uint64_t JsonKeys::unsigned_integer(std::string_view key) const {
  const Json& value = require(key);
  if (!value.is_unsigned()) refuse(key, value, "an integer of 64 bits from 0");
  return value.unsigned_integer();
}

double JsonKeys::number(std::string_view key) const {
  return as_number(key, require(key));
}

double JsonKeys::number_or_nan(std::string_view key) const {
  const Json* found = object_->find(key);
  if (found != nullptr && found->is_null()) return std::numeric_limits<double>::quiet_NaN();
  return number(key);
}

bool JsonKeys::boolean(std::string_view key) const {
  const Json& value = require(key);
  if (!value.is_bool()) refuse(key, value, "true or false");
  return value.boolean();
}

bool JsonKeys::is_true(std::string_view key) const {
  return has(key) && boolean(key);
}

std::string JsonKeys::text(std::string_view key) const {
  return as_text(key, require(key));
}

JsonKeys JsonKeys::object(std::string_view key) const {
  const Json& value = require(key);
  if (!value.is_object()) refuse(key, value, "an object");
  return within(key, value);
}

// ---- Lists --------------------------------------------------------------------------------------

std::vector<std::int64_t> JsonKeys::integers(std::string_view key, std::int64_t least,
                                             std::int64_t most) const {
  std::vector<std::int64_t> integers;
  for (const Json& item : as_list(key, require(key), "a list of integers")) {
    integers.push_back(as_integer(item_name(key, integers.size()), item, least, most));
  }
  return integers;
}

std::vector<double> JsonKeys::numbers(std::string_view key) const {
  std::vector<double> numbers;
  for (const Json& item : as_list(key, require(key), "a list of numbers")) {
    numbers.push_back(as_number(item_name(key, numbers.size()), item));
  }
  return numbers;
}

std::vector<std::string> JsonKeys::texts(std::string_view key) const {
  std::vector<std::string> texts;
  for (const Json& item : as_list(key, require(key), "a list of strings")) {
    texts.push_back(as_text(item_name(key, texts.size()), item));
  }
  return texts;
}

std::vector<JsonKeys> JsonKeys::objects(std::string_view key) const {
  std::vector<JsonKeys> objects;
  for (const Json& item : as_list(key, require(key), "a list of objects")) {
    const std::string name = item_name(key, objects.size());
    if (!item.is_object()) refuse(name, item, "an object");
    objects.push_back(within(name, item));
  }
  return objects;
}

// ---- Values with a name -------------------------------------------------------------------------

std::int64_t JsonKeys::as_integer(std::string_view key, const Json& value, std::int64_t least,
                                  std::int64_t most) const {
  if (value.is_integer() && value.integer() >= least && value.integer() <= most) {
    return value.integer();
  }
  if (least == least_integer && most == most_integer) {
    refuse(key, value, value.is_unsigned() ? "an integer below 2^63" : "an integer");
  }
  refuse(key, value, fmt::format("an integer from {} to {}", least, most));
}

double JsonKeys::as_number(std::string_view key, const Json& value) const {
  if (!value.is_number()) refuse(key, value, "a number");
  return value.number();
}

std::string JsonKeys::as_text(std::string_view key, const Json& value) const {
  if (!value.is_text()) refuse(key, value, "a string");
  return value.text();
}

const std::vector<Json>& JsonKeys::as_list(std::string_view key, const Json& value,
                                           std::string_view expected) const {
  if (!value.is_list()) refuse(key, value, expected);
  return value.items();
}

void JsonKeys::fail(std::string_view key, std::string_view reason) const {
  throw Error(fmt::format("{}: \"{}{}\" {}", source_, prefix_, key, reason));
}

void JsonKeys::refuse(std::string_view key, const Json& value, std::string_view expected) const {
  fail(key, fmt::format("is {}, not {}", value.shown(), expected));
}

JsonKeys JsonKeys::within(std::string_view key, const Json& value) const {
  JsonKeys keys = *this;
  keys.object_ = std::shared_ptr<const Json>(object_, &value);
  keys.prefix_ += fmt::format("{}.", key);
  return keys;
}

std::string item_name(std::string_view key, std::size_t index) {
  return fmt::format("{}[{}]", key, index);
}

}  // namespace basis
