#include "experiments/work.h"

#include <algorithm>

#include "data/glue.h"
#include "data/synthetic.h"
#include "experiments/pretrain_model.h"
#include "experiments/start_weights.h"
#include "nn/bert_config.h"
#include "tensor/file.h"

namespace basis {
namespace {

/// Training rows of a task and their mean length in tokens.
struct Rows {
  double count = 0;
  double tokens = 0;
};

Rows rows_of(const std::string& task, const Config& config, const DataRoot& data) {
  constexpr double synthetic_tokens = 20;  // about, of a row with its special ones
  constexpr double bytes_a_token = 4.5;    // English text in WordPiece, about
  if (task.starts_with("synthetic-")) {
    return {static_cast<double>(config.data.synthetic_train_rows), synthetic_tokens};
  }
  const TaskSettings& settings = config.task.at(task);
  if (settings.is_text()) {
    constexpr double compression = 3;  // of text by zstd, about
    const auto length = static_cast<double>(config.train.max_length);
    const double tokens = settings.corpus == "synthetic"
                              ? static_cast<double>(config.pretrain.documents) * synthetic_tokens
                              : compression / bytes_a_token *
                                    static_cast<double>(std::filesystem::file_size(
                                        data.require_file(settings.corpus)));
    return {tokens / length, length};
  }
  const std::filesystem::path path = settings.is_own()
                                         ? data.require_file(settings.train)
                                         : glue_source(task, data.folder()).train.path;
  const std::string content = read_file(path);
  const auto lines = static_cast<double>(std::count(content.begin(), content.end(), '\n'));
  const double count = std::max(1.0, lines);
  return {count, static_cast<double>(content.size()) / count / bytes_a_token};
}

/// Of a step on one image, forward and backward.
double perceptron_flop(const BertConfig& config) {
  return 6 * static_cast<double>(config.parameter_count());
}

/// Of a training step against its forward pass: full 3; 2 where weights have no gradient of their
/// own; 1 where nothing below the head has any.
double passes_of(const std::string& kind) {
  if (kind == "full") return 3;
  return kind == "head" ? 1 : 2;
}

}  // namespace

BertConfig WorkEstimate::read_size(const std::string& model) const {
  const Config& config = plan_.config;
  const ModelSettings& settings = config.model_named(model);
  const bool is_pretrained = settings.is_pretrained_here() || config.tasks.empty();
  if (!is_pretrained) return BertConfig::read(data_.require_folder(settings.path));
  const PretrainSettings pretrain = config.pretrain_for(model);
  BertConfig bert = pretrained_config(pretrain);
  if (pretrain.is_images()) {
    set_patches(bert, config.task.at(pretrain.task).patch, images_.at(pretrain.task).patches);
  } else if (!pretrain.vocabulary.empty()) {
    const std::string text = read_file(data_.require_file(pretrain.vocabulary));
    bert.vocab_size = std::count(text.begin(), text.end(), '\n');
  } else if (pretrain.learns_vocabulary()) {
    bert.vocab_size = pretrain.vocabulary_size;
  } else {
    const SyntheticLanguage language(static_cast<std::uint64_t>(config.data.language_seed));
    bert.vocab_size = static_cast<std::int64_t>(language.vocabulary().size());
  }
  return bert;
}

/// Those of the config's tasks, and of what models are pretrained on.
void WorkEstimate::count_all_images() {
  const Config& config = plan_.config;
  std::vector<std::string> tasks = config.tasks;
  for (const std::string& model : config.model_names()) {
    const PretrainSettings pretrain = config.pretrain_for(model);
    if (config.has_pretrain && pretrain.is_images()) tasks.push_back(pretrain.task);
  }
  for (const std::string& task : tasks) {
    const TaskSettings& settings = config.task.at(task);
    if (!settings.is_images() || images_.contains(task)) continue;
    images_[task] = count_images(config, settings, data_);
  }
}

WorkEstimate::WorkEstimate(const Plan& plan, const DataRoot& data) : plan_(plan), data_(data) {
  count_all_images();
  for (const std::string& model : plan.config.model_names()) sizes_[model] = read_size(model);
}

std::int64_t WorkEstimate::parameters(const std::string& model) const {
  return sizes_.at(model).parameter_count();
}

double WorkEstimate::flop(const Stage& stage) const {
  if (stage.kind == StageKind::Finetune || stage.kind == StageKind::Grid) {
    return finetune_flop(stage);
  }
  return stage.kind == StageKind::Pretrain ? pretrain_flop(stage) : 0;
}

double WorkEstimate::pretrain_flop(const Stage& stage) const {
  const PretrainSettings pretrain = plan_.config.pretrain_for(stage.model);
  const BertConfig& bert = sizes_.at(stage.model);
  const auto h = static_cast<double>(bert.hidden_size),
             f = static_cast<double>(bert.intermediate_size);
  if (bert.is_perceptron) {
    return perceptron_flop(bert) * static_cast<double>(pretrain.steps * pretrain.batch_size);
  }
  const bool is_images = pretrain.is_images();
  const auto length =
      static_cast<double>(is_images ? images_.at(pretrain.task).patches : pretrain.max_length);
  const double tokens = static_cast<double>(pretrain.steps * pretrain.batch_size) * length;
  const double encoder =
      static_cast<double>(bert.num_hidden_layers) * (24 * h * h + 12 * h * f + 12 * length * h);
  const double head = 6 * pretrain.mask_share * (h * h + static_cast<double>(bert.vocab_size) * h);
  return tokens * (is_images ? encoder : encoder + head);
}

double WorkEstimate::finetune_flop(const Stage& stage) const {
  const TrainSettings train = plan_.config.train_for(stage.task, stage.method);
  const auto images = images_.find(stage.task);
  Rows rows;
  if (images != images_.end()) {
    rows = {static_cast<double>(images->second.images),
            static_cast<double>(images->second.patches)};
  } else {
    rows = rows_of(stage.task, plan_.config, data_);
    rows.tokens = std::min(rows.tokens, static_cast<double>(train.max_length));
  }
  if (train.train_rows > 0)
    rows.count = std::min(rows.count, static_cast<double>(train.train_rows));
  const double examples = train.steps > 0 ? static_cast<double>(train.steps * train.batch_size)
                                          : static_cast<double>(train.epochs) * rows.count;
  const MethodSettings& method = plan_.config.method.at(stage.method);
  const BertConfig bert = start_config(sizes_.at(stage.model), method);
  if (bert.is_perceptron) return perceptron_flop(bert) * examples;
  const auto h = static_cast<double>(bert.hidden_size),
             f = static_cast<double>(bert.intermediate_size);
  const double forward =
      static_cast<double>(bert.num_hidden_layers) * (8 * h * h + 4 * h * f + 4 * rows.tokens * h);
  return examples * rows.tokens * forward * passes_of(method.kind);
}

}  // namespace basis
