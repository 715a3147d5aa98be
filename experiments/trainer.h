#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "autograd/context.h"
#include "experiments/circumstances.h"
#include "experiments/step_graphs.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "tensor/arena.h"

namespace basis {

/// What is trained, as the trainer sees it: it knows batches, losses and counts, nothing of tokens.
struct TrainingTask {
  struct Step {
    std::int64_t micro_batches = 1;
    std::int64_t loss_count = 0;  // divisor of the whole step, over all micro-batches
    std::int64_t tokens = 0;      // real ones, for the rate
  };
  std::int64_t steps = 0;
  /// Draws the batches of a step, a pure function of its number.
  std::function<Step(std::int64_t step)> begin_step;
  /// The summed loss of one micro-batch, its gradient scaled by `scale` (autograd/losses.h).
  std::function<Variable(Context&, std::int64_t micro_batch, double scale)> loss;
  /// A name for the pass of a step with one micro-batch, where passes of one name queue the same
  /// kernels on the same addresses (StepGraphs); empty where they do not. May be null.
  std::function<std::string()> name_of_pass;
};

struct TrainerOptions {
  std::uint64_t seed = 0;
  DType dtype = DType::F32;
  bool recomputes_layers = false;  // Context::recomputes_layers
  Schedule schedule;
  std::vector<double> learning_rates;  // by group, before the schedule; behind them the first
  std::int64_t checkpoint_every = 0;   // steps; 0: only when cancelled
  /// Does on_step read values after so many steps? Null: it never does.
  std::function<bool(std::int64_t steps_done)> reads_values_after;
  bool has_graphs = true;               // passes are recorded where the backend can
  std::filesystem::path folder;         // of checkpoints; empty: none are written
  std::function<void()> before_update;  // sees a step's gradients, which are gone after it
};

/// One optimiser step as it is logged.
struct StepReport {
  std::int64_t step = 0;  // counted from 1 when logged
  std::int64_t steps = 0;
  double loss = 0;  // mean over the step; under SAM at the values themselves, under GO beside them
  double learning_rate = 0;
  double gradient_norm = 0;
  std::int64_t tokens = 0;
  double seconds = 0;
};

/// Thrown when a run is cancelled; a checkpoint has been written.
class Cancelled : public Error {
 public:
  using Error::Error;
};

/// The loop: micro-batches, backward, update, log, checkpoint. Everything random is a function of
/// (seed, step), so that a resumed run has the same bits as one that was never interrupted.
///
/// An asynchronous device is given a step whole and reports it when it has been given the next, or
/// at once where values are read: before an evaluation, a checkpoint and the end. What is not
/// finite is then found a step late; the device has skipped both updates (StepState::skip_update),
/// and the step runs again, watched, so that the message is the same.
class Trainer {
 public:
  Trainer(Backend&, Arena&, Optimizer&, const TrainingTask&, const TrainerOptions&);

  /// Continues from the last checkpoint in the folder, if there is one; returns its step count.
  std::int64_t resume();
  /// After `resume`: whether other threads, kernels or another processor go on than began, in one
  /// line for the user; empty where none do.
  const std::string& resume_remark() const { return resume_remark_; }
  /// How many passes were recorded and replayed (CUDA graphs), in one line for the user; empty
  /// where nothing may be recorded.
  std::string graphs_remark() const;

  /// Runs all remaining steps. `on_step` sees every step and may evaluate after those that
  /// TrainerOptions::reads_values_after names, after check_last_step(); `is_cancelled` is asked
  /// after each. Throws Error when a loss or a gradient
  /// is not finite, the loss after the last step included, with the step, the parameter and the
  /// last good checkpoint; Cancelled after saving when asked to stop.
  void run(const std::function<void(const StepReport&)>& on_step,
           const std::function<bool()>& is_cancelled = nullptr);

  /// The loss of the last step's batches once more, with the values that it left. Throws Error, as
  /// the next step would, when it is not finite: before these values are saved or scored. A second
  /// call for the same step does nothing.
  void check_last_step();

  /// One step alone, for benchmarks and examples.
  StepReport train_step(std::int64_t step);

 private:
  std::filesystem::path checkpoint_path(std::int64_t steps_done) const;
  std::vector<std::int64_t> checkpoints() const;
  void save(std::int64_t steps_done);
  /// A step that the device has been given.
  struct QueuedStep {
    std::int64_t step = 0;
    TrainingTask::Step plan;
    double learning_rate = 0;
    std::chrono::steady_clock::time_point start;
    std::vector<std::unique_ptr<HostCopy>> losses;  // of micro-batches; the first pass' are logged
    std::unique_ptr<HostCopy> state;
  };
  StepState* device_state() const { return reinterpret_cast<StepState*>(device_state_.get()); }
  TrainingTask::Step begin(std::int64_t step);
  using SeeLoss = std::function<void(const Tensor& loss)>;
  Tensor pass(std::int64_t micro_batch, double scale, const SeeLoss& see_loss);
  enum class MayRecord : bool { No, Yes };
  void run_passes(const TrainingTask::Step& plan, MayRecord may_record, const SeeLoss& see_loss);
  void run_micro_batches(const TrainingTask::Step& plan, const SeeLoss& see_loss);
  void run_recorded(const TrainingTask::Step& plan, const SeeLoss& see_loss);
  StepReport report_of(const QueuedStep& step, double loss_sum) const;
  StepReport watched_step(std::int64_t step);
  QueuedStep queue(std::int64_t step, bool follows_queued);
  StepReport collect(const QueuedStep& queued);
  [[noreturn]] void stop_loss_not_finite(std::int64_t step, const std::string& which) const;
  [[noreturn]] void stop(std::int64_t step, const std::string& reason) const;

  Backend& backend_;
  Arena& arena_;
  Optimizer& optimizer_;
  const TrainingTask& task_;
  TrainerOptions options_;
  StepState state_;     // of the last step, as the host knows it
  Block device_state_;  // a StepState in the backend's memory: what kernels read and write
  std::unique_ptr<StepGraphs> graphs_;  // null where nothing is recorded
  std::chrono::steady_clock::time_point last_collected_;
  std::int64_t steps_done_ = 0;
  /// Of the last step, whose batches the task still has; empty once check_last_step has passed.
  std::optional<TrainingTask::Step> unchecked_;
  Circumstances circumstances_;  // of all that has been computed so far
  std::string resume_remark_;
};

}  // namespace basis
