#include "experiments/text_finetune.h"

#include <algorithm>

#include <fmt/format.h>

#include "experiments/compute.h"
#include "experiments/masked_language_task.h"
#include "experiments/model_folder.h"
#include "experiments/stage_model.h"
#include "experiments/stage_training.h"
#include "experiments/text_data.h"
#include "experiments/training_settings.h"

namespace basis {
namespace {

/// One fine-tuning on text from its settings to its result.
class TextFinetune {
 public:
  explicit TextFinetune(StageContext& stage)
      : stage_(stage),
        config_(stage.plan.config),
        train_(config_.train_for(stage.stage.task, stage.stage.method)),
        masking_(text_settings(config_, stage.stage.task, train_)),
        folder_(start_model_folder(stage)),
        tokenizer_(load_tokenizer(folder_)),
        compute_(config_.device, config_.threads, config_.tf32),
        dtype_(compute_dtype(compute_.backend(), config_.dtype)) {
    stage_.remark(dtype_.remark);
    const auto check_stop = [this] {
      if (stage_.should_stop()) throw Cancelled("stopped while the corpus was read");
    };
    corpus_ = load_text(masking_, config_.data.language_seed, train_.train_rows, tokenizer_,
                        *stage_.data, stage_.cache, check_stop);
    make_model();
  }

  StageResult run() {
    StageTraining training;
    training.task = task_->training_task(steps());
    training.parameters = model_->parameters().trainable();
    training.group_of = [](const Parameter&) { return 0; };
    training.optimizer = optimizer_options(train_);
    training.trainer =
        trainer_options(config_, train_, stage_.stage.seed, dtype_.activations, steps());
    training.trainer.learning_rates = {train_.learning_rate};
    training.evaluates_after = every(train_.evaluate_every);
    training.evaluate = [this](MetricsLog& log, std::int64_t step) { score_dev(log, step); };
    const double tokens_per_s = train_in_stage(stage_, compute_, training);
    const std::filesystem::path folder = stage_.folder / "model";
    make_folder(folder);
    save_model(folder, *model_);
    tokenizer_.save(folder);
    return result(tokens_per_s);
  }

 private:
  void make_model() {
    BertConfig bert = BertConfig::read(folder_);
    if (train_.dropout >= 0) {
      bert.hidden_dropout_prob = bert.attention_probs_dropout_prob = train_.dropout;
    }
    const auto seed = static_cast<std::uint64_t>(stage_.stage.seed);
    std::optional<Checkpoint> checkpoint;
    if (config_.method.at(stage_.stage.method).start != "random") {
      checkpoint.emplace(folder_);
    } else if (compute_.backend().device() == DeviceKind::Cpu) {
      expect_memory_to_train(bert.parameter_count(), dtype_.master(),
                             (folder_ / "config.json").string());
    }
    model_ = std::make_unique<MaskedLanguageModel>(compute_.backend(), compute_.memory(), bert,
                                                   checkpoint ? &*checkpoint : nullptr,
                                                   ModelOptions{seed, dtype_.master()});
    for (const auto& parameter : model_->parameters().all()) parameter->set_trainable(true);
    task_ = std::make_unique<MaskedLanguageTask>(compute_, dtype_, *model_, corpus_, tokenizer_,
                                                 masking_, stage_.stage.seed, config_.cuda_graphs);
  }

  std::int64_t steps() const {
    const std::int64_t per_epoch =
        (corpus_.train.size() + train_.batch_size - 1) / train_.batch_size;
    return train_.steps > 0 ? train_.steps : train_.epochs * per_epoch;
  }

  void score_dev(MetricsLog& log, std::int64_t step) {
    scores_ = task_->score_held_out(step);
    MetricValues line(scores_.begin(), scores_.end());
    line.emplace_back("dev_masked_accuracy", score("held_out_accuracy"));
    log.write(step, line);
  }

  double score(std::string_view name) const {
    const auto found = std::find_if(scores_.begin(), scores_.end(),
                                    [&](const auto& named) { return named.first == name; });
    ensure(found != scores_.end(), "held-out text has its scores");
    return found->second;
  }

  StageResult result(double tokens_per_s) {
    StageResult result;
    result.metrics = {{"masked_accuracy", score("held_out_accuracy")},
                      {"held_out_loss", score("held_out_loss")},
                      {"unigram_loss", score("unigram_loss")},
                      {"dev_rows", static_cast<double>(corpus_.held_out.size())}};
    std::int64_t encoder = 0;
    for (const Parameter* parameter : model_->parameters().trainable()) {
      (parameter->role() == ParameterRole::Head ? result.head_parameters : encoder) +=
          parameter->count();
    }
    result.trainable = encoder;
    result.trainable_share =
        static_cast<double>(encoder) / static_cast<double>(model_->config().parameter_count());
    result.tokens_per_s = tokens_per_s;
    result.peak_mib = compute_.peak_memory_mib();
    return result;
  }

  StageContext& stage_;
  const Config& config_;
  const TrainSettings train_;
  const PretrainSettings masking_;
  const std::filesystem::path folder_;
  WordPieceTokenizer tokenizer_;
  Compute compute_;
  ComputeDType dtype_;
  PretrainCorpus corpus_;
  std::unique_ptr<MaskedLanguageModel> model_;
  std::unique_ptr<MaskedLanguageTask> task_;
  std::vector<std::pair<std::string, double>> scores_;  // of dev, after training
};

}  // namespace

StageResult run_text_finetune(StageContext& stage) {
  reset_peak_memory();
  return TextFinetune(stage).run();
}

}  // namespace basis
