#include <algorithm>

#include <fmt/format.h>

#include "data/unicode.h"
#include "data/wordpiece.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json_keys.h"

namespace basis {
namespace {

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

/// The vocabulary within tokenizer.json, with the tokens that were added to it.
std::vector<std::string> read_tokenizer_json(const fs::path& path) {
  const JsonKeys file = JsonKeys::read(path);
  const JsonKeys model = file.object("model");
  if (model.text("type") != "WordPiece") {
    model.refuse("type", model.require("type"), "\"WordPiece\"");
  }
  const JsonKeys vocabulary = model.object("vocab");
  const std::vector<JsonKeys> added =
      file.has("added_tokens") ? file.objects("added_tokens") : std::vector<JsonKeys>{};
  // Ids may have gaps, but a file must not ask for more memory than its own size explains.
  const std::size_t most = 2 * (vocabulary.members().size() + added.size()) + 1024;
  std::vector<std::string> tokens;
  const auto place = [&](const std::string& token, std::int64_t id) {
    const auto index = static_cast<std::size_t>(id);
    if (index >= tokens.size()) tokens.resize(index + 1);
    tokens[index] = token;
  };
  const auto last_id = static_cast<std::int64_t>(most) - 1;
  for (const auto& [token, id] : vocabulary.members()) {
    place(token, vocabulary.as_integer(token, id, 0, last_id));
  }
  for (const JsonKeys& token : added) {
    place(token.text("content"), token.integer("id", 0, last_id));
  }
  return tokens;
}

// ---- The keys of tokenizer_config.json that bear on ids -----------------------------------------

void check_class(const JsonKeys& config) {
  constexpr const char* key = "tokenizer_class";
  if (!config.has(key)) return;
  const std::string name = config.text(key);
  for (const char* known : {"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer",
                            "PreTrainedTokenizerFast", "TokenizersBackend"}) {
    if (name == known || name == std::string(known) + "Fast") return;
  }
  config.refuse(key, config.require(key), "BertTokenizer: only BERT's WordPiece is known here");
}

/// A token is text, or an object with its text as "content". The object's flags on white space
/// change no ids, since white space gives none.
std::string token_text(const JsonKeys& config, std::string_view key, const Json& value) {
  const Json* content = value.find("content");
  const Json& text = content == nullptr ? value : *content;
  if (!text.is_text()) config.refuse(key, text, "a token");
  return text.text();
}

void read_token(const JsonKeys& config, const char* key, std::string& token) {
  if (const Json* value = config.find(key)) token = token_text(config, key, *value);
}

/// Tokens that text may hold as they are, besides the five that have a name.
std::vector<std::string> more_special(const JsonKeys& config, const WordPieceOptions& options) {
  std::vector<std::string> tokens;
  const auto add = [&](const std::string& key, const Json& value) {
    const std::string token = token_text(config, key, value);
    const bool is_known = token == options.unknown || token == options.cls ||
                          token == options.sep || token == options.pad || token == options.mask;
    if (is_known || std::find(tokens.begin(), tokens.end(), token) != tokens.end()) return;
    tokens.push_back(token);
  };
  for (const char* key :
       {"additional_special_tokens", "extra_special_tokens", "added_tokens_decoder"}) {
    const Json* list = config.find(key);
    if (list == nullptr) continue;
    if (list->is_object()) {
      for (const auto& [id, value] : list->members()) add(fmt::format("{}.{}", key, id), value);
      continue;
    }
    std::size_t index = 0;
    for (const Json& value : config.as_list(key, *list, "a list of tokens")) {
      add(item_name(key, index++), value);
    }
  }
  return tokens;
}

std::int64_t max_length(const JsonKeys& config, std::int64_t otherwise) {
  constexpr const char* key = "model_max_length";
  if (!config.has(key)) return otherwise;
  const double length = config.number(key);
  // Where a model has no limit transformers writes 10^30.
  const bool is_limit = config.require(key).is_integer() && length > 0 && length < 1e9;
  return is_limit ? config.integer(key) : otherwise;
}

WordPieceOptions read_options(const JsonKeys& config) {
  check_class(config);
  WordPieceOptions options;
  options.lowercase = !config.has("do_lower_case") || config.boolean("do_lower_case");
  if (config.has("strip_accents")) options.strip_accents = config.boolean("strip_accents");
  options.split_chinese =
      !config.has("tokenize_chinese_chars") || config.boolean("tokenize_chinese_chars");
  read_token(config, "unk_token", options.unknown);
  read_token(config, "cls_token", options.cls);
  read_token(config, "sep_token", options.sep);
  read_token(config, "pad_token", options.pad);
  read_token(config, "mask_token", options.mask);
  options.more_special = more_special(config, options);
  options.model_max_length = max_length(config, options.model_max_length);
  return options;
}

}  // namespace

std::vector<std::string> vocabulary_of(std::string_view text) {
  std::vector<std::string> tokens;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    tokens.emplace_back(trim_end(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return tokens;
}

WordPieceTokenizer WordPieceTokenizer::load(const fs::path& folder) {
  std::error_code ignored;  // what is odd about a file, reading it will say
  if (!fs::is_directory(folder, ignored)) {
    throw Error(fmt::format("{}: no such folder; expected one with vocab.txt", folder.string()));
  }
  WordPieceOptions options;
  const fs::path config_path = folder / "tokenizer_config.json";
  if (fs::exists(config_path, ignored)) options = read_options(JsonKeys::read(config_path));
  const fs::path json_path = folder / "tokenizer.json";
  const fs::path vocabulary_path = folder / "vocab.txt";
  if (!fs::exists(vocabulary_path, ignored) && fs::exists(json_path, ignored)) {
    return {read_tokenizer_json(json_path), options, json_path.string()};
  }
  return {vocabulary_of(read_file(vocabulary_path)), options, vocabulary_path.string()};
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
                      folder.string(), Json(token).shown()));
    }
    lines += token;
    lines += '\n';
  }
  const WordPieceOptions& chosen = options();
  Json config = Json::object({{"tokenizer_class", "BertTokenizer"},
                              {"do_lower_case", chosen.lowercase},
                              {"strip_accents", nullptr},
                              {"tokenize_chinese_chars", chosen.split_chinese},
                              {"unk_token", chosen.unknown},
                              {"cls_token", chosen.cls},
                              {"sep_token", chosen.sep},
                              {"pad_token", chosen.pad},
                              {"mask_token", chosen.mask},
                              {"model_max_length", chosen.model_max_length}});
  if (chosen.strip_accents) config.set("strip_accents", *chosen.strip_accents);
  if (!chosen.more_special.empty()) {
    config.set("additional_special_tokens", Json::texts(chosen.more_special));
  }
  config.sort_keys();  // as transformers writes it
  write_file_atomically(folder / "vocab.txt", lines);
  config.write(folder / "tokenizer_config.json", 2);
}

}  // namespace basis
