#include "experiments/pretrain.h"

#include <algorithm>

#include <fmt/format.h>

#include "experiments/image_pretrain.h"
#include "experiments/masked_language_task.h"
#include "experiments/pretrain_model.h"
#include "experiments/snapshots.h"
#include "experiments/stage_training.h"
#include "experiments/training_settings.h"
#include "tensor/json.h"
#include "tensor/json_keys.h"

namespace basis {

namespace {

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
    return pretrain_result(scores_, tokens_after(steps_), corpus_.train.token_count(), tokens_per_s,
                           compute_, model_->parameters().trainable());
  }

 private:
  BertConfig bert_config() const {
    BertConfig config = pretrained_config(settings_);
    config.vocab_size = tokenizer_->vocabulary_size();
    config.max_position_embeddings = std::max<std::int64_t>(settings_.max_length, 128);
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
    start_positions(compute_, model_->bert(), settings_);
    for (const auto& parameter : model_->parameters().all()) parameter->set_trainable(true);
    task_ = std::make_unique<MaskedLanguageTask>(compute_, dtype_, *model_, corpus_, *tokenizer_,
                                                 settings_, seed_, config_.cuda_graphs);
  }

  StageTraining stage_training() {
    StageTraining training;
    training.task = task_->training_task(steps_);
    training.parameters = model_->parameters().trainable();
    training.group_of = [](const Parameter&) { return 0; };
    training.optimizer = optimizer_options(settings_);
    training.trainer = trainer_options();
    const auto is_regular = every(settings_.evaluate_every);
    training.evaluates_after = [this, is_regular](std::int64_t steps) {
      return is_regular(steps) || snapshot_after(steps) >= 0;
    };
    training.evaluate = [this](MetricsLog& log, std::int64_t step) { score_held_out(log, step); };
    return training;
  }

  TrainerOptions trainer_options() const {
    return basis::trainer_options(config_, settings_, seed_, dtype_.activations, steps_);
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
        [](const Parameter&) { return 0; }, optimizer_options(settings_));
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
  if (stage.plan.config.pretrain_for(stage.stage.model).is_images()) {
    return run_image_pretrain(stage);
  }
  reset_peak_memory();
  return Pretrain(stage).run();
}

}  // namespace basis
