#include "nn/bert_config.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json_text.h"

namespace basis {
namespace {

using nlohmann::json;

bool is_classifier(const std::vector<std::string>& architectures) {
  return std::count(architectures.begin(), architectures.end(), "BertForSequenceClassification") >
         0;
}

/// The keys of one config.json, and messages with its name.
class Keys {
 public:
  Keys(const json& object, const std::string& source) : object_(object), source_(source) {}

  [[noreturn]] void fail(const char* key, const std::string& reason) const {
    throw Error(fmt::format("{}: \"{}\" {}", source_, key, reason));
  }

  /// Null where the key is absent or null.
  const json* find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  const json& require(const char* key) const {
    const json* value = find(key);
    if (value == nullptr) {
      fail(key, object_.contains(key) ? "is null" : "is missing");
    }
    return *value;
  }

  std::int64_t integer(const char* key) const { return as_integer(key, require(key)); }
  double number(const char* key) const { return as_number(key, require(key)); }
  std::string text(const char* key) const { return as_text(key, require(key)); }

  std::int64_t as_integer(const char* key, const json& value) const {
    if (!value.is_number_integer()) fail(key, fmt::format("is {}, not an integer", shown(value)));
    if (value.is_number_unsigned() &&
        value.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
      fail(key, fmt::format("is {}, beyond 64 bits", shown(value)));
    }
    return value.get<std::int64_t>();
  }

  double as_number(const char* key, const json& value) const {
    if (!value.is_number()) fail(key, fmt::format("is {}, not a number", shown(value)));
    return value.get<double>();
  }

  std::string as_text(const char* key, const json& value) const {
    if (!value.is_string()) fail(key, fmt::format("is {}, not a string", shown(value)));
    return value.get<std::string>();
  }

  bool is_true(const char* key) const {
    const json* value = find(key);
    if (value == nullptr) return false;
    if (!value->is_boolean()) fail(key, fmt::format("is {}, not true or false", shown(*value)));
    return value->get<bool>();
  }

  std::vector<std::string> texts(const char* key) const {
    const json* list = find(key);
    if (list == nullptr) return {};
    if (!list->is_array()) fail(key, fmt::format("is {}, not a list of strings", shown(*list)));
    std::vector<std::string> texts;
    for (const json& item : *list) texts.push_back(as_text(key, item));
    return texts;
  }

  static std::string shown(const json& value) {
    if (value.is_object()) return "an object";
    if (value.is_array()) return "a list";
    const std::string text = value.dump();
    constexpr std::size_t longest = 80;
    if (text.size() <= longest) return text;
    return value.is_string() ? "a long string" : text.substr(0, longest) + "...";
  }

