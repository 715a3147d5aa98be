#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/unicode.h"
#include "data/wordpiece.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json_text.h"

namespace basis {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// Without the characters at the end that Unicode calls white space.
std::string_view trim_end(std::string_view line) {
  while (!line.empty()) {
    std::size_t begin = line.size() - 1;
    while (begin > 0 && (static_cast<unsigned char>(line[begin]) & 0xC0) == 0x80) --begin;
    const unicode::Decoded last = unicode::decode(line.data() + begin, line.data() + line.size());
    // Vertical tab, form feed and next line are white space, though BERT's cleaning drops them.
    const bool is_space = last.value == 0x0B || last.value == 0x0C || last.value == 0x85 ||
                          unicode::is_space(last.value);
    if (last.length == 0 || !is_space) break;
    line = line.substr(0, begin);
  }
  return line;
}

/// One token a line, white space at its end dropped, as the loader of `tokenizers` does.
std::vector<std::string> read_vocabulary(const fs::path& path) {
  const std::string content = read_file(path);
  std::vector<std::string> tokens;
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    tokens.emplace_back(trim_end(std::string_view(content).substr(begin, end - begin)));
    begin = end + 1;
  }
  return tokens;
}

/// The vocabulary within tokenizer.json, with the tokens that were added to it.
std::vector<std::string> read_tokenizer_json(const fs::path& path) {
  const json file = parse_json(read_file(path), path.string());
  const auto refuse = [&](const std::string& what) {
    throw Error(fmt::format("{}: {}", path.string(), what));
  };
  const json model = file.is_object() ? file.value("model", json()) : json();
  const json entries = model.is_object() ? model.value("vocab", json()) : json();
  const json type = model.is_object() ? model.value("type", json()) : json();
  if (type != "WordPiece" || !entries.is_object()) {
    refuse(fmt::format("expected a model of type \"WordPiece\" with its vocab, found type {}",
                       type.dump()));
  }
  std::vector<std::string> tokens;
  const json added = file.value("added_tokens", json::array());
  const std::size_t most = 2 * (entries.size() + added.size()) + 1024;
  const auto place = [&](const std::string& token, const json& id) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= most) {
      refuse(fmt::format("token \"{}\" has id {}, expected a whole number below {}", token,
                         id.dump(), most));
    }
    const auto index = id.get<std::size_t>();
    if (index >= tokens.size()) tokens.resize(index + 1);
    tokens[index] = token;
  };
  for (const auto& [token, id] : entries.items()) place(token, id);
  for (const json& token : added) {
    if (!token.is_object() || !token.contains("content") || !token["content"].is_string()) {
      refuse("an entry of added_tokens has no content");
    }
    place(token["content"].get<std::string>(), token.value("id", json()));
  }
  return tokens;
}

/// The keys of tokenizer_config.json that bear on ids.
class OptionsReader {
 public:
  OptionsReader(const json& config, std::string source) : config_(config), source_(source) {
    if (!config_.is_object()) throw Error(fmt::format("{}: expected an object", source_));
  }

  WordPieceOptions read() const {
    check_class();
    WordPieceOptions options;
    options.lowercase = flag("do_lower_case").value_or(true);
    options.strip_accents = flag("strip_accents");
    options.split_chinese = flag("tokenize_chinese_chars").value_or(true);
    read_token("unk_token", options.unknown);
    read_token("cls_token", options.cls);
    read_token("sep_token", options.sep);
    read_token("pad_token", options.pad);
    read_token("mask_token", options.mask);
    options.more_special = more_special(options);
    options.model_max_length = max_length(options.model_max_length);
    return options;
  }

 private:
  const json* find(const char* key) const {
    const auto found = config_.find(key);
    return found == config_.end() || found->is_null() ? nullptr : &*found;
  }

  [[noreturn]] void refuse(std::string_view key, const json& value, const char* expected) const {
    throw Error(fmt::format("{}: {} is {}, expected {}", source_, key, value.dump(), expected));
  }

  void check_class() const {
    const json* name = find("tokenizer_class");
    if (name == nullptr) return;
    if (!name->is_string()) refuse("tokenizer_class", *name, "a name");
    const auto text = name->get<std::string>();
    for (const char* known : {"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer",
                              "PreTrainedTokenizerFast", "TokenizersBackend"}) {
      if (text == known || text == std::string(known) + "Fast") return;
    }
    refuse("tokenizer_class", *name, "BertTokenizer: only BERT's WordPiece is known here");
  }

