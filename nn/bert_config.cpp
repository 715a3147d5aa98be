#include "nn/bert_config.h"

#include <algorithm>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "tensor/file.h"
#include "tensor/json_keys.h"

namespace basis {
namespace {

bool is_classifier(const std::vector<std::string>& architectures) {
  return std::count(architectures.begin(), architectures.end(), "BertForSequenceClassification") >
         0;
}

Activation parse_activation(const JsonKeys& keys) {
  const std::string name = keys.text("hidden_act");
  if (name == "gelu") return Activation::GeluErf;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::GeluTanh;
  if (name == "relu") return Activation::Relu;
  keys.fail("hidden_act", fmt::format("is {}; known are \"gelu\", \"gelu_new\", "
                                      "\"gelu_pytorch_tanh\" and \"relu\"",
                                      Json(name).shown()));
}

/// What would need other code than ours is refused, not ignored.
void refuse_other_models(const JsonKeys& keys) {
  if (keys.find("model_type") != nullptr && keys.text("model_type") != "bert") {
    keys.fail("model_type",
              fmt::format("is {}; only \"bert\" is supported", keys.require("model_type").shown()));
  }
  const char* positions = "position_embedding_type";
  if (keys.find(positions) != nullptr && keys.text(positions) != "absolute") {
    keys.fail(positions, fmt::format("is {}; only \"absolute\" is supported",
                                     keys.require(positions).shown()));
  }
  for (const char* key : {"is_decoder", "add_cross_attention"}) {
    if (keys.is_true(key)) keys.fail(key, "is true; a decoder is not supported");
  }
}

/// id2label, {"0": "no", "1": "yes"}, as a list.
std::vector<std::string> parse_labels(const JsonKeys& keys) {
  const Json* found = keys.find("id2label");
  if (found == nullptr) return {};
  if (!found->is_object()) keys.refuse("id2label", *found, "an object");
  std::map<std::string_view, const Json*> by_id;
  for (const auto& [id, label] : found->members()) by_id.emplace(id, &label);
  std::vector<std::string> labels;
  while (labels.size() < by_id.size()) {
    const std::string id = std::to_string(labels.size());
    const auto label = by_id.find(id);
    if (label == by_id.end()) {
      keys.fail("id2label", fmt::format("has {} labels but none for \"{}\"", by_id.size(), id));
    }
    labels.push_back(keys.as_text("id2label." + id, *label->second));
  }
  return labels;
}

std::string parse_head(const JsonKeys& keys, const std::vector<std::string>& architectures) {
  if (keys.find("basis_head") != nullptr) return keys.text("basis_head");
  return is_classifier(architectures) ? "pooler" : "mean";
}

}  // namespace

BertConfig BertConfig::read(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  return parse(read_file(path), path.string());
}

BertConfig BertConfig::parse(std::string_view text, const std::string& source_name) {
  const JsonKeys keys(Json::parse(text, source_name), source_name);
  refuse_other_models(keys);

  BertConfig config;
  config.vocab_size = keys.integer("vocab_size");
  config.hidden_size = keys.integer("hidden_size");
  config.num_hidden_layers = keys.integer("num_hidden_layers");
  config.num_attention_heads = keys.integer("num_attention_heads");
  config.intermediate_size = keys.integer("intermediate_size");
  config.max_position_embeddings = keys.integer("max_position_embeddings");
  config.type_vocab_size = keys.integer("type_vocab_size");
  if (keys.find("basis_patch_size")) config.patch_size = keys.integer("basis_patch_size");
  config.is_perceptron = keys.is_true("basis_perceptron");
  config.hidden_act = parse_activation(keys);
  config.hidden_dropout_prob = keys.number("hidden_dropout_prob");
  config.attention_probs_dropout_prob = keys.number("attention_probs_dropout_prob");
  config.layer_norm_eps = keys.number("layer_norm_eps");
  if (keys.find("classifier_dropout"))
    config.classifier_dropout = keys.number("classifier_dropout");
  if (keys.find("initializer_range")) config.initializer_range = keys.number("initializer_range");
  if (keys.find("pad_token_id")) {
    using Limits = std::numeric_limits<std::int32_t>;
    const std::int64_t id = keys.integer("pad_token_id", Limits::min(), Limits::max());
    config.pad_token_id = static_cast<std::int32_t>(id);
  }
  if (keys.has("architectures")) config.architectures = keys.texts("architectures");
  config.head = parse_head(keys, config.architectures);
  config.labels = parse_labels(keys);
  if (keys.find("problem_type")) config.problem_type = keys.text("problem_type");
  config.validate(source_name);
  return config;
}

std::string BertConfig::to_json() const {
  Json object = Json::object({{"model_type", "bert"},
                              {"architectures", Json::texts(architectures)},
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
                              // read by transformers 4 and 5
                              {"torch_dtype", "float32"}});
  // Only where it means something: transformers hands unknown keys on to what it makes of this
  // model.
  if (is_classifier(architectures) || head != "mean") object.set("basis_head", head);
  if (reads_patches()) object.set("basis_patch_size", patch_size);
  if (is_perceptron) object.set("basis_perceptron", true);
  if (classifier_dropout) object.set("classifier_dropout", *classifier_dropout);
  if (!problem_type.empty()) object.set("problem_type", problem_type);
  if (!labels.empty()) {
    std::vector<Json::Member> by_id;
    std::map<std::string, std::size_t> ids;  // of a label that stands twice the last
    for (std::size_t id = 0; id < labels.size(); ++id) {
      by_id.push_back({std::to_string(id), labels[id]});
      ids[labels[id]] = id;
    }
    std::vector<Json::Member> by_label;
    for (const auto& [label, id] : ids) by_label.push_back({label, id});
    object.set("id2label", Json::object(std::move(by_id)));
    object.set("label2id", Json::object(std::move(by_label)));
  }
  object.sort_keys();  // as transformers writes it
  return object.dump(2, "config.json") + "\n";
}

}  // namespace basis
