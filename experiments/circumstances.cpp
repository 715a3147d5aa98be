#include "experiments/circumstances.h"

#include <fmt/format.h>

namespace basis {
namespace {

/// A value of Backend::description() in words; empty for what no bit hangs on.
std::string in_words(const std::string& name, const std::string& value) {
  if (name == "device") return value == "cpu" ? "the CPU" : "a GPU";
  if (name == "threads") return fmt::format("{} thread{}", value, value == "1" ? "" : "s");
  if (name == "kernels") return fmt::format("{} kernels", value);
  if (name == "openblas core") return fmt::format("OpenBLAS for {}", value);
  if (name == "processor") return value;
  return "";
}

void add_to_list(std::string& list, const std::string& item) {
  list += fmt::format("{}{}", list.empty() ? "" : ", ", item);
}

}  // namespace

Circumstances circumstances_of(const Backend& backend, DType dtype) {
  Circumstances circumstances{{"dtype", fmt::format("activations in {}", name_of(dtype))}};
  for (const auto& [name, value] : backend.description()) {
    const std::string words = in_words(name, value);
    if (!words.empty()) circumstances[name] = words;
  }
  return circumstances;
}

Circumstances continued(const Circumstances& began, const Circumstances& now) {
  Circumstances whole = began;
  for (auto& [name, words] : whole) {
    const auto found = now.find(name);
    if (found == now.end() || words == found->second) continue;
    const std::string last = fmt::format(", then {}", found->second);
    if (!words.ends_with(last)) words += last;
  }
  return whole;
}

std::string difference(const Circumstances& began, const Circumstances& now) {
  std::string before, after;
  for (const auto& [name, words] : now) {
    const auto found = began.find(name);
    if (found == began.end() || found->second == words) continue;
    add_to_list(before, found->second);
    add_to_list(after, words);
  }
  if (before.empty()) return "";
  return fmt::format("resumes with {} what began with {}: results will differ in the last bits",
                     after, before);
}

}  // namespace basis
