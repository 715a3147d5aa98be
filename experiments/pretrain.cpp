#include "experiments/pretrain.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "autograd/losses.h"
#include "data/corpus_packing.h"
#include "data/epochs.h"
#include "data/masking.h"
#include "data/synthetic.h"
#include "data/wordpiece.h"
#include "experiments/compute.h"
#include "experiments/data_root.h"
#include "experiments/stage_training.h"
#include "experiments/task_scores.h"
#include "experiments/training_settings.h"
#include "nn/masked_language_model.h"
#include "tensor/file.h"

namespace basis {

namespace {

constexpr std::uint32_t held_out_draw = 0xffffffffu;  // its masks are never those of a step

SpecialIds special_ids(const WordPieceTokenizer& tokenizer) {
  return {tokenizer.pad_id(), tokenizer.unknown_id(), tokenizer.cls_id(),
          tokenizer.sep_id(), tokenizer.mask_id(),    tokenizer.vocabulary_size()};
}

/// The documents [begin, end) of the synthetic language, paragraph by paragraph.
ParagraphSource synthetic_paragraphs(const SyntheticLanguage& language, std::int64_t begin,
                                     std::int64_t end) {
  struct State {
    std::int64_t document;
    std::string text;
    std::size_t place = 0;
    std::int64_t line = 0;
  };
  auto state = std::make_shared<State>(State{begin, {}, 0, 0});
  return [&language, end, state]() -> std::optional<Paragraph> {
    const bool begins = state->place >= state->text.size();
    if (begins) {
      if (state->document == end) return std::nullopt;
      state->text = language.document(static_cast<std::uint64_t>(state->document++));
      state->place = 0;
    }
    const std::size_t stop = std::min(state->text.find('\n', state->place), state->text.size());
    Paragraph paragraph{state->text.substr(state->place, stop - state->place), ++state->line,
                        begins};
    state->place = stop + 1;
    return paragraph;
  };
}

struct Corpus {
  EncodedDataset train, held_out;
};

/// One pretraining from its settings to its result.
class Pretrain {
 public:
  explicit Pretrain(StageContext& stage)
      : stage_(stage),
        settings_(stage.plan.config.pretrain),
        compute_(stage.plan.config.device, stage.plan.config.threads, stage.plan.config.tf32),
        dtype_(compute_dtype(compute_.backend(), stage.plan.config.dtype)),
        fixed_(compute_.backend(), compute_.memory(), dtype_.activations) {
    stage_.remark(dtype_.remark);
    make_corpus();
    unigram_ = std::make_unique<UnigramModel>(corpus_.train, special_);
    const BatchOptions cut{settings_.batch_size, 0, settings_.micro_batch, true, false};
    epochs_ =
        std::make_unique<Epochs>(corpus_.train, cut, static_cast<std::uint64_t>(settings_.seed));
    make_model();
  }

  StageResult run() {
    StageTraining training;
    training.task = training_task();
    training.parameters = model_->parameters().trainable();
    training.group_of = [](const Parameter&) { return 0; };
    training.optimizer = optimizer_options();
    training.trainer = trainer_options();
    training.evaluate_every = settings_.evaluate_every;
    training.evaluate = [this](MetricsLog& log, std::int64_t step) { score_held_out(log, step); };
    const double tokens_per_s = train_in_stage(stage_, compute_, training);
    StageResult result;
    result.metrics = scores_;
    result.tokens_per_s = tokens_per_s;
    result.peak_mib = compute_.peak_memory_mib();
    for (const Parameter* parameter : model_->parameters().trainable()) {
      result.trainable += parameter->count();
    }
    const std::filesystem::path folder = stage_.folder / "model";
    make_folder(folder);
    save_model(folder, *model_);
    tokenizer_->save(folder);
    return result;
  }

 private:
  void make_corpus() {
    const Config& config = stage_.plan.config;
    if (settings_.corpus != "synthetic") {
      make_file_corpus();
      return;
    }
    const SyntheticLanguage language(static_cast<std::uint64_t>(config.data.language_seed));
    tokenizer_ = std::make_unique<WordPieceTokenizer>(language.vocabulary(), WordPieceOptions{},
                                                      "synthetic vocabulary");
    special_ = special_ids(*tokenizer_);
    // Held-out documents come first, so that they stay the same when the corpus grows.
    const std::int64_t held_out = settings_.held_out_documents;
    PackingOptions options = packing_options();
    corpus_.held_out = pack(synthetic_paragraphs(language, 0, held_out), options).train;
    corpus_.train =
        pack(synthetic_paragraphs(language, held_out, held_out + settings_.documents), options)
            .train;
  }

