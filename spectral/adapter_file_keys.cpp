#include "spectral/adapter_file_keys.h"

#include <cmath>

#include <fmt/format.h>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json_text.h"

namespace basis {

using nlohmann::json;

AdapterKeys::AdapterKeys(json object, std::string source)
    : object_(std::move(object)), source_(std::move(source)) {
  if (!object_.is_object()) throw Error(source_ + ": is not a JSON object");
}

AdapterKeys AdapterKeys::read(const std::filesystem::path& folder) {
  const std::string path = (folder / "adapter_config.json").string();
  return {parse_json(read_file(path), path), path};
}

const json* AdapterKeys::find(const char* key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const json& AdapterKeys::require(const char* key) const {
  const json* value = find(key);
  if (value == nullptr) fail(key, "is missing");
  return *value;
}

std::int64_t AdapterKeys::integer(const char* key, std::int64_t least, std::int64_t most) const {
  const json& value = require(key);
  // get<int64> of an unsigned beyond its range would wrap to a negative number.
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() ||
                     value.get<std::uint64_t>() <= static_cast<std::uint64_t>(most)) &&
                    value.get<std::int64_t>() >= least && value.get<std::int64_t>() <= most;
  if (!fits) fail(key, fmt::format("is not an integer from {} to {}", least, most));
  return value.get<std::int64_t>();
}

std::uint64_t AdapterKeys::seed(const char* key) const {
  const json& value = require(key);
  if (!value.is_number_unsigned()) fail(key, "is not an integer of 64 bits from 0");
  return value.get<std::uint64_t>();
}

double AdapterKeys::number(const char* key) const {
  const json& value = require(key);
  if (!value.is_number() || !std::isfinite(value.get<double>())) fail(key, "is not a number");
  return value.get<double>();
}

std::string AdapterKeys::text(const char* key) const {
  const json& value = require(key);
  if (!value.is_string()) fail(key, "is not a string");
  return value.get<std::string>();
}

std::vector<std::string> AdapterKeys::texts(const char* key) const {
  const json& value = require(key);
  if (!value.is_array()) fail(key, "is not a list of strings");
  std::vector<std::string> texts;
  for (const json& item : value) {
    if (!item.is_string()) fail(key, "is not a list of strings");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

AdapterKeys AdapterKeys::object(const char* key) const {
  const json& value = require(key);
  if (!value.is_object()) fail(key, "is not an object");
  return {value, source_};
}

void AdapterKeys::fail(const char* key, const std::string& reason) const {
  throw Error(fmt::format("{}: \"{}\" {}", source_, key, reason));
}

std::string adapter_config_text(const nlohmann::ordered_json& config) {
  try {
    return config.dump(2) + "\n";
  } catch (const json::exception& error) {
    throw Error(fmt::format("adapter_config.json: {}", error.what()));
  }
}

}  // namespace basis
