#include "experiments/masked_language_task.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "autograd/losses.h"
#include "experiments/task_scores.h"

namespace basis {
namespace {

// Masks that are the same for every seed, and never those of a step.
constexpr std::int64_t seed_for_all = 0;
constexpr std::uint32_t held_out_draw = 0xffffffffu;

double count_correct(const std::vector<float>& logits, const std::vector<std::int32_t>& labels) {
  const std::ptrdiff_t width = std::ssize(logits) / std::max<std::ptrdiff_t>(1, std::ssize(labels));
  double correct = 0;
  auto row = logits.begin();
  for (const std::int32_t label : labels) {
    correct += std::max_element(row, row + width) - row == label ? 1 : 0;
    row += width;
  }
  return correct;
}

}  // namespace

MaskedLanguageTask::MaskedLanguageTask(Compute& compute, const ComputeDType& dtype,
                                       MaskedLanguageModel& model, const PretrainCorpus& corpus,
                                       const WordPieceTokenizer& tokenizer,
                                       const PretrainSettings& settings, std::int64_t seed,
                                       bool has_graphs)
    : compute_(compute),
      dtype_(dtype),
      model_(model),
      corpus_(corpus),
      settings_(settings),
      seed_(seed),
      has_graphs_(has_graphs && compute.backend().can_record()),
      special_(special_ids(tokenizer)),
      continues_word_(word_continuations(tokenizer.vocabulary())),
      unigram_(corpus.train, special_),
      epochs_(corpus.train, BatchOptions{settings.batch_size, 0, settings.micro_batch, true, false},
              static_cast<std::uint64_t>(seed)),
      fixed_(compute.backend(), compute.memory(), dtype.activations) {}

TrainingTask MaskedLanguageTask::training_task(std::int64_t steps) {
  TrainingTask task;
  task.steps = steps;
  task.begin_step = [this](std::int64_t step) { return begin_step(step); };
  task.name_of_pass = [this] { return name_of_pass_; };
  task.loss = [this](Context& context, std::int64_t i, double scale) {
    const MaskedBatch& masked = batches_[static_cast<std::size_t>(i)];
    return cross_entropy(context, logits(context, masked), masked.labels, scale);
  };
  return task;
}

TrainingTask::Step MaskedLanguageTask::begin_step(std::int64_t step) {
  batches_.clear();
  name_of_pass_.clear();
  std::vector<HostMaskedBatch> hosts;
  for (const MicroBatch& micro : epochs_.micro_batches(step)) {
    hosts.push_back(mask(corpus_.train, micro.examples, micro.first_example, seed_,
                         static_cast<std::uint32_t>(step)));
  }
  if (has_graphs_ && hosts.size() == 1) place_fixed(hosts.front());
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

/// A batch where a recorded pass finds it. How many positions are drawn is a number of the pass;
/// over full sequences it takes a few values.
void MaskedLanguageTask::place_fixed(const HostMaskedBatch& host) {
  std::optional<MaskedBatch> masked = fixed_.place(host);
  if (!masked) return;
  name_of_pass_ = name_of_pass(shape_of(compute_.backend(), host.batch), masked->batch.loss_count);
  batches_.push_back(std::move(*masked));
}

HostMaskedBatch MaskedLanguageTask::mask(const EncodedDataset& set,
                                         std::span<const std::int32_t> examples,
                                         std::int64_t first_example, std::int64_t seed,
                                         std::uint32_t draw) const {
  MaskingOptions options;
  options.share = settings_.mask_share;
  if (settings_.whole_words) options.continues_word = &continues_word_;
  return mask_batch(gather_batch(set, examples, first_example), special_, options,
                    static_cast<std::uint64_t>(seed), draw);
}

MaskedBatch MaskedLanguageTask::copied(const HostMaskedBatch& host) {
  return to_device(compute_.backend(), compute_.memory(), host, dtype_.activations);
}

Variable MaskedLanguageTask::logits(Context& context, const MaskedBatch& masked) const {
  return model_.logits(context, inputs_of(masked.batch), masked.masked_rows);
}

MaskedLanguageTask::HeldOutScore MaskedLanguageTask::held_out_score() {
  constexpr std::int64_t sequences = 32;  // at once, whatever the training has
  const BatchPlan plan(corpus_.held_out, BatchOptions{sequences, 0, 0, false, false}, 0, 0);
  double loss = 0, correct = 0;
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < plan.size(); ++i) {
    const MaskedBatch masked =
        copied(mask(corpus_.held_out, plan.examples(i), 0, seed_for_all, held_out_draw));
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
  return {loss / count, correct / count, unigram_.loss(labels), unigram_.accuracy(labels)};
}

MaskedBatch MaskedLanguageTask::training_batch(std::int64_t sequences) {
  std::vector<std::int32_t> first(
      static_cast<std::size_t>(std::min(sequences, corpus_.train.size())));
  std::iota(first.begin(), first.end(), 0);
  return copied(mask(corpus_.train, first, 0, seed_for_all, held_out_draw));
}

Variable MaskedLanguageTask::mean_loss(Context& context, const MaskedBatch& masked) const {
  return cross_entropy(context, logits(context, masked), masked.labels,
                       1 / static_cast<double>(masked.labels.element_count()));
}

std::vector<std::pair<std::string, double>> MaskedLanguageTask::score_held_out(std::int64_t step) {
  const HeldOutScore score = held_out_score();
  if (!std::isfinite(score.loss)) {
    throw Error(
        fmt::format("step {}: the held-out loss is not finite; stopped. A smaller learning rate "
                    "usually helps.",
                    step));
  }
  return {{"held_out_loss", score.loss},
          {"held_out_accuracy", score.accuracy},
          {"unigram_loss", score.unigram_loss}};
}

}  // namespace basis
