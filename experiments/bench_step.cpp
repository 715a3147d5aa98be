#include "experiments/bench_step.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include <sys/resource.h>

#include "autograd/losses.h"
#include "experiments/basis_cache.h"
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
  double user_s = 0;
  double minflt = 0;
};

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

Usage usage_now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {seconds_of(usage.ru_stime), seconds_of(usage.ru_utime),
          static_cast<double>(usage.ru_minflt)};
}

class StepBench {
 public:
  explicit StepBench(const BenchStepOptions& options)
      : options_(options),
        compute_(options.device, options.threads),
        backend_(compute_.backend()),
        dtype_(compute_dtype(backend_, options.dtype)) {
    describe();
    make_model();
  }

  BenchStepResult run(const std::vector<HostBatch>& dev) {
    if (options_.is_evaluation) {
      evaluate();
    } else {
      train();
    }
    for (const HostBatch& batch : dev) score(batch);
    result_.steps = std::ssize(steps_);
    result_.step_s = median_of([](const Step& step) { return step.seconds; });
    result_.tokens = median_of([](const Step& step) { return step.tokens; });
    result_.tokens_per_s = median_of([](const Step& step) { return step.tokens / step.seconds; });
    result_.window_tokens_per_s = window_tokens_per_s();
    result_.peak_mib = compute_.peak_memory_mib();
    constexpr double mib = 1 << 20;
    result_.arena_mib = static_cast<double>(compute_.arena().high_water()) / mib;
    count_work();
    if (options_.measures_floor) measure_floor();
    return result_;
  }

 private:
  struct Step {
    double seconds, tokens;
    WorkCount work;
  };

  double median_of(const std::function<double(const Step&)>& value) const {
    std::vector<double> values;
    for (const Step& step : steps_) values.push_back(value(step));
    return median(std::move(values));
  }

  double window_tokens_per_s() const {
    double tokens = 0, seconds = 0;
    for (const Step& step : steps_) {
      tokens += step.tokens;
      seconds += step.seconds;
    }
    return seconds > 0 ? tokens / seconds : 0;
  }

  void describe() {
    result_.dtype = name_of(dtype_.activations);
    for (const auto& [name, value] : backend_.description()) {
      if (name == "kernels") result_.isa = value;
      if (name == "processor") result_.processor = value;
      if (name == "threads") result_.threads = std::stoll(value);
    }
  }

  void make_model() {
    BertConfig config = options_.config ? *options_.config : BertConfig::read(options_.model);
    if (!options_.head.empty()) config.head = options_.head;
    if (!options_.has_dropout) {
      config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0;
      config.classifier_dropout.reset();
    }
    std::optional<Checkpoint> checkpoint;
    if (!options_.config) checkpoint.emplace(options_.model);
    const auto seed = static_cast<std::uint64_t>(options_.seed);
    model_ = std::make_unique<SequenceClassifier>(
        backend_, compute_.memory(), config, options_.outputs, checkpoint ? &*checkpoint : nullptr,
        ModelOptions{seed, dtype_.master()});
    std::int64_t tokens = 0;
    for (const HostBatch& batch : options_.batches) tokens += std::ssize(batch.ids);
    AdapterMethod method =
        adapter_method(options_.method, options_.seed, tokens / std::ssize(options_.batches));
    method.activations = dtype_.activations;
    const std::unique_ptr<Decompositions> device = backend_.make_decompositions();
    attach(backend_, compute_.memory(), *model_, method,
           cached_basis(options_.cache, device.get()));
    result_.head = config.head;
    for (const auto& parameter : model_->parameters().all()) {
      result_.parameters += parameter->count();
      if (parameter->is_trainable()) result_.trained += parameter->count();
    }
  }

  /// Counting costs a few additions a kernel call: every step is counted as it runs.
  void count(std::int64_t step, double seconds, double tokens) {
    if (step < options_.warmup_steps) {
      start_ = usage_now();
    } else {
      steps_.push_back({seconds, tokens, backend_.count()});
      const Usage now = usage_now();
      result_.system_s = now.system_s - start_.system_s;
      result_.user_s = now.user_s - start_.user_s;
      result_.minflt_per_step = (now.minflt - start_.minflt) / static_cast<double>(steps_.size());
    }
    backend_.reset();
  }

  void count_work() {
    WorkCount& work = result_.work;
    work.flops_f32 = median_of([](const Step& step) { return step.work.flops_f32; });
    work.flops_bf16 = median_of([](const Step& step) { return step.work.flops_bf16; });
    work.flops_f64 = median_of([](const Step& step) { return step.work.flops_f64; });
    work.bytes = median_of([](const Step& step) { return step.work.bytes; });
  }

