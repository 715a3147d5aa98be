#include <memory>

#include "experiments/landscape_subject.h"
#include "experiments/masked_language_task.h"
#include "experiments/model_folder.h"
#include "experiments/pretrain_model.h"
#include "experiments/stage_model.h"
#include "experiments/text_data.h"

namespace basis {
namespace {

class LanguageModelOnText {
 public:
  LanguageModelOnText(StageContext& stage, Compute& compute, const ComputeDType& dtype)
      : config_(stage.plan.config),
        stage_(stage),
        compute_(compute),
        dtype_(dtype),
        settings_(is_pretraining() ? config_.pretrain_for(stage.stage.model)
                                   : text_settings(config_, stage.stage.task, train_settings())),
        folder_(stage.inputs.back().folder / "model"),
        tokenizer_(load_tokenizer(folder_)) {
    load_rows();
    Checkpoint checkpoint(folder_);
    model_ = make_model(folder_, &checkpoint);
    constexpr bool has_graphs = false;
    task_ = std::make_unique<MaskedLanguageTask>(compute_, dtype_, *model_, corpus_, tokenizer_,
                                                 settings_, stage.stage.seed, has_graphs);
  }

  ParameterList moved() const {
    ParameterList all;
    for (const auto& parameter : model_->parameters().all()) all.push_back(parameter.get());
    return all;
  }
  ParameterList matrices() { return encoder_weights(model_->bert().encoder().layers); }
  double chance() { return task_->held_out_score().unigram_accuracy; }
  double score() { return task_->held_out_score().accuracy; }

  Direction loss_gradient() {
    const MaskedBatch batch = task_->training_batch(config_.landscape.worst_rows);
    return gradients_of(compute_, dtype_, moved(),
                        [&](Context& context) { return task_->mean_loss(context, batch); });
  }

  /// What the seed drew or the fine-tuning read, the head with it.
  std::vector<Tensor> start() const {
    std::unique_ptr<MaskedLanguageModel> start;
    if (is_pretraining()) {
      start = make_model(folder_, nullptr);
      start_positions(compute_, start->bert(), settings_);
    } else {
      const std::filesystem::path before = start_model_folder(stage_);
      const bool is_random = config_.method.at(stage_.stage.method).start == "random";
      Checkpoint checkpoint(before);
      start = make_model(before, is_random ? nullptr : &checkpoint);
    }
    std::vector<Tensor> values;
    for (const Parameter* parameter : moved()) {
      values.push_back(start->parameters().at(parameter->name()).value());
    }
    return values;
  }

 private:
  bool is_pretraining() const { return stage_.stage.task.empty(); }
  TrainSettings train_settings() const {
    return config_.train_for(stage_.stage.task, stage_.stage.method);
  }

  /// `checkpoint` null: as training begins without one.
  std::unique_ptr<MaskedLanguageModel> make_model(const std::filesystem::path& folder,
                                                  Checkpoint* checkpoint) const {
    const auto seed = static_cast<std::uint64_t>(stage_.stage.seed);
    return std::make_unique<MaskedLanguageModel>(compute_.backend(), compute_.memory(),
                                                 BertConfig::read(folder), checkpoint,
                                                 ModelOptions{seed, dtype_.master()});
  }

  void load_rows() {
    const auto check_stop = [this] {
      if (stage_.should_stop()) throw Cancelled("stopped while the corpus was read");
    };
    const std::int64_t language_seed = config_.data.language_seed;
    corpus_ = is_pretraining() ? read_pretrain_corpus(settings_, stage_.stage.seed, language_seed,
                                                      tokenizer_, *stage_.data, check_stop)
                               : load_text(settings_, language_seed, train_settings().train_rows,
                                           tokenizer_, *stage_.data, stage_.cache, check_stop);
    const std::int64_t most = config_.landscape.dev_rows;
    if (most > 0) corpus_.held_out = first_rows(corpus_.held_out, most);
  }

  const Config& config_;
  const StageContext& stage_;
  Compute& compute_;
  const ComputeDType& dtype_;
  const PretrainSettings settings_;
  const std::filesystem::path folder_;
  const WordPieceTokenizer tokenizer_;
  PretrainCorpus corpus_;
  std::unique_ptr<MaskedLanguageModel> model_;
  std::unique_ptr<MaskedLanguageTask> task_;
};

}  // namespace

LandscapeSubject language_model_subject(StageContext& stage, Compute& compute,
                                        const ComputeDType& dtype) {
  const auto text = std::make_shared<LanguageModelOnText>(stage, compute, dtype);
  return {text->moved(),
          text->matrices(),
          text->chance(),
          [text] { return text->score(); },
          [text] { return text->loss_gradient(); },
          [text] { return text->start(); }};
}

}  // namespace basis
