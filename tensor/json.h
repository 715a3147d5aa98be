#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace basis {

/// A JSON value (RFC 8259): null, true or false, a whole number of 64 bits, another number, text, a
/// list, or an object that keeps the order of its keys.
///
///     Json line = Json::object({{"step", 3}, {"loss", 0.5}});
///     line.set("ids", Json::list({5, 7}));
///     line.dump();  // {"step":3,"loss":0.5,"ids":[5,7]}
///
/// To read a value as what it is not is an InternalError: ask `is_...` first, or read a user's file
/// through JsonKeys.
class Json {
 public:
  struct Member;  // a key and its value

  /// Deepest nesting of objects and lists that `parse` takes.
  static constexpr int max_depth = 64;
  /// `dump` without line breaks.
  static constexpr int one_line = -1;

  /// Parses a user's text. Refuses duplicate keys, invalid UTF-8, a NUL, numbers beyond double,
  /// nesting deeper than max_depth, and anything after the value.
  /// Throws Error: "config.json:14: ..." with `source_name` and the line.
  static Json parse(std::string_view text, const std::string& source_name);
  /// Parses a file. Throws Error with its path as `parse` does, or where it cannot be read.
  static Json read(const std::filesystem::path& path);

  // The value of a number, a text, ... where a Json is wanted.
  Json(std::nullptr_t = nullptr) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(std::int64_t{value}) {}
  Json(std::int64_t value) : value_(value) {}
  Json(std::uint64_t value);
  /// Null where the number is not finite: JSON has no NaN.
  Json(double value);
  Json(const char* text);
  Json(std::string_view text);
  Json(std::string text);

  // Not inline: in every file that holds a value they would take half a second to compile.
  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  ~Json();

  static Json list(std::vector<Json> items = {});
  static Json texts(std::span<const std::string> texts);
  /// The keys must differ; nobody checks.
  static Json object(std::vector<Member> members = {});

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  /// Written without fraction and exponent, from -2^63 to 2^63 - 1.
  bool is_integer() const { return std::holds_alternative<std::int64_t>(value_); }
  /// Written without fraction and exponent, from 0 to 2^64 - 1.
  bool is_unsigned() const;
  bool is_number() const;
  bool is_text() const { return std::holds_alternative<std::string>(value_); }
  bool is_list() const { return std::holds_alternative<std::vector<Json>>(value_); }
  bool is_object() const { return std::holds_alternative<std::vector<Member>>(value_); }

  bool boolean() const;
  std::int64_t integer() const;
  std::uint64_t unsigned_integer() const;
  /// Of any number; a whole one beyond 2^53 is rounded.
  double number() const;
  const std::string& text() const;
  const std::vector<Json>& items() const;
  const std::vector<Member>& members() const;

  /// Items of a list or members of an object; 0 for anything else.
  std::size_t size() const;
  /// The value of a key, by a walk over the members; null where this has no such key or is no
  /// object.
  const Json* find(std::string_view key) const;

  /// Sets a key of an object, in its old place or behind the last one.
  void set(std::string_view key, Json value);
  /// Adds to the end of a list.
  void append(Json item);
  /// Orders the members of this object and of all within it by the bytes of their keys.
  void sort_keys();

  /// The text: on one line, or with a line a value, indented by so many spaces a level. A double is
  /// the shortest that reads back the same. Throws Error, beginning with `source_name`, for a text
  /// or a key that is not UTF-8.
  std::string dump(int indent = one_line, const std::string& source_name = "") const;
  /// Replaces a file by `dump` and a newline in one step. Throws Error with its path.
  void write(const std::filesystem::path& path, int indent) const;
  /// For messages: "a list", "an object", or the value on one line, whatever its bytes, cut behind
  /// `longest` of them.
  std::string shown(std::size_t longest = 80) const;

 private:
  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string,
               std::vector<Json>, std::vector<Member>>
      value_;  // an unsigned one only beyond the signed
};

struct Json::Member {
  std::string key;
  Json value;
};

}  // namespace basis
