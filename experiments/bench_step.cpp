#include "experiments/bench_step.h"

#include <algorithm>
#include <chrono>

#include <sys/resource.h>

#include "autograd/losses.h"
#include "experiments/compute.h"
#include "experiments/task_scores.h"
#include "experiments/trainer.h"
#include "experiments/training_settings.h"

namespace basis {

namespace {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Usage {
  double system_s = 0;
  double minflt = 0;
};

Usage usage_now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double microseconds = 1e-6 * static_cast<double>(usage.ru_stime.tv_usec);
  return {static_cast<double>(usage.ru_stime.tv_sec) + microseconds,
          static_cast<double>(usage.ru_minflt)};
}

class StepBench {
 public:
  explicit StepBench(const BenchStepOptions& options)
      : options_(options),
        compute_("cpu", options.threads),
        dtype_(compute_dtype(compute_.backend(), options.dtype)) {
    result_.dtype = name_of(dtype_.activations);
    BertConfig config = BertConfig::read(options.model);
    if (!options.head.empty()) config.head = options.head;
    if (!options.has_dropout) {
      config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0;
      config.classifier_dropout.reset();
    }
    Checkpoint checkpoint(options.model);
    const auto seed = static_cast<std::uint64_t>(options.seed);
    model_ = std::make_unique<SequenceClassifier>(compute_.backend(), compute_.memory(), config,
                                                  options.outputs, &checkpoint,
                                                  ModelOptions{seed, dtype_.master()});
    std::int64_t tokens = 0;
    for (const HostBatch& batch : options.batches) tokens += std::ssize(batch.ids);
    attach(compute_.backend(), compute_.memory(), *model_,
           adapter_method(options.method, options.seed, tokens / std::ssize(options.batches)));
  }

  BenchStepResult run(const std::vector<HostBatch>& dev) {
    if (options_.is_evaluation) {
      evaluate();
    } else {
      train();
    }
    for (const HostBatch& batch : dev) score(batch);
    result_.step_s = median(seconds_);
    result_.tokens_per_s = median(rates_);
    result_.peak_mib = peak_memory_mib();
    for (const auto& [name, value] : compute_.backend().description()) {
      if (name == "kernels") result_.isa = value;
    }
    return result_;
  }

 private:
  void count(std::int64_t step, double seconds, double tokens) {
    if (step < options_.warmup_steps) {
      start_ = usage_now();
      return;
    }
    seconds_.push_back(seconds);
    rates_.push_back(tokens / seconds);
    const Usage now = usage_now();
    result_.system_s = now.system_s - start_.system_s;
    result_.minflt_per_step = (now.minflt - start_.minflt) / static_cast<double>(seconds_.size());
  }

  Variable loss(Context& context, const Batch& batch, double scale) {
    const Variable logits = model_->logits(context, inputs_of(batch));
    return batch.targets.is_empty() ? cross_entropy(context, logits, batch.labels, scale)
                                    : squared_error(context, logits, batch.targets, scale);
  }

  void train() {
    Batch batch;
    TrainingTask task;
    task.steps = std::ssize(options_.batches);
    task.begin_step = [&](std::int64_t step) {
      batch = to_device(compute_.backend(), compute_.memory(),
                        options_.batches[static_cast<std::size_t>(step)], dtype_.activations);
      return TrainingTask::Step{1, batch.loss_count, batch.layout.tokens()};
    };
    task.loss = [&](Context& context, std::int64_t, double scale) {
      return loss(context, batch, scale);
    };
    Optimizer optimizer(compute_.backend(), compute_.memory(), model_->parameters().trainable(),
                        learning_rate_group, optimizer_options(options_.train));
    TrainerOptions trainer_options;
    trainer_options.seed = static_cast<std::uint64_t>(options_.seed);
    trainer_options.dtype = dtype_.activations;
    trainer_options.recomputes_layers = options_.recomputes_layers;
    trainer_options.schedule =
        schedule_of(options_.train.schedule, options_.train.warmup_share, task.steps);
    trainer_options.learning_rates = {options_.train.learning_rate, options_.train.learning_rate};
    Trainer trainer(compute_.backend(), compute_.arena(), optimizer, task, trainer_options);
    for (std::int64_t step = 0; step < task.steps; ++step) {
      const StepReport report = trainer.train_step(step);
      result_.losses.push_back(report.loss);
      count(step, report.seconds, static_cast<double>(report.tokens));
    }
  }

  void evaluate() {
    for (std::size_t step = 0; step < options_.batches.size(); ++step) {
      const auto start = std::chrono::steady_clock::now();
      const Batch batch = to_device(compute_.backend(), compute_.memory(), options_.batches[step],
                                    dtype_.activations);
      Context context{compute_.backend(), compute_.arena(), nullptr, false, nullptr,
                      dtype_.activations};
      model_->logits(context, inputs_of(batch));
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      count(static_cast<std::int64_t>(step), seconds.count(),
            static_cast<double>(batch.layout.tokens()));
    }
  }

  void score(const HostBatch& host) {
    const Batch batch = to_device(compute_.backend(), compute_.memory(), host, dtype_.activations);
    Context context{compute_.backend(), compute_.arena(), nullptr, false, nullptr,
                    dtype_.activations};
    const Variable logits = model_->logits(context, inputs_of(batch));
    const std::vector<float> rows = host_floats(compute_.backend(), logits.value);
    const auto width = static_cast<std::ptrdiff_t>(model_->outputs());
    for (auto row = rows.begin(); row != rows.end(); row += width) {
      result_.logits.emplace_back(row, row + width);
    }
  }

  const BenchStepOptions& options_;
  Compute compute_;
  ComputeDType dtype_;
  std::unique_ptr<SequenceClassifier> model_;
  BenchStepResult result_;
  std::vector<double> seconds_, rates_;
  Usage start_ = usage_now();
};

}  // namespace

BenchStepResult bench_step(const BenchStepOptions& options, const std::vector<HostBatch>& dev) {
  return StepBench(options).run(dev);
}

}  // namespace basis
