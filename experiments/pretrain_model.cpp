#include "experiments/pretrain_model.h"

#include <cmath>
#include <numbers>

#include "experiments/model_folder.h"
#include "experiments/training_settings.h"

namespace basis {
namespace {

Activation activation_named(const std::string& name) {
  for (const Activation kind : {Activation::GeluErf, Activation::GeluTanh, Activation::Relu}) {
    if (name == name_of(kind)) return kind;
  }
  throw InternalError("the config let hidden_act \"" + name + "\" through");
}

}  // namespace

BertConfig pretrained_config(const PretrainSettings& settings) {
  BertConfig config;
  config.hidden_size = settings.hidden_size;
  config.num_hidden_layers = settings.num_hidden_layers;
  config.num_attention_heads = settings.num_attention_heads;
  config.intermediate_size = settings.intermediate_size;
  config.is_perceptron = settings.is_perceptron();
  config.hidden_act = activation_named(settings.hidden_act);
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = settings.dropout;
  config.initializer_range = settings.initializer_range;
  return config;
}

void set_patches(BertConfig& config, std::int64_t patch_size, std::int64_t patches) {
  config.patch_size = patch_size;
  config.vocab_size = config.type_vocab_size = 0;
  config.max_position_embeddings = patches;
}

void start_positions(Compute& compute, Bert& bert, const PretrainSettings& settings) {
  if (settings.positions != "sinusoidal") return;
  constexpr double longest_wave = 10000;
  Parameter& table = bert.position_embeddings();
  const std::int64_t width = table.shape()[1];
  Matrix start(table.shape()[0], width);
  const double amplitude = settings.initializer_range * std::numbers::sqrt2;
  for (std::int64_t position = 0; position < start.rows(); ++position) {
    for (std::int64_t i = 0; i < width; ++i) {
      const double exponent = static_cast<double>(i / 2 * 2) / static_cast<double>(width);
      const double angle = static_cast<double>(position) / std::pow(longest_wave, exponent);
      start(position, i) = amplitude * (i % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }
  set_weight(compute.backend(), compute.memory(), table, start);
}

OptimizerOptions optimizer_options(const PretrainSettings& settings) {
  OptimizerOptions options;
  options.adamw = {settings.beta1, settings.beta2, settings.epsilon};
  options.weight_decay = settings.weight_decay;
  options.clip_norm = settings.clip_norm;
  options.perturbation = perturbation_options(settings.perturbation, settings.perturbation_size,
                                              settings.perturbation_relative);
  return options;
}

TrainerOptions trainer_options(const Config& config, const PretrainSettings& settings,
                               std::int64_t seed, DType dtype, std::int64_t steps) {
  TrainerOptions options;
  options.seed = static_cast<std::uint64_t>(seed);
  options.dtype = dtype;
  options.recomputes_layers = config.recompute;
  options.schedule = schedule_of(settings.schedule, settings.warmup_share, steps);
  options.learning_rates = {settings.learning_rate};
  options.checkpoint_every = settings.checkpoint_every;
  options.has_graphs = config.cuda_graphs;
  return options;
}

StageResult pretrain_result(const std::vector<std::pair<std::string, double>>& scores,
                            std::int64_t tokens, std::int64_t corpus_tokens, double tokens_per_s,
                            const Compute& compute, const std::vector<Parameter*>& trained) {
  StageResult result;
  result.metrics = scores;
  result.metrics.emplace_back("pretrain_tokens", static_cast<double>(tokens));
  result.metrics.emplace_back("corpus_tokens", static_cast<double>(corpus_tokens));
  result.tokens_per_s = tokens_per_s;
  result.peak_mib = compute.peak_memory_mib();
  for (const Parameter* parameter : trained) result.trainable += parameter->count();
  return result;
}

}  // namespace basis