  void make_file_corpus() {
    const DataRoot& data = *stage_.data;
    const std::filesystem::path vocabulary = data.require_file(settings_.vocabulary);
    std::vector<std::string> tokens;
    std::string text = read_file(vocabulary);
    for (std::size_t place = 0; place < text.size();) {
      const std::size_t stop = std::min(text.find('\n', place), text.size());
      tokens.push_back(text.substr(place, stop - place));
      place = stop + 1;
    }
    tokenizer_ = std::make_unique<WordPieceTokenizer>(std::move(tokens), WordPieceOptions{},
                                                      vocabulary.string());
    special_ = special_ids(*tokenizer_);
    CorpusReader reader(data.require_file(settings_.corpus));
    PackingOptions options = packing_options();
    constexpr double held_out_share = 0.01;
    options.held_out_share = held_out_share;
    PackedCorpus packed = pack([&] { return reader.next(); }, options);
    if (packed.held_out.size() == 0) {
      throw Error(
          fmt::format("{}: {} documents are too few to hold {:.0f} % of them out for "
                      "scoring; an empty line begins a document",
                      settings_.corpus, packed.documents, 100 * held_out_share));
    }
    corpus_ = {std::move(packed.train), std::move(packed.held_out)};
  }

  PackingOptions packing_options() const {
    PackingOptions options;
    options.length = settings_.max_length;
    options.seed = static_cast<std::uint64_t>(settings_.seed);
    return options;
  }

  PackedCorpus pack(const ParagraphSource& source, const PackingOptions& options) const {
    const auto tokenize = [this](std::string_view text) {
      std::vector<std::int32_t> ids;
      tokenizer_->tokenize(text, ids);
      return ids;
    };
    return pack_corpus(source, tokenize, special_, options);
  }

  void make_model() {
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
    if (compute_.backend().device() == DeviceKind::Cpu) {
      expect_memory_to_train(config.parameter_count(), dtype_.master(), "[pretrain]");
    }
    model_ = std::make_unique<MaskedLanguageModel>(
        compute_.backend(), compute_.memory(), config, nullptr,
        ModelOptions{static_cast<std::uint64_t>(settings_.seed), dtype_.master()});
    for (const auto& parameter : model_->parameters().all()) parameter->set_trainable(true);
  }

  static Activation activation_named(const std::string& name) {
    for (const Activation kind : {Activation::GeluErf, Activation::GeluTanh, Activation::Relu}) {
      if (name == name_of(kind)) return kind;
    }
    throw InternalError("the config let hidden_act \"" + name + "\" through");
  }

  TrainingTask training_task() {
    TrainingTask task;
    task.steps = settings_.steps;
    task.begin_step = [this](std::int64_t step) { return begin_step(step); };
    task.name_of_pass = [this] { return name_of_pass_; };
    task.loss = [this](Context& context, std::int64_t i, double scale) {
      const MaskedBatch& masked = batches_[static_cast<std::size_t>(i)];
      return cross_entropy(context, logits(context, masked), masked.labels, scale);
    };
    return task;
  }

  TrainingTask::Step begin_step(std::int64_t step) {
    batches_.clear();
    name_of_pass_.clear();
    std::vector<HostMaskedBatch> hosts;
    for (const MicroBatch& micro : epochs_->micro_batches(step)) {
      hosts.push_back(mask(corpus_.train, micro.examples, micro.first_example,
                           static_cast<std::uint32_t>(step)));
    }
    if (uses_graphs() && hosts.size() == 1) place_fixed(hosts.front());
    if (name_of_pass_.empty()) {
      for (const HostMaskedBatch& host : hosts) batches_.push_back(copied(host));
    }
    TrainingTask::Step result;
    for (const MaskedBatch& masked : batches_) {
      result.loss_count += masked.labels.element_count();
      result.tokens += masked.batch.layout.tokens();
    }
    result.micro_batches = std::ssize(batches_);
    return result;
  }

  bool uses_graphs() { return stage_.plan.config.cuda_graphs && compute_.backend().can_record(); }

