#include "experiments/trainer.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "tensor/safetensors.h"
#include "tensor/transfer.h"

namespace basis {

namespace {

/// The gradients of a step live as long as it, whichever way it ends.
class StepGradients {
 public:
  explicit StepGradients(Optimizer& optimizer) : optimizer_(optimizer) {}
  ~StepGradients() { optimizer_.forget_gradients(); }
  StepGradients(const StepGradients&) = delete;
  StepGradients& operator=(const StepGradients&) = delete;

 private:
  Optimizer& optimizer_;
};

template <class T>
T read(HostCopy& copy) {
  T value;
  std::memcpy(&value, copy.wait(), sizeof(T));
  return value;
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

void Trainer::prepare_state(std::int64_t step) {
  state_.step = static_cast<std::uint64_t>(step);
  const double factor = options_.schedule.factor(step);
  for (std::size_t group = 0; group < options_.learning_rates.size(); ++group) {
    state_.learning_rate[group] = options_.learning_rates[group] * factor;
  }
  optimizer_.set_bias_corrections(state_);
  backend_.copy_to_device(&state_, device_state(), sizeof(StepState));
}

/// Forward and backward; the summed loss, (1, 1) f64.
Tensor Trainer::pass(std::int64_t micro_batch, double scale) {
  Tape tape;
  Context context{
      backend_, arena_, &tape, true, device_state(), options_.dtype, options_.recomputes_layers};
  const Variable loss = task_.loss(context, micro_batch, scale);
  // Before backward, where that is known by then.
  if (!backend_.runs_ahead()) {
    const auto copy = backend_.begin_copy_to_host(loss.value.bytes_begin(), sizeof(double));
    expect_finite_loss(static_cast<std::int64_t>(state_.step), *copy);
  }
  tape.backward(context, loss);
  return loss.value;
}

void Trainer::run_micro_batches(const TrainingTask::Step& plan, Queued& queued) {
  for (std::int64_t i = 0; i < plan.micro_batches; ++i) {
    const auto run = [&] { return pass(i, queued.scale); };
    const bool may_record =
        graphs_ != nullptr && plan.micro_batches == 1 && task_.name_of_pass != nullptr;
    const std::string name = may_record ? task_.name_of_pass() : "";
    const Tensor loss = name.empty() ? run() : graphs_->run(name, run);
    queued.losses.push_back(backend_.begin_copy_to_host(loss.bytes_begin(), sizeof(double)));
  }
}

Trainer::Queued Trainer::queue_step(std::int64_t step) {
  const TrainingTask::Step plan = task_.begin_step(step);
  unchecked_ = plan;
  prepare_state(step);
  Queued queued;
  queued.step = step;
  queued.scale = 1.0 / static_cast<double>(std::max<std::int64_t>(1, plan.loss_count));
  queued.tokens = plan.tokens;
  queued.learning_rate = state_.learning_rate[0];
  {
    const StepGradients gradients(optimizer_);
    run_micro_batches(plan, queued);
    if (options_.before_update) options_.before_update();
    optimizer_.step(device_state());
    queued.state = backend_.begin_copy_to_host(device_state(), sizeof(StepState));
    if (!backend_.runs_ahead()) expect_update(queued);
  }
  arena_.expect_empty();
  return queued;
}

void Trainer::expect_finite_loss(std::int64_t step, HostCopy& loss) const {
  if (!std::isfinite(read<double>(loss))) stop_loss_not_finite(step, "the loss");
}

/// Gradients are there to be asked only where nothing runs ahead.
void Trainer::expect_update(const Queued& queued) const {
  if (read<StepState>(*queued.state).skip_update == 0) return;
  stop(queued.step, backend_.runs_ahead() ? "a gradient is not finite"
                                          : "the gradient of " + optimizer_.parameter_not_finite() +
                                                " is not finite");
}

StepReport Trainer::report_of(const Queued& queued) {
  double loss_sum = 0;
  for (const auto& loss : queued.losses) {
    expect_finite_loss(queued.step, *loss);
    loss_sum += read<double>(*loss);
  }
  expect_update(queued);
  const double norm = read<StepState>(*queued.state).gradient_norm;
  const auto now = std::chrono::steady_clock::now();
  const std::chrono::duration<double> seconds = now - last_report_;
  last_report_ = now;
  return {queued.step + 1, task_.steps,    loss_sum * queued.scale, queued.learning_rate, norm,
          queued.tokens,   seconds.count()};
}

StepReport Trainer::train_step(std::int64_t step) {
  last_report_ = std::chrono::steady_clock::now();
  return report_of(queue_step(step));
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
  const auto report = [&](const Queued& queued) {
    const StepReport of_step = report_of(queued);
    if (on_step) on_step(of_step);
    last_report_ = std::chrono::steady_clock::now();
  };
  const auto is_due = [&](std::int64_t every) { return every > 0 && steps_done_ % every == 0; };
  last_report_ = std::chrono::steady_clock::now();
  std::optional<Queued> last;  // not yet reported: the device may be at work on it
  while (steps_done_ < task_.steps) {
    Queued queued = queue_step(steps_done_);
    ++steps_done_;
    if (last) report(*std::exchange(last, std::nullopt));
    const bool is_last = steps_done_ == task_.steps;
    const bool saves = is_due(options_.checkpoint_every);
    const bool stops = !is_last && is_cancelled && is_cancelled();
    const bool must_know =
        !backend_.runs_ahead() || is_last || saves || stops || is_due(options_.look_every);
    if (!must_know) {
      last = std::move(queued);
      continue;
    }
    report(queued);
    if (is_last || saves || stops) check_last_step();
    if (!is_last && (saves || stops)) save(steps_done_);
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
  write_safetensors(checkpoint_path(steps_done), on_host(backend_, optimizer_.state()), metadata);
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