  std::optional<bool> flag(const char* key) const {
    const json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_boolean()) refuse(key, *value, "true or false");
    return value->get<bool>();
  }

  // A token is text, or an object with its text as "content". The object's flags on white space
  // change no ids, since white space gives none.
  std::string token_text(std::string_view key, const json& value) const {
    const bool is_object = value.is_object() && value.contains("content");
    const json& text = is_object ? value["content"] : value;
    if (!text.is_string()) refuse(key, value, "a token");
    return text.get<std::string>();
  }

  void read_token(const char* key, std::string& token) const {
    if (const json* value = find(key)) token = token_text(key, *value);
  }

  std::vector<std::string> more_special(const WordPieceOptions& options) const {
    std::vector<std::string> tokens;
    const auto add = [&](std::string_view key, const json& value) {
      const std::string token = token_text(key, value);
      const bool is_known = token == options.unknown || token == options.cls ||
                            token == options.sep || token == options.pad || token == options.mask;
      if (is_known || std::find(tokens.begin(), tokens.end(), token) != tokens.end()) return;
      tokens.push_back(token);
    };
    for (const char* key :
         {"additional_special_tokens", "extra_special_tokens", "added_tokens_decoder"}) {
      const json* list = find(key);
      if (list == nullptr) continue;
      if (!list->is_array() && !list->is_object()) refuse(key, *list, "a list of tokens");
      for (const json& value : *list) add(key, value);
    }
    return tokens;
  }

  std::int64_t max_length(std::int64_t otherwise) const {
    const json* value = find("model_max_length");
    if (value == nullptr) return otherwise;
    if (!value->is_number()) refuse("model_max_length", *value, "a number");
    // Where a model has no limit transformers writes 10^30.
    const bool is_limit =
        value->is_number_integer() && value->get<double>() > 0 && value->get<double>() < 1e9;
    return is_limit ? value->get<std::int64_t>() : otherwise;
  }

  const json& config_;
  std::string source_;
};

}  // namespace

WordPieceTokenizer WordPieceTokenizer::load(const fs::path& folder) {
  std::error_code ignored;  // what is odd about a file, reading it will say
  if (!fs::is_directory(folder, ignored)) {
    throw Error(fmt::format("{}: no such folder; expected one with vocab.txt", folder.string()));
  }
  WordPieceOptions options;
  const fs::path config_path = folder / "tokenizer_config.json";
  if (fs::exists(config_path, ignored)) {
    const json config = parse_json(read_file(config_path), config_path.string());
    options = OptionsReader(config, config_path.string()).read();
  }
  const fs::path json_path = folder / "tokenizer.json";
  const fs::path vocabulary_path = folder / "vocab.txt";
  if (!fs::exists(vocabulary_path, ignored) && fs::exists(json_path, ignored)) {
    return {read_tokenizer_json(json_path), options, json_path.string()};
  }
  return {read_vocabulary(vocabulary_path), options, vocabulary_path.string()};
}

void WordPieceTokenizer::save(const fs::path& folder) const {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) {
    throw Error(
        fmt::format("{}: cannot create the folder: {}", folder.string(), failure.message()));
  }
  std::string lines;
  for (const std::string& token : vocabulary()) {
    if (token.find('\n') != std::string::npos || trim_end(token).size() != token.size()) {
      throw Error(
          fmt::format("{}: token {} holds a newline or ends in white space and cannot "
                      "stand in a line of vocab.txt",
                      folder.string(), json(token).dump()));
    }
    lines += token;
    lines += '\n';
  }
  const WordPieceOptions& chosen = options();
  json config = {{"tokenizer_class", "BertTokenizer"},
                 {"do_lower_case", chosen.lowercase},
                 {"strip_accents", nullptr},
                 {"tokenize_chinese_chars", chosen.split_chinese},
                 {"unk_token", chosen.unknown},
                 {"cls_token", chosen.cls},
                 {"sep_token", chosen.sep},
                 {"pad_token", chosen.pad},
                 {"mask_token", chosen.mask},
                 {"model_max_length", chosen.model_max_length}};
  if (chosen.strip_accents) config["strip_accents"] = *chosen.strip_accents;
  if (!chosen.more_special.empty()) config["additional_special_tokens"] = chosen.more_special;
  write_file_atomically(folder / "vocab.txt", lines);
  write_file_atomically(folder / "tokenizer_config.json", config.dump(2) + "\n");
}

}  // namespace basis
