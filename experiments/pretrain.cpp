#include "experiments/pretrain.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "experiments/masked_language_task.h"
#include "experiments/model_folder.h"
#include "experiments/snapshots.h"
#include "experiments/stage_training.h"
#include "experiments/training_settings.h"
#include "tensor/json.h"
#include "tensor/json_keys.h"

namespace basis {

namespace {

Activation activation_named(const std::string& name) {
  for (const Activation kind : {Activation::GeluErf, Activation::GeluTanh, Activation::Relu}) {
    if (name == name_of(kind)) return kind;
  }
  throw InternalError("the config let hidden_act \"" + name + "\" through");
}

/// One pretraining from its settings to its result.
class Pretrain {
 public:
  explicit Pretrain(StageContext& stage)
      : stage_(stage),
        config_(stage.plan.config),
        settings_(config_.pretrain_for(stage.stage.model)),
        seed_(stage.stage.seed),
        compute_(config_.device, config_.threads, config_.tf32),
        dtype_(compute_dtype(compute_.backend(), config_.dtype)) {
    stage_.remark(dtype_.remark);
    const auto check_stop = [this] {
      if (stage_.should_stop()) throw Cancelled("stopped while the corpus was read");
    };
    tokenizer_ = make_pretrain_tokenizer(settings_, config_.data.language_seed, *stage_.data,
                                         stage_.cache, check_stop);
    corpus_ = read_pretrain_corpus(settings_, seed_, config_.data.language_seed, *tokenizer_,
                                   *stage_.data, check_stop);
  }

  StageResult run() {
    steps_ = settings_.steps > 0 ? settings_.steps : steps_of_minutes();
    make_model();
    StageTraining training = stage_training();
    const double tokens_per_s = train_in_stage(stage_, compute_, training);
    keep(Snapshot{"final", tokens_after(steps_), held_out_loss()});
    StageResult result;
    result.metrics = scores_;
    result.metrics.emplace_back("pretrain_tokens", static_cast<double>(tokens_after(steps_)));
    result.metrics.emplace_back("corpus_tokens", static_cast<double>(corpus_.train.token_count()));
    result.tokens_per_s = tokens_per_s;
    result.peak_mib = compute_.peak_memory_mib();
    for (const Parameter* parameter : model_->parameters().trainable()) {
      result.trainable += parameter->count();
    }
    return result;
  }

 private:
  BertConfig bert_config() const {
    BertConfig config;
    config.vocab_size = tokenizer_->vocabulary_size();
    config.hidden_size = settings_.hidden_size;
    config.num_hidden_layers = settings_.num_hidden_layers;
    config.num_attention_heads = settings_.num_attention_heads;
    config.intermediate_size = settings_.intermediate_size;
    config.max_position_embeddings = std::max<std::int64_t>(settings_.max_length, 128);
    config.hidden_act = activation_named(settings_.hidden_act);
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = settings_.dropout;
    config.initializer_range = settings_.initializer_range;
    config.pad_token_id = tokenizer_->pad_id();
    config.validate("[pretrain]");
    return config;
  }

  void make_model() {
    task_.reset();
    model_.reset();
    const BertConfig config = bert_config();
    if (compute_.backend().device() == DeviceKind::Cpu) {
      expect_memory_to_train(config.parameter_count(), dtype_.master(), "[pretrain]");
    }
    model_ = std::make_unique<MaskedLanguageModel>(
        compute_.backend(), compute_.memory(), config, nullptr,
        ModelOptions{static_cast<std::uint64_t>(seed_), dtype_.master()});
    if (settings_.positions == "sinusoidal") start_positions();
    for (const auto& parameter : model_->parameters().all()) parameter->set_trainable(true);
    task_ = std::make_unique<MaskedLanguageTask>(compute_, dtype_, *model_, corpus_, *tokenizer_,
                                                 settings_, seed_, config_.cuda_graphs);
  }

  /// Sines and cosines of the positions (Vaswani et al., arXiv 1706.03762, section 3.5), scaled to
  /// the mean square of the other embeddings.
  void start_positions() {
    constexpr double longest_wave = 10000;
    Parameter& table = model_->bert().position_embeddings();
    const std::int64_t width = table.shape()[1];
    Matrix start(table.shape()[0], width);
    const double amplitude = settings_.initializer_range * std::numbers::sqrt2;
    for (std::int64_t position = 0; position < start.rows(); ++position) {
      for (std::int64_t i = 0; i < width; ++i) {
        const double exponent = static_cast<double>(i / 2 * 2) / static_cast<double>(width);
        const double angle = static_cast<double>(position) / std::pow(longest_wave, exponent);
        start(position, i) = amplitude * (i % 2 == 0 ? std::sin(angle) : std::cos(angle));
      }
    }
    set_weight(compute_.backend(), compute_.memory(), table, start);
  }

