#include "experiments/trainer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "tensor/safetensors.h"
#include "tensor/transfer.h"

namespace basis {

namespace {

/// The gradients of a step live as long as it, whichever way it ends; values are then in place.
class StepGradients {
 public:
  explicit StepGradients(Optimizer& optimizer) : optimizer_(optimizer) {}
  ~StepGradients() {
    optimizer_.put_back();
    optimizer_.forget_gradients();
  }
  StepGradients(const StepGradients&) = delete;
  StepGradients& operator=(const StepGradients&) = delete;

 private:
  Optimizer& optimizer_;
};

/// Of a micro-batch's summed loss in the mean over the step.
double scale_of(const TrainingTask::Step& plan) {
  return 1.0 / static_cast<double>(std::max<std::int64_t>(1, plan.loss_count));
}

}  // namespace

Trainer::Trainer(Backend& backend, Arena& arena, Optimizer& optimizer, const TrainingTask& task,
                 const TrainerOptions& options)
    : backend_(backend),
      arena_(arena),
      optimizer_(optimizer),
      task_(task),
      options_(options),
      device_state_(backend.reserve(sizeof(StepState))),
      circumstances_(circumstances_of(backend, options.dtype)) {
  state_.seed = options.seed;
  if (options.has_graphs && backend.can_record()) {
    graphs_ = std::make_unique<StepGraphs>(backend, arena, optimizer.parameters());
  }
}

TrainingTask::Step Trainer::begin(std::int64_t step) {
  const TrainingTask::Step plan = task_.begin_step(step);
  unchecked_ = plan;
  state_.step = static_cast<std::uint64_t>(step);
  state_.skip_update = 0;
  const double factor = options_.schedule.factor(step);
  const std::vector<double>& rates = options_.learning_rates;
  for (std::size_t group = 0; group < std::size(state_.learning_rate); ++group) {
    state_.learning_rate[group] = factor * (group < rates.size() ? rates[group] : rates.front());
  }
  optimizer_.set_bias_corrections(state_);
  return plan;
}

/// Forward and backward of a micro-batch; its summed loss, which see_loss sees between the two.
Tensor Trainer::pass(std::int64_t micro_batch, double scale, const SeeLoss& see_loss) {
  Tape tape;
  Context context{
      backend_, arena_, &tape, true, device_state(), options_.dtype, options_.recomputes_layers};
  const Variable loss = task_.loss(context, micro_batch, scale);
  if (see_loss) see_loss(loss.value);
  tape.backward(context, loss);
  return loss.value;
}

/// All that a step's gradient takes. Every micro-batch of a pass sees the same values.
void Trainer::run_passes(const TrainingTask::Step& plan, MayRecord may_record,
                         const SeeLoss& see_loss) {
  for (int i = 0; i < optimizer_.passes(); ++i) {
    optimizer_.begin_pass(i, device_state());
    if (may_record == MayRecord::Yes) {
      run_recorded(plan, see_loss);
    } else {
      run_micro_batches(plan, see_loss);
    }
  }
  optimizer_.put_back();
  if (options_.before_update) options_.before_update();
}

void Trainer::run_micro_batches(const TrainingTask::Step& plan, const SeeLoss& see_loss) {
  for (std::int64_t i = 0; i < plan.micro_batches; ++i) pass(i, scale_of(plan), see_loss);
}

/// The same, recorded where the pass has a name. see_loss comes behind it.
void Trainer::run_recorded(const TrainingTask::Step& plan, const SeeLoss& see_loss) {
  const bool may_record =
      graphs_ != nullptr && plan.micro_batches == 1 && task_.name_of_pass != nullptr;
  const std::string name = may_record ? task_.name_of_pass() : "";
  if (name.empty()) return run_micro_batches(plan, see_loss);
  see_loss(graphs_->run(name, [&] { return pass(0, scale_of(plan), nullptr); }));
}

std::string Trainer::graphs_remark() const {
  if (graphs_ == nullptr || graphs_->counts().passes == 0) return "";
  const StepGraphs::Counts counts = graphs_->counts();
  return fmt::format("{} of {} passes replayed, from {} CUDA graphs", counts.replayed,
                     counts.passes, counts.recordings);
}

/// A step whose numbers are read where they arise.
StepReport Trainer::watched_step(std::int64_t step) {
  QueuedStep running;
  running.step = step;
  running.start = std::chrono::steady_clock::now();
  running.plan = begin(step);
  running.learning_rate = state_.learning_rate[0];
  backend_.copy_to_device(&state_, device_state(), sizeof(StepState));
  double loss_sum = 0;
  std::int64_t seen = 0;
  {
    const StepGradients gradients(optimizer_);
    run_passes(running.plan, MayRecord::No, [&](const Tensor& loss) {
      const double value = to_host<double>(backend_, loss).front();
      if (!std::isfinite(value)) {
        optimizer_.put_back();
        stop_loss_not_finite(step, "the loss");
      }
      if (seen++ < running.plan.micro_batches) loss_sum += value;
    });
    optimizer_.step(device_state());
    backend_.copy_to_host(device_state(), &state_, sizeof(StepState));
    if (state_.skip_update != 0) {
      stop(step, "the gradient of " + optimizer_.parameter_not_finite() + " is not finite");
    }
  }
  arena_.expect_empty();
  return report_of(running, loss_sum);
}

/// Gives the device a step. Where one before it has not been reported yet, its skip_update stands.
Trainer::QueuedStep Trainer::queue(std::int64_t step, bool follows_queued) {
  QueuedStep queued;
  queued.step = step;
  queued.start = std::chrono::steady_clock::now();
  queued.plan = begin(step);
  queued.learning_rate = state_.learning_rate[0];
  backend_.copy_to_device(&state_, device_state(),
                          follows_queued ? offsetof(StepState, gradient_norm) : sizeof(StepState));
  {
    const StepGradients gradients(optimizer_);
    run_passes(queued.plan, MayRecord::Yes, [&](const Tensor& loss) {
      queued.losses.push_back(backend_.begin_copy_to_host(loss.data<double>(), sizeof(double)));
    });
    optimizer_.step(device_state());
    queued.state = backend_.begin_copy_to_host(device_state(), sizeof(StepState));
  }
  arena_.expect_empty();
  return queued;
}

/// Waits for a queued step.
StepReport Trainer::collect(const QueuedStep& queued) {
  double loss_sum = 0, all_losses = 0;
  for (std::int64_t i = 0; i < std::ssize(queued.losses); ++i) {
    double loss = 0;
    std::memcpy(&loss, queued.losses[static_cast<std::size_t>(i)]->wait(), sizeof(loss));
    all_losses += loss;
    if (i < queued.plan.micro_batches) loss_sum += loss;
  }
  StepState seen;
  std::memcpy(&seen, queued.state->wait(), sizeof(seen));
  if (!std::isfinite(all_losses) || seen.skip_update != 0) {
    watched_step(queued.step);  // on the values that it saw: nothing has been updated since
    stop(queued.step, "a loss or a gradient is not finite");
  }
  state_.gradient_norm = seen.gradient_norm;
  const StepReport report = report_of(queued, loss_sum);
  last_collected_ = std::chrono::steady_clock::now();
  return report;
}

/// Of a step that ends now. A queued one did not begin before the last was collected.
StepReport Trainer::report_of(const QueuedStep& step, double loss_sum) const {
  const std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - std::max(step.start, last_collected_);
  return {step.step + 1,      task_.steps,          loss_sum * scale_of(step.plan),
          step.learning_rate, state_.gradient_norm, step.plan.tokens,
          seconds.count()};
}

StepReport Trainer::train_step(std::int64_t step) {
  return backend_.is_asynchronous() ? collect(queue(step, false)) : watched_step(step);
}

void Trainer::check_last_step() {
  if (!unchecked_) return;
  const auto step = static_cast<std::int64_t>(state_.step);
  for (std::int64_t i = 0; i < unchecked_->micro_batches; ++i) {
    Context context{backend_, arena_, nullptr, true, device_state(), options_.dtype};
    const Variable loss = task_.loss(context, i, 1);
    if (!std::isfinite(to_host<double>(backend_, loss.value).front())) {
      stop_loss_not_finite(step, "the loss after its update");
    }
  }
  unchecked_.reset();
}

void Trainer::run(const std::function<void(const StepReport&)>& on_step,
                  const std::function<bool()>& is_cancelled) {
  const auto report = [&](const StepReport& step) {
    if (on_step) on_step(step);
  };
  std::optional<QueuedStep> queued;  // given to an asynchronous device and not reported yet
  while (steps_done_ < task_.steps) {
    if (backend_.is_asynchronous()) {
      QueuedStep next = queue(steps_done_++, queued.has_value());
      if (queued) report(collect(*queued));
      queued = std::move(next);
    } else {
      const StepReport step = watched_step(steps_done_++);
      report(step);
    }
    const bool is_due =
        options_.checkpoint_every > 0 && steps_done_ % options_.checkpoint_every == 0;
    const bool is_last = steps_done_ == task_.steps;
    const bool stops = !is_last && is_cancelled && is_cancelled();
    const bool is_read = options_.reads_values_after && options_.reads_values_after(steps_done_);
    const bool reads_values = is_last || is_due || stops || is_read;
    if (queued && reads_values) report(collect(*std::exchange(queued, std::nullopt)));
    if (is_last || is_due || stops) check_last_step();
    if (!is_last && (is_due || stops)) save(steps_done_);
    if (stops)
      throw Cancelled(fmt::format("stopped after step {} of {}", steps_done_, task_.steps));
  }
}

std::filesystem::path Trainer::checkpoint_path(std::int64_t steps_done) const {
  return options_.folder / fmt::format("step-{}.safetensors", steps_done);
}

std::vector<std::int64_t> Trainer::checkpoints() const {
  std::vector<std::int64_t> steps;
  if (options_.folder.empty() || !std::filesystem::is_directory(options_.folder)) return steps;
  for (const auto& entry : std::filesystem::directory_iterator(options_.folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("step-") || !name.ends_with(".safetensors")) continue;
    const char* begin = name.data() + 5;
    const char* end = name.data() + name.size() - 12;
    std::int64_t step = 0;
    if (const auto parsed = std::from_chars(begin, end, step);
        parsed.ec == std::errc() && parsed.ptr == end) {
      steps.push_back(step);
    }
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

void Trainer::save(std::int64_t steps_done) {
  if (options_.folder.empty()) return;
  std::filesystem::create_directories(options_.folder);
  const std::vector<std::int64_t> older = checkpoints();
  std::map<std::string, std::string> metadata = circumstances_;
  metadata["steps_done"] = std::to_string(steps_done);
  write_safetensors(checkpoint_path(steps_done), backend_, optimizer_.state(), metadata);
  for (const std::int64_t step : older) {
    if (step != steps_done) std::filesystem::remove(checkpoint_path(step));
  }
}

std::int64_t Trainer::resume() {
  const std::vector<std::int64_t> steps = checkpoints();
  if (steps.empty()) return 0;
  const SafeTensors file = SafeTensors::open(checkpoint_path(steps.back()));
  try {
    optimizer_.load(file);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: not a checkpoint of this run ({}); remove it to start again",
                            file.path().string(), error.what()));
  }
  Circumstances began = file.metadata();
  began.erase("steps_done");
  resume_remark_ = difference(began, circumstances_);
  circumstances_ = continued(began, circumstances_);
  steps_done_ = steps.back();
  return steps_done_;
}

void Trainer::stop_loss_not_finite(std::int64_t step, const std::string& which) const {
  const ParameterSize largest = optimizer_.largest_parameter();
  stop(step, std::isfinite(largest.root_mean_square)
                 ? fmt::format("{} is not finite (the largest values are those of {}, {:.2g} in "
                               "the root mean square)",
                               which, largest.name, largest.root_mean_square)
                 : fmt::format("{} is not finite, nor are the values of {}", which, largest.name));
}

void Trainer::stop(std::int64_t step, const std::string& reason) const {
  const std::vector<std::int64_t> steps = checkpoints();
  const std::string last =
      steps.empty() ? std::string("There is no checkpoint yet.")
                    : "Last good checkpoint: " + checkpoint_path(steps.back()).string() + ".";
  throw Error(fmt::format("step {}: {}; stopped. {} A smaller learning rate usually helps.",
                          step + 1, reason, last));
}

}  // namespace basis