  /// A batch where a recorded pass finds it. How many positions are drawn is a number of the pass;
  /// over full sequences it takes a few values.
  void place_fixed(const HostMaskedBatch& host) {
    std::optional<MaskedBatch> masked = fixed_.place(host);
    if (!masked) return;
    name_of_pass_ =
        name_of_pass(shape_of(compute_.backend(), host.batch), masked->batch.loss_count);
    batches_.push_back(std::move(*masked));
  }

  HostMaskedBatch mask(const EncodedDataset& set, std::span<const std::int32_t> examples,
                       std::int64_t first_example, std::uint32_t draw) {
    MaskingOptions options;
    options.share = settings_.mask_share;
    return mask_batch(gather_batch(set, examples, first_example), special_, options,
                      static_cast<std::uint64_t>(settings_.seed), draw);
  }
  MaskedBatch copied(const HostMaskedBatch& host) {
    return to_device(compute_.backend(), compute_.memory(), host, dtype_.activations);
  }

  Variable logits(Context& context, const MaskedBatch& masked) {
    return model_->logits(context, inputs_of(masked.batch), masked.masked_rows);
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
    options.seed = static_cast<std::uint64_t>(settings_.seed);
    options.dtype = dtype_.activations;
    options.recomputes_layers = stage_.plan.config.recompute;
    options.schedule = schedule_of(settings_.schedule, settings_.warmup_share, settings_.steps);
    options.learning_rates = {settings_.learning_rate};
    options.checkpoint_every = settings_.checkpoint_every;
    options.has_graphs = stage_.plan.config.cuda_graphs;
    return options;
  }

  /// Loss and top-1 accuracy on the held-out text, beside what token frequencies alone reach there.
  void score_held_out(MetricsLog& log, std::int64_t step) {
    const BatchPlan plan(corpus_.held_out, BatchOptions{settings_.batch_size, 0, 0, false, false},
                         0, 0);
    double loss = 0, correct = 0;
    std::vector<std::int32_t> labels;
    for (std::int64_t i = 0; i < plan.size(); ++i) {
      const MaskedBatch masked = copied(mask(corpus_.held_out, plan.examples(i), 0, held_out_draw));
      Context context{compute_.backend(), compute_.arena(), nullptr, false, nullptr,
                      dtype_.activations};
      const Variable scores = logits(context, masked);
      const Variable sum = cross_entropy(context, scores, masked.labels, 1);
      loss += to_host<double>(compute_.backend(), sum.value).front();
      const auto wanted = to_host<std::int32_t>(compute_.backend(), masked.labels);
      correct += count_correct(host_floats(compute_.backend(), scores.value), wanted);
      labels.insert(labels.end(), wanted.begin(), wanted.end());
    }
    const auto count = static_cast<double>(labels.size());
    scores_ = {{"held_out_loss", loss / count},
               {"held_out_accuracy", correct / count},
               {"unigram_loss", unigram_->loss(labels)}};
    if (!std::isfinite(loss)) {
      throw Error(
          fmt::format("step {}: the held-out loss is not finite; stopped. A smaller "
                      "learning rate usually helps.",
                      step));
    }
    log.write(step, {scores_.begin(), scores_.end()});
  }

  static double count_correct(const std::vector<float>& logits,
                              const std::vector<std::int32_t>& labels) {
    const std::ptrdiff_t width =
        std::ssize(logits) / std::max<std::ptrdiff_t>(1, std::ssize(labels));
    double correct = 0;
    auto row = logits.begin();
    for (const std::int32_t label : labels) {
      correct += std::max_element(row, row + width) - row == label ? 1 : 0;
      row += width;
    }
    return correct;
  }

  StageContext& stage_;
  const PretrainSettings& settings_;
  Compute compute_;
  ComputeDType dtype_;
  FixedMaskedBatches fixed_;
  std::unique_ptr<WordPieceTokenizer> tokenizer_;
  SpecialIds special_;
  Corpus corpus_;
  std::unique_ptr<UnigramModel> unigram_;
  std::unique_ptr<MaskedLanguageModel> model_;
  std::unique_ptr<Epochs> epochs_;
  std::vector<MaskedBatch> batches_;  // of the current step
  std::string name_of_pass_;          // of the current step, where it may be recorded
  std::vector<std::pair<std::string, double>> scores_;
};

}  // namespace

StageResult run_pretrain(StageContext& stage) {
  reset_peak_memory();
  return Pretrain(stage).run();
}

}  // namespace basis
