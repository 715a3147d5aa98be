#include <algorithm>
#include <cstdio>
#include <iostream>
#include <optional>

#include <fmt/format.h>

#include "autograd/rows.h"
#include "data/batch.h"
#include "data/batch_plan.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/input_lines.h"
#include "experiments/model_folder.h"
#include "experiments/task_scores.h"
#include "spectral/adapter_file.h"
#include "spectral/adapter_set.h"
#include "tensor/json.h"

namespace basis {
namespace {

/// Lines go through the model so many tokens at a time.
constexpr std::int64_t tokens_per_batch = 2048;

std::int64_t length_for(const BertConfig& config, std::int64_t asked) {
  if (asked == 0) return config.max_position_embeddings;
  if (asked <= config.max_position_embeddings) return asked;
  throw Error(fmt::format("--max-length {}: the model takes at most {} tokens", asked,
                          config.max_position_embeddings));
}

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Error("standard output: cannot be written");
  }
}

/// Reads lines, tokenizes, packs and hands each packed batch to `model`, which gives one or several
/// (B, n); a row of each is then written by `write`, in the order of the lines.
template <class Model, class Write>
void run_lines(Compute& compute, const WordPieceTokenizer& tokenizer, bool is_pairs,
               std::int64_t max_length, const Model& model, const Write& write) {
  InputLines input(std::cin, is_pairs);
  while (input.read_batch()) {
    EncodedDataset set;
    const EncodedTexts first = input.encode(tokenizer, input.first());
    const EncodedTexts second = is_pairs ? input.encode(tokenizer, input.second()) : EncodedTexts{};
    for (std::size_t i = 0; i < input.first().size(); ++i) {
      set.append(is_pairs ? tokenizer.assemble_pair(first.of(i), second.of(i), max_length)
                          : tokenizer.assemble(first.of(i), max_length),
                 -1);
    }
    const BatchPlan plan(set, BatchOptions{0, tokens_per_batch, 0, false, false}, 0, 0);
    std::string out;
    for (std::int64_t i = 0; i < plan.size(); ++i) {
      const Batch batch = make_batch(compute.backend(), compute.memory(), set, plan.examples(i), 0);
      Context context{compute.backend(), compute.arena()};
      std::vector<std::vector<float>> results;
      for (const Variable& rows : model(context, batch)) {
        results.push_back(host_floats(compute.backend(), rows.value));
      }
      const std::size_t lines = plan.examples(i).size();
      for (std::size_t line = 0; line < lines; ++line) {
        std::vector<std::span<const float>> rows;
        for (const std::vector<float>& values : results) {
          const std::size_t width = values.size() / lines;
          rows.push_back(std::span(values).subspan(line * width, width));
        }
        write(out, rows);
      }
    }
    print(out);
  }
}

/// 9 significant digits: an f32 reads back the same.
void write_numbers(std::string& out, std::span<const float> numbers) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    fmt::format_to(std::back_inserter(out), "{}{:.9g}", i == 0 ? "" : ", ", numbers[i]);
  }
}

}  // namespace

namespace {

/// A classifier with at most one adapter, or the same encoder under several.
class Predictor {
 public:
  Predictor(Compute& compute, const PredictOptions& options) {
    if (options.adapters.size() < 2) {
      const auto adapter =
          options.adapters.empty() ? std::nullopt : std::optional(options.adapters.front());
      model_ = load_classifier(compute, options.model, adapter);
      labels_ = {model_->config().labels};
      return;
    }
    model_ = load_bare_classifier(compute, options.model, options.adapters.front());
    adapters_.emplace(*model_);
    for (const std::filesystem::path& adapter : options.adapters) {
      load_adapter(compute.backend(), compute.memory(), adapter, *model_);
      adapters_->keep(adapter.string());
      names_.push_back(adapter.string());
      labels_.push_back(read_adapter_info(adapter).labels);
    }
  }

  const BertConfig& config() const { return model_->config(); }

  std::vector<Variable> logits(Context& context, const Batch& batch) {
    if (!adapters_) return {model_->logits(context, inputs_of(batch))};
    std::vector<Variable> logits;
    for (const std::string& name : names_) {
      adapters_->use(name);
      logits.push_back(model_->logits(context, inputs_of(batch)));
    }
    return logits;
  }

  void write(std::string& out, std::span<const std::span<const float>> logits) const {
    if (!adapters_) {
      write_one(out, logits.front(), labels_.front());
    } else {
      for (std::size_t i = 0; i < names_.size(); ++i) {
        out += (i == 0 ? "{" : ", ") + Json(names_[i]).dump() + ": ";
        write_one(out, logits[i], labels_[i]);
      }
      out += "}";
    }
    out += "\n";
  }

 private:
  static void write_one(std::string& out, std::span<const float> logits,
                        const std::vector<std::string>& labels) {
    out += "{\"logits\": [";
    write_numbers(out, logits);
    out += "]";
    if (logits.size() > 1 && labels.size() == logits.size()) {
      const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
      out += ", \"label\": " + Json(labels[static_cast<std::size_t>(best)]).dump();
    }
    out += "}";
  }

  std::unique_ptr<SequenceClassifier> model_;
  std::optional<AdapterSet> adapters_;
  std::vector<std::string> names_;                // of the adapters
  std::vector<std::vector<std::string>> labels_;  // of each, or of the one classifier
};

}  // namespace

int predict_command(const PredictOptions& options) {
  const WordPieceTokenizer tokenizer = load_tokenizer(options.model);
  Compute compute;
  Predictor predictor(compute, options);
  run_lines(
      compute, tokenizer, options.is_pairs, length_for(predictor.config(), options.max_length),
      [&](Context& context, const Batch& batch) { return predictor.logits(context, batch); },
      [&](std::string& out, std::span<const std::span<const float>> logits) {
        predictor.write(out, logits);
      });
  return 0;
}

int encode_command(const EncodeOptions& options) {
  const WordPieceTokenizer tokenizer = load_tokenizer(options.model);
  Compute compute;
  const auto model = load_classifier(compute, options.model, std::nullopt, 1);
  const Bert& bert = model->bert();
  if (options.pool == "pooler" && !bert.has_pooler()) {
    throw Error(options.model.string() + ": the model has no pooler; choose --pool cls or mean");
  }
  run_lines(
      compute, tokenizer, false, length_for(model->config(), options.max_length),
      [&](Context& context, const Batch& batch) -> std::vector<Variable> {
        if (options.pool == "pooler") return {bert.pooled(context, inputs_of(batch))};
        if (options.pool == "cls") return {bert.first_hidden(context, inputs_of(batch))};
        return {mean_pool(context, bert.hidden(context, inputs_of(batch)), batch.layout.view())};
      },
      [](std::string& out, std::span<const std::span<const float>> numbers) {
        out += "{\"embedding\": [";
        write_numbers(out, numbers.front());
        out += "]}\n";
      });
  return 0;
}

}  // namespace basis