  void measure_floor() {
    const WorkCount& work = result_.work;
    result_.roofs = measure_roofs(compute_.backend(), static_cast<int>(result_.threads), work);
    result_.floor_s =
        median_of([&](const Step& step) { return floor_seconds(step.work, result_.roofs); });
    result_.step_over_floor = median_of(
        [&](const Step& step) { return step.seconds / floor_seconds(step.work, result_.roofs); });
  }

  Variable loss(Context& context, const Batch& batch, double scale) {
    const Variable logits = model_->logits(context, inputs_of(batch));
    return batch.targets.is_empty() ? cross_entropy(context, logits, batch.labels, scale)
                                    : squared_error(context, logits, batch.targets, scale);
  }

  void train() {
    Batch batch;
    std::string pass_name;
    FixedBatches fixed(backend_, compute_.memory(), dtype_.activations);
    TrainingTask task;
    task.steps = std::ssize(options_.batches);
    task.begin_step = [&](std::int64_t step) {
      const HostBatch& host = options_.batches[static_cast<std::size_t>(step)];
      const bool may_record = options_.has_graphs && backend_.can_record();
      const Batch* placed = may_record ? fixed.place(host) : nullptr;
      pass_name.clear();
      if (placed != nullptr) {
        batch = *placed;
        pass_name = name_of_pass(shape_of(backend_, host), batch.loss_count);
      } else {
        batch = to_device(backend_, compute_.memory(), host, dtype_.activations);
      }
      return TrainingTask::Step{1, batch.loss_count, batch.layout.tokens()};
    };
    task.name_of_pass = [&] { return pass_name; };
    task.loss = [&](Context& context, std::int64_t, double scale) {
      return loss(context, batch, scale);
    };
    Optimizer optimizer(backend_, compute_.memory(), model_->parameters().trainable(),
                        learning_rate_group, optimizer_options(options_.train));
    TrainerOptions trainer_options;
    trainer_options.seed = static_cast<std::uint64_t>(options_.seed);
    trainer_options.dtype = dtype_.activations;
    trainer_options.recomputes_layers = options_.recomputes_layers;
    trainer_options.schedule =
        schedule_of(options_.train.schedule, options_.train.warmup_share, task.steps);
    trainer_options.learning_rates = {options_.train.learning_rate, options_.train.learning_rate};
    trainer_options.has_graphs = options_.has_graphs;
    Trainer trainer(backend_, compute_.arena(), optimizer, task, trainer_options);
    backend_.reset();
    trainer.run([&](const StepReport& report) {
      result_.losses.push_back(report.loss);
      count(report.step - 1, report.seconds, static_cast<double>(report.tokens));
    });
    result_.graphs = trainer.graphs_remark();
  }

  void evaluate() {
    backend_.reset();
    for (std::size_t step = 0; step < options_.batches.size(); ++step) {
      const auto start = std::chrono::steady_clock::now();
      const Batch batch =
          to_device(backend_, compute_.memory(), options_.batches[step], dtype_.activations);
      Context context{backend_, compute_.arena(), nullptr, false, nullptr, dtype_.activations};
      host_floats(backend_, model_->logits(context, inputs_of(batch)).value);
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      count(static_cast<std::int64_t>(step), seconds.count(),
            static_cast<double>(batch.layout.tokens()));
    }
  }

  void score(const HostBatch& host) {
    const Batch batch = to_device(backend_, compute_.memory(), host, dtype_.activations);
    Context context{backend_, compute_.arena(), nullptr, false, nullptr, dtype_.activations};
    const Variable logits = model_->logits(context, inputs_of(batch));
    const std::vector<float> rows = host_floats(backend_, logits.value);
    const auto width = static_cast<std::ptrdiff_t>(model_->outputs());
    for (auto row = rows.begin(); row != rows.end(); row += width) {
      result_.logits.emplace_back(row, row + width);
    }
  }

  const BenchStepOptions& options_;
  Compute compute_;
  CountingBackend backend_;
  ComputeDType dtype_;
  std::unique_ptr<SequenceClassifier> model_;
  BenchStepResult result_;
  std::vector<Step> steps_;  // counted ones
  Usage start_ = usage_now();
};

}  // namespace

BenchStepResult bench_step(const BenchStepOptions& options, const std::vector<HostBatch>& dev) {
  return StepBench(options).run(dev);
}

}  // namespace basis