  StageTraining stage_training() {
    StageTraining training;
    training.task = task_->training_task(steps_);
    training.parameters = model_->parameters().trainable();
    training.group_of = [](const Parameter&) { return 0; };
    training.optimizer = optimizer_options();
    training.trainer = trainer_options();
    const auto is_regular = every(settings_.evaluate_every);
    training.evaluates_after = [this, is_regular](std::int64_t steps) {
      return is_regular(steps) || snapshot_after(steps) >= 0;
    };
    training.evaluate = [this](MetricsLog& log, std::int64_t step) { score_held_out(log, step); };
    return training;
  }

  OptimizerOptions optimizer_options() const {
    OptimizerOptions options;
    options.adamw = {settings_.beta1, settings_.beta2, settings_.epsilon};
    options.weight_decay = settings_.weight_decay;
    options.clip_norm = settings_.clip_norm;
    return options;
  }

  TrainerOptions trainer_options() const {
    TrainerOptions options;
    options.seed = static_cast<std::uint64_t>(seed_);
    options.dtype = dtype_.activations;
    options.recomputes_layers = config_.recompute;
    options.schedule = schedule_of(settings_.schedule, settings_.warmup_share, steps_);
    options.learning_rates = {settings_.learning_rate};
    options.checkpoint_every = settings_.checkpoint_every;
    options.has_graphs = config_.cuda_graphs;
    return options;
  }

  /// How many steps the minutes hold, by the rate of some steps that are thrown away. Chosen once
  /// and kept in steps.json: an interrupted run goes on to the same end.
  std::int64_t steps_of_minutes() {
    const std::filesystem::path file = stage_.folder / "steps.json";
    std::error_code error;
    if (std::filesystem::exists(file, error)) return JsonKeys::read(file).integer("steps", 1);
    constexpr std::int64_t warm_up = 3, most = 50;
    constexpr double seconds_enough = 10;
    steps_ = warm_up + most;
    make_model();
    const TrainingTask task = task_->training_task(steps_);
    Optimizer optimizer(
        compute_.backend(), compute_.memory(), model_->parameters().trainable(),
        [](const Parameter&) { return 0; }, optimizer_options());
    Trainer trainer(compute_.backend(), compute_.arena(), optimizer, task, trainer_options());
    double seconds = 0;
    std::int64_t timed = 0;
    for (std::int64_t step = 0; step < steps_ && seconds < seconds_enough; ++step) {
      const double one = trainer.train_step(step).seconds;
      if (step < warm_up) continue;
      seconds += one;
      ++timed;
    }
    constexpr double seconds_a_minute = 60;
    const double all = settings_.minutes * seconds_a_minute * static_cast<double>(timed) / seconds;
    const std::int64_t steps = std::max<std::int64_t>(1, static_cast<std::int64_t>(all));
    Json::object({{"steps", steps}}).write(file, 1);
    stage_.remark(fmt::format("{} minutes are {} steps at {:.3g} s a step", settings_.minutes,
                              steps, seconds / static_cast<double>(timed)));
    return steps;
  }

  std::int64_t tokens_after(std::int64_t steps) const {
    return steps * settings_.tokens_per_step();
  }
  double held_out_loss() const { return scores_.front().second; }

  /// The wanted token count that so many steps reach first; -1 where none does.
  std::int64_t snapshot_after(std::int64_t steps) const {
    for (const std::int64_t tokens : settings_.snapshots) {
      const std::int64_t a_step = settings_.tokens_per_step();
      if ((tokens + a_step - 1) / a_step == steps) return tokens;
    }
    return -1;
  }

  void keep(const Snapshot& snapshot) {
    const std::filesystem::path folder = stage_.folder / snapshot.folder();
    make_folder(folder);
    save_model(folder, *model_);
    tokenizer_->save(folder);
    add_snapshot(stage_.folder, snapshot);
  }

  void score_held_out(MetricsLog& log, std::int64_t step) {
    scores_ = task_->score_held_out(step);
    log.write(step, {scores_.begin(), scores_.end()});
    if (const std::int64_t tokens = snapshot_after(step); tokens >= 0) {
      keep({std::to_string(tokens), tokens_after(step), held_out_loss()});
    }
    if (!settings_.keeps_best) return;
    for (const Snapshot& known : read_snapshots(stage_.folder)) {
      if (known.name == "best" && known.held_out_loss <= held_out_loss()) return;
    }
    keep({"best", tokens_after(step), held_out_loss()});
  }

  StageContext& stage_;
  const Config& config_;
  const PretrainSettings settings_;
  const std::int64_t seed_;
  Compute compute_;
  ComputeDType dtype_;
  std::unique_ptr<WordPieceTokenizer> tokenizer_;
  PretrainCorpus corpus_;
  std::unique_ptr<MaskedLanguageModel> model_;
  std::unique_ptr<MaskedLanguageTask> task_;
  std::int64_t steps_ = 0;
  std::vector<std::pair<std::string, double>> scores_;
};

}  // namespace

StageResult run_pretrain(StageContext& stage) {
  reset_peak_memory();
  return Pretrain(stage).run();
}

}  // namespace basis
