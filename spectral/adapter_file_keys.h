#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

// For .cpp files only; not installed.
namespace basis {

/// An object of an adapter_config.json, with messages that name the file and the key.
class AdapterKeys {
 public:
  /// Reads `folder`/adapter_config.json. Throws Error when it is missing or no JSON object.
  static AdapterKeys read(const std::filesystem::path& folder);

  bool has(const char* key) const { return find(key) != nullptr; }
  /// Null where the key is absent or null.
  const nlohmann::json* find(const char* key) const;
  // The rest throw Error for a missing key or another type.
  const nlohmann::json& require(const char* key) const;
  std::int64_t integer(const char* key, std::int64_t least, std::int64_t most) const;
  std::uint64_t seed(const char* key) const;
  /// Finite.
  double number(const char* key) const;
  std::string text(const char* key) const;
  std::vector<std::string> texts(const char* key) const;
  AdapterKeys object(const char* key) const;

  [[noreturn]] void fail(const char* key, const std::string& reason) const;
  const std::string& source() const { return source_; }

 private:
  AdapterKeys(nlohmann::json object, std::string source);

  nlohmann::json object_;
  std::string source_;
};

/// The file's text, indented. Throws Error when a string is not UTF-8.
std::string adapter_config_text(const nlohmann::ordered_json& config);

}  // namespace basis
