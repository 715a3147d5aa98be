#include "experiments/stage_training.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/training_settings.h"
#include "tensor/file.h"

namespace basis {

std::function<bool(std::int64_t)> every(std::int64_t steps) {
  return [steps](std::int64_t done) { return steps > 0 && done > 0 && done % steps == 0; };
}

double train_in_stage(StageContext& stage, Compute& compute, const StageTraining& training) {
  Optimizer optimizer(compute.backend(), compute.memory(), training.parameters, training.group_of,
                      training.optimizer);
  TrainerOptions options = training.trainer;
  options.folder = stage.checkpoint_folder();
  options.reads_values_after = training.evaluates_after;
  Trainer trainer(compute.backend(), compute.arena(), optimizer, training.task, options);
  const std::int64_t resumed_at = trainer.resume();
  MetricsLog log(stage.folder, resumed_at);
  if (const std::string& remark = trainer.resume_remark(); !remark.empty()) {
    log.write(resumed_at, {{"event", remark}});
    stage.remark(remark);
  }

  double seconds = 0;
  std::int64_t tokens = 0;
  auto on_step = [&](const StepReport& report) {
    seconds += report.seconds;
    tokens += report.tokens;
    log.write(report.step, metrics_of(report));
    if (stage.report_progress) {
      stage.report_progress(
          {report.step, report.steps, report.loss, static_cast<double>(tokens) / seconds});
    }
    if (report.step == report.steps || !training.evaluates_after(report.step)) return;
    trainer.check_last_step();
    training.evaluate(log, report.step);
  };
  if (resumed_at == 0 && training.evaluates_after(0)) training.evaluate(log, 0);
  trainer.run(on_step, [&] { return stage.should_stop(); });
  stage.remark(trainer.graphs_remark());
  if (const auto choices = compute.backend().product_choices(); !choices.empty()) {
    write_file_atomically(stage.folder / "products.txt",
                          fmt::format("{}\n", fmt::join(choices, "\n")));
  }
  training.evaluate(log, training.task.steps);
  return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
}

}  // namespace basis
