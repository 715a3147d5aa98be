#include <algorithm>
#include <cstdio>
#include <iostream>

#include <fmt/format.h>

#include "autograd/rows.h"
#include "data/batch.h"
#include "data/batch_plan.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/input_lines.h"
#include "experiments/model_folder.h"
#include "experiments/task_scores.h"
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

/// Reads lines, tokenizes, packs and hands each packed batch to `model`, whose (B, n) rows are then
/// written in order by `write`.
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
      const Variable rows = model(context, batch);
      const std::vector<float> values = host_floats(compute.backend(), rows.value);
      const auto width = static_cast<std::size_t>(rows.shape()[1]);
      for (std::size_t at = 0; at < values.size(); at += width) {
        write(out, std::span(values).subspan(at, width));
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

int predict_command(const PredictOptions& options) {
  const WordPieceTokenizer tokenizer = load_tokenizer(options.model);
  Compute compute;
  const auto model = load_classifier(compute, options.model, options.adapter);
  const std::vector<std::string>& labels = model->config().labels;
  const bool has_labels = model->outputs() > 1 && std::ssize(labels) == model->outputs();
  run_lines(
      compute, tokenizer, options.is_pairs, length_for(model->config(), options.max_length),
      [&](Context& context, const Batch& batch) {
        return model->logits(context, inputs_of(batch));
      },
      [&](std::string& out, std::span<const float> logits) {
        out += "{\"logits\": [";
        write_numbers(out, logits);
        out += "]";
        if (has_labels) {
          const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
          out += ", \"label\": " + Json(labels[static_cast<std::size_t>(best)]).dump();
        }
        out += "}\n";
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
      [&](Context& context, const Batch& batch) {
        if (options.pool == "pooler") return bert.pooled(context, inputs_of(batch));
        if (options.pool == "cls") return bert.first_hidden(context, inputs_of(batch));
        return mean_pool(context, bert.hidden(context, inputs_of(batch)), batch.layout.view());
      },
      [](std::string& out, std::span<const float> numbers) {
        out += "{\"embedding\": [";
        write_numbers(out, numbers);
        out += "]}\n";
      });
  return 0;
}

}  // namespace basis
