#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "nn/bert_config.h"
#include "tensor/error.h"

namespace basis {
namespace {

constexpr std::int64_t most_parameters = std::int64_t{1} << 40;

class Checks {
 public:
  explicit Checks(const std::string& source) : source_(source) {}

  void size(const char* key, std::int64_t value, std::int64_t largest) const {
    if (value >= 1 && value <= largest) return;
    fail(key, fmt::format("is {}, not from 1 to {}", value, largest));
  }

  /// From `smallest` to below 1; NaN fails.
  void share(const char* key, double value, double smallest = 0.0) const {
    if (value >= smallest && value < 1.0) return;
    fail(key, fmt::format("is {}, not from {} to below 1", value, smallest));
  }

  template <std::size_t N>
  void one_of(const char* key, const std::string& value,
              const std::array<const char*, N>& allowed) const {
    if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
    fail(key, fmt::format("is \"{}\"; known are {}", value, fmt::join(allowed, ", ")));
  }

  [[noreturn]] void fail(const char* key, const std::string& reason) const {
    throw Error(fmt::format("{}: \"{}\" {}", source_, key, reason));
  }

 private:
  const std::string& source_;
};

void check_patches(const Checks& check, const BertConfig& config) {
  check.size("basis_patch_size", config.patch_size, 1'024);
  for (const auto& [key, value] : {std::pair{"vocab_size", config.vocab_size},
                                   std::pair{"type_vocab_size", config.type_vocab_size}}) {
    if (value == 0) continue;
    check.fail(key, fmt::format("is {}, not 0: with basis_patch_size {} the model reads images and "
                                "has no such embeddings",
                                value, config.patch_size));
  }
  if (config.head == "mean") return;
  check.fail("basis_head", fmt::format("is \"{}\", which reads [CLS]; a model of patches "
                                       "(basis_patch_size) has none and takes \"mean\"",
                                       config.head));
}

void check_transformer(const Checks& check, const BertConfig& config) {
  check.size("num_hidden_layers", config.num_hidden_layers, 1'000);
  check.size("num_attention_heads", config.num_attention_heads, 65'536);
  check.size("intermediate_size", config.intermediate_size, 1'048'576);
  if (config.hidden_size % config.num_attention_heads == 0) return;
  check.fail("num_attention_heads", fmt::format("is {}, which does not divide hidden_size {}",
                                                config.num_attention_heads, config.hidden_size));
}

void check_perceptron(const Checks& check, const BertConfig& config) {
  if (!config.reads_patches()) {
    check.fail("basis_perceptron", "stands without basis_patch_size: a perceptron reads images");
  }
  if (config.num_hidden_layers != 0)
    check.size("num_hidden_layers", config.num_hidden_layers, 1'000);
  for (const auto& [key, value] : {std::pair{"num_attention_heads", config.num_attention_heads},
                                   std::pair{"intermediate_size", config.intermediate_size}}) {
    if (value == 0) continue;
    check.fail(key, fmt::format("is {}, not 0: a perceptron (basis_perceptron) has none", value));
  }
  if (config.num_hidden_layers > 0 || config.hidden_size == config.pixels()) return;
  check.fail("hidden_size", fmt::format("is {}, and a linear classifier reads the {} pixels",
                                        config.hidden_size, config.pixels()));
}

}  // namespace

std::int64_t BertConfig::parameter_count() const {
  if (is_perceptron) {
    if (num_hidden_layers == 0) return 0;
    return (pixels() + 1) * hidden_size + (num_hidden_layers - 1) * (hidden_size + 1) * hidden_size;
  }
  const std::int64_t width = hidden_size, inner = intermediate_size;
  const std::int64_t norm = 2 * width;
  const std::int64_t attention = 4 * (width + 1) * width;
  const std::int64_t feed_forward = (width + 1) * inner + (inner + 1) * width;
  const std::int64_t pixels = patch_size * patch_size;
  const std::int64_t rows = reads_patches() ? pixels + 1 : vocab_size + type_vocab_size;
  const std::int64_t embeddings = (rows + max_position_embeddings) * width + norm;
  const std::int64_t pooler = reads_patches() ? 0 : (width + 1) * width;
  return embeddings + num_hidden_layers * (attention + feed_forward + 2 * norm) + pooler;
}

void BertConfig::validate(const std::string& source_name) const {
  const Checks check(source_name);
  check.size("hidden_size", hidden_size, 65'536);
  check.size("max_position_embeddings", max_position_embeddings, 1'048'576);
  if (patch_size != 0) {
    check_patches(check, *this);
  } else {
    check.size("vocab_size", vocab_size, 10'000'000);
    check.size("type_vocab_size", type_vocab_size, 65'536);
  }
  if (is_perceptron) {
    check_perceptron(check, *this);
  } else {
    check_transformer(check, *this);
  }
  if (parameter_count() >= most_parameters) {
    throw Error(fmt::format("{}: these sizes make {} parameters; fewer than {} are allowed",
                            source_name, parameter_count(), most_parameters));
  }
  if (hidden_act == Activation::Tanh || hidden_act == Activation::Sigmoid) {
    check.fail("hidden_act",
               fmt::format("is {}; known are gelu, gelu_new and relu", name_of(hidden_act)));
  }
  check.share("hidden_dropout_prob", hidden_dropout_prob);
  check.share("attention_probs_dropout_prob", attention_probs_dropout_prob);
  if (classifier_dropout) check.share("classifier_dropout", *classifier_dropout);
  // Below the smallest normal float a kernel in f32 would add nothing, or a subnormal.
  check.share("layer_norm_eps", layer_norm_eps, 1.2e-38);
  check.share("initializer_range", initializer_range);
  if (!reads_patches() && (pad_token_id < 0 || pad_token_id >= vocab_size)) {
    check.fail("pad_token_id",
               fmt::format("is {}, not below vocab_size {}", pad_token_id, vocab_size));
  }
  check.one_of("basis_head", head, std::array{"mean", "pooler"});
  check.one_of(
      "problem_type", problem_type,
      std::array{"", "regression", "single_label_classification", "multi_label_classification"});
  std::set<std::string> seen;
  for (const std::string& label : labels) {
    if (!seen.insert(label).second) {
      check.fail("id2label", fmt::format("has the label \"{}\" twice", label));
    }
  }
}

}  // namespace basis