 private:
  const json& object_;
  const std::string& source_;
};

Activation parse_activation(const Keys& keys) {
  const std::string name = keys.text("hidden_act");
  if (name == "gelu") return Activation::GeluErf;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::GeluTanh;
  if (name == "relu") return Activation::Relu;
  keys.fail("hidden_act", fmt::format("is {}; known are \"gelu\", \"gelu_new\", "
                                      "\"gelu_pytorch_tanh\" and \"relu\"",
                                      Keys::shown(keys.require("hidden_act"))));
}

/// What would need other code than ours is refused, not ignored.
void refuse_other_models(const Keys& keys) {
  if (keys.find("model_type") != nullptr && keys.text("model_type") != "bert") {
    keys.fail("model_type", fmt::format("is {}; only \"bert\" is supported",
                                        Keys::shown(keys.require("model_type"))));
  }
  const char* positions = "position_embedding_type";
  if (keys.find(positions) != nullptr && keys.text(positions) != "absolute") {
    keys.fail(positions, fmt::format("is {}; only \"absolute\" is supported",
                                     Keys::shown(keys.require(positions))));
  }
  for (const char* key : {"is_decoder", "add_cross_attention"}) {
    if (keys.is_true(key)) keys.fail(key, "is true; a decoder is not supported");
  }
}

/// id2label, {"0": "no", "1": "yes"}, as a list.
std::vector<std::string> parse_labels(const Keys& keys) {
  const json* by_id = keys.find("id2label");
  if (by_id == nullptr) return {};
  if (!by_id->is_object()) keys.fail("id2label", "is not an object");
  std::vector<std::string> labels;
  while (labels.size() < by_id->size()) {
    const std::string id = std::to_string(labels.size());
    const auto found = by_id->find(id);
    if (found == by_id->end()) {
      keys.fail("id2label", fmt::format("has {} labels but none for \"{}\"", by_id->size(), id));
    }
    labels.push_back(keys.as_text("id2label", *found));
  }
  return labels;
}

std::string parse_head(const Keys& keys, const std::vector<std::string>& architectures) {
  if (keys.find("basis_head") != nullptr) return keys.text("basis_head");
  return is_classifier(architectures) ? "pooler" : "mean";
}

}  // namespace

BertConfig BertConfig::read(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  return parse(read_file(path), path.string());
}

BertConfig BertConfig::parse(std::string_view text, const std::string& source_name) {
  const json object = parse_json(text, source_name);
  if (!object.is_object()) throw Error(source_name + ": not a JSON object");
  const Keys keys(object, source_name);
  refuse_other_models(keys);

  BertConfig config;
  config.vocab_size = keys.integer("vocab_size");
  config.hidden_size = keys.integer("hidden_size");
  config.num_hidden_layers = keys.integer("num_hidden_layers");
  config.num_attention_heads = keys.integer("num_attention_heads");
  config.intermediate_size = keys.integer("intermediate_size");
  config.max_position_embeddings = keys.integer("max_position_embeddings");
  config.type_vocab_size = keys.integer("type_vocab_size");
  config.hidden_act = parse_activation(keys);
  config.hidden_dropout_prob = keys.number("hidden_dropout_prob");
  config.attention_probs_dropout_prob = keys.number("attention_probs_dropout_prob");
  config.layer_norm_eps = keys.number("layer_norm_eps");
  if (keys.find("classifier_dropout"))
    config.classifier_dropout = keys.number("classifier_dropout");
  if (keys.find("initializer_range")) config.initializer_range = keys.number("initializer_range");
  if (keys.find("pad_token_id")) {
    const std::int64_t id = keys.integer("pad_token_id");
    if (id < std::numeric_limits<std::int32_t>::min() ||
        id > std::numeric_limits<std::int32_t>::max()) {
      keys.fail("pad_token_id", fmt::format("is {}, beyond 32 bits", id));
    }
    config.pad_token_id = static_cast<std::int32_t>(id);
  }
  config.architectures = keys.texts("architectures");
  config.head = parse_head(keys, config.architectures);
  config.labels = parse_labels(keys);
  if (keys.find("problem_type")) config.problem_type = keys.text("problem_type");
  config.validate(source_name);
  return config;
}

std::string BertConfig::to_json() const {
  json object = {
      {"model_type", "bert"},
      {"architectures", architectures},
      {"vocab_size", vocab_size},
      {"hidden_size", hidden_size},
      {"num_hidden_layers", num_hidden_layers},
      {"num_attention_heads", num_attention_heads},
      {"intermediate_size", intermediate_size},
      {"max_position_embeddings", max_position_embeddings},
      {"type_vocab_size", type_vocab_size},
      {"position_embedding_type", "absolute"},
      {"hidden_act", name_of(hidden_act)},
      {"hidden_dropout_prob", hidden_dropout_prob},
      {"attention_probs_dropout_prob", attention_probs_dropout_prob},
      {"layer_norm_eps", layer_norm_eps},
      {"initializer_range", initializer_range},
      {"pad_token_id", pad_token_id},
      {"torch_dtype", "float32"},  // read by transformers 4 and 5
  };
  // Only where it means something: transformers hands unknown keys on to what it makes of this
  // model.
  if (is_classifier(architectures) || head != "mean") object["basis_head"] = head;
  if (classifier_dropout) object["classifier_dropout"] = *classifier_dropout;
  if (!problem_type.empty()) object["problem_type"] = problem_type;
  for (std::size_t id = 0; id < labels.size(); ++id) {
    object["id2label"][std::to_string(id)] = labels[id];
    object["label2id"][labels[id]] = id;
  }
  try {
    return object.dump(2) + "\n";
  } catch (const json::exception&) {
    throw Error("config.json: a label or another text is not UTF-8");
  }
}

}  // namespace basis
