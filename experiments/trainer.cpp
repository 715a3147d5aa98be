#include "experiments/trainer.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

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
}

void Trainer::prepare_state(std::int64_t step) {
  state_.step = static_cast<std::uint64_t>(step);
  const double factor = options_.schedule.factor(step);
  for (std::size_t group = 0; group < options_.learning_rates.size(); ++group) {
    state_.learning_rate[group] = options_.learning_rates[group] * factor;
  }
  optimizer_.set_bias_corrections(state_);
  state_.skip_update = 0;
  backend_.copy_to_device(&state_, device_state(), sizeof(StepState));
}

double Trainer::run_micro_batches(std::int64_t step, const TrainingTask::Step& plan) {
  const double scale = 1.0 / static_cast<double>(std::max<std::int64_t>(1, plan.loss_count));
  double loss_sum = 0;
  for (std::int64_t i = 0; i < plan.micro_batches; ++i) {
    Tape tape;
    Context context{
        backend_, arena_, &tape, true, device_state(), options_.dtype, options_.recomputes_layers};
    const Variable loss = task_.loss(context, i, scale);
    const double value = to_host<double>(backend_, loss.value).front();
    if (!std::isfinite(value)) stop_loss_not_finite(step, "the loss");
    loss_sum += value;
    tape.backward(context, loss);
  }
  return loss_sum * scale;
}

double Trainer::compute_and_update(std::int64_t step, const TrainingTask::Step& plan) {
  const StepGradients gradients(optimizer_);
  const double loss = run_micro_batches(step, plan);
  if (options_.before_update) options_.before_update();
  optimizer_.step(device_state());
  backend_.copy_to_host(device_state(), &state_, sizeof(StepState));
  if (state_.skip_update != 0) {
    stop(step, "the gradient of " + optimizer_.parameter_not_finite() + " is not finite");
  }
  return loss;
}

StepReport Trainer::train_step(std::int64_t step) {
  const auto start = std::chrono::steady_clock::now();
  const TrainingTask::Step plan = task_.begin_step(step);
  unchecked_ = plan;
  prepare_state(step);
  const double loss = compute_and_update(step, plan);
  arena_.expect_empty();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return {step + 1,    task_.steps,    loss, state_.learning_rate[0], state_.gradient_norm,
          plan.tokens, seconds.count()};
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
  while (steps_done_ < task_.steps) {
    const StepReport report = train_step(steps_done_);
    ++steps_done_;
    if (on_step) on_step(report);
    const bool is_due =
        options_.checkpoint_every > 0 && steps_done_ % options_.checkpoint_every == 0;
    const bool is_last = steps_done_ == task_.steps;
    const bool stops = !is_last && is_cancelled && is_cancelled();
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
