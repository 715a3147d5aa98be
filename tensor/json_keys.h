#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/json.h"

namespace basis {

/// An object of a user's JSON file, read key by key. What is wrong becomes an Error with the file,
/// the key, what stands there and what was expected:
///
///     config.json: "hidden_size" is "abc", not an integer
///     plan.json: "stages[3].label" is missing
///
/// A key whose value is null counts as absent. Copies share the object.
class JsonKeys {
 public:
  static constexpr std::int64_t least_integer = std::numeric_limits<std::int64_t>::min();
  static constexpr std::int64_t most_integer = std::numeric_limits<std::int64_t>::max();

  /// Throws Error with `source` when the value is no object.
  JsonKeys(Json object, std::string source);
  /// A file's object. Throws Error with its path: it cannot be read, is not JSON or no object.
  static JsonKeys read(const std::filesystem::path& path);

  const std::string& source() const { return source_; }

  bool has(std::string_view key) const { return find(key) != nullptr; }
  /// Null where the key is absent.
  const Json* find(std::string_view key) const;

  /// All of them, those that are null too.
  const std::vector<Json::Member>& members() const { return object_->members(); }

  // The rest throw Error where the key is absent or its value is of another type.

  const Json& require(std::string_view key) const;
  /// From `least` to `most`, both allowed.
  std::int64_t integer(std::string_view key, std::int64_t least = least_integer,
                       std::int64_t most = most_integer) const;
  /// From 0 to 2^64 - 1.
  std::uint64_t unsigned_integer(std::string_view key) const;
  double number(std::string_view key) const;
  /// NaN where the value is null, as which it was written; Error where there is no such key.
  double number_or_nan(std::string_view key) const;
  bool boolean(std::string_view key) const;
  /// False where the key is absent.
  bool is_true(std::string_view key) const;
  std::string text(std::string_view key) const;
  std::vector<std::int64_t> integers(std::string_view key, std::int64_t least = least_integer,
                                     std::int64_t most = most_integer) const;
  std::vector<double> numbers(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;
  JsonKeys object(std::string_view key) const;
  std::vector<JsonKeys> objects(std::string_view key) const;

  // A value that stands somewhere in this object; `key` names it in the message.

  std::int64_t as_integer(std::string_view key, const Json& value,
                          std::int64_t least = least_integer,
                          std::int64_t most = most_integer) const;
  double as_number(std::string_view key, const Json& value) const;
  std::string as_text(std::string_view key, const Json& value) const;
  /// `expected`: "a list of numbers".
  const std::vector<Json>& as_list(std::string_view key, const Json& value,
                                   std::string_view expected) const;

  /// Throws Error: FILE: "KEY" REASON.
  [[noreturn]] void fail(std::string_view key, std::string_view reason) const;
  /// Throws Error: FILE: "KEY" is VALUE, not EXPECTED.
  [[noreturn]] void refuse(std::string_view key, const Json& value,
                           std::string_view expected) const;

 private:
  JsonKeys within(std::string_view key, const Json& value) const;

  std::shared_ptr<const Json> object_;
  std::string source_;
  std::string prefix_;  // of keys in messages: "stages[3]."
};

/// "labels[2]": the name of an item in messages.
std::string item_name(std::string_view key, std::size_t index);

}  // namespace basis
