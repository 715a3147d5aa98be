#include "experiments/training_settings.h"

#include <cmath>
#include <span>

#include "spectral/curvature_tuning.h"

namespace basis {

namespace {

/// The enumerator whose name_of is `name`; the config has checked that there is one.
template <class Enum>
Enum named(const std::string& name, std::span<const Enum> all) {
  for (const Enum value : all) {
    if (name == name_of(value)) return value;
  }
  throw InternalError("the config let \"" + name + "\" through");
}

template <class Enum>
Enum named(const std::string& name, std::initializer_list<Enum> all) {
  return named(name, std::span<const Enum>(all.begin(), all.size()));
}

}  // namespace

Schedule schedule_of(const std::string& kind, double warmup_share, std::int64_t total_steps) {
  Schedule schedule;
  schedule.kind = kind == "cosine"     ? Schedule::Kind::Cosine
                  : kind == "constant" ? Schedule::Kind::Constant
                                       : Schedule::Kind::Linear;
  schedule.total_steps = total_steps;
  schedule.warmup_steps = std::llround(warmup_share * static_cast<double>(total_steps));
  return schedule;
}

PerturbationOptions perturbation_options(const std::string& name, double size, bool is_relative) {
  using Kind = PerturbationOptions::Kind;
  return {name == "sam" ? Kind::Sam : name == "go" ? Kind::Go : Kind::None, size, is_relative};
}

OptimizerOptions optimizer_options(const TrainSettings& train) {
  OptimizerOptions options;
  options.kind =
      train.optimizer == "sgd" ? OptimizerOptions::Kind::Sgd : OptimizerOptions::Kind::AdamW;
  options.adamw = {train.beta1, train.beta2, train.epsilon};
  options.sgd.momentum = train.momentum;
  options.weight_decay = train.weight_decay;
  options.clip_norm = train.clip_norm;
  options.perturbation = perturbation_options(train.perturbation, train.perturbation_size,
                                              train.perturbation_relative);
  return options;
}

TrainerOptions trainer_options(const Config& config, const TrainSettings& train, std::int64_t seed,
                               DType dtype, std::int64_t steps) {
  TrainerOptions options;
  options.seed = static_cast<std::uint64_t>(seed);
  options.dtype = dtype;
  options.recomputes_layers = config.recompute;
  options.schedule = schedule_of(train.schedule, train.warmup_share, steps);
  options.checkpoint_every = train.checkpoint_every;
  options.has_graphs = config.cuda_graphs;
  return options;
}

AdapterMethod adapter_method(const MethodSettings& settings, std::int64_t seed,
                             std::int64_t tokens_per_step) {
  using Kind = AdapterMethod::Kind;
  using Form = AdapterMethod::Form;
  using Curvature = AdapterMethod::Curvature;
  AdapterMethod method;
  method.kind = named(settings.kind, std::span<const Kind>(all_method_kinds));
  method.rank = settings.rank;
  method.alpha = settings.alpha;
  method.form = named(settings.form, {Form::Diagonal, Form::Band, Form::Core});
  method.bandwidth = settings.bandwidth;
  method.basis = named(settings.basis, std::span<const BasisKind>(all_basis_kinds));
  method.shares_factors = settings.shared;
  for (const std::string& target : settings.targets) {
    method.targets.push_back(
        named(target, {MatrixKind::Query, MatrixKind::Key, MatrixKind::Value,
                       MatrixKind::AttentionOutput, MatrixKind::FfnIn, MatrixKind::FfnOut}));
  }
  method.apply = settings.apply == "side"     ? AdapterMethod::Apply::SidePath
                 : settings.apply == "merged" ? AdapterMethod::Apply::Merged
                                              : AdapterMethod::Apply::Auto;
  method.dropout = settings.adapter_dropout;
  method.curvature =
      named(settings.curvature, {Curvature::None, Curvature::Steered, Curvature::Trained});
  method.curvature_beta = settings.curvature_beta;
  method.curvature_c = settings.curvature_c;
  method.seed = static_cast<std::uint64_t>(seed);
  method.tokens_per_step = tokens_per_step;
  return method;
}

MetricValues metrics_of(const StepReport& report) {
  return {{"loss", report.loss},
          {"learning_rate", report.learning_rate},
          {"gradient_norm", report.gradient_norm},
          {"tokens", report.tokens},
          {"tokens_per_s", static_cast<double>(report.tokens) / report.seconds}};
}

int learning_rate_group(const Parameter& parameter) {
  if (parameter.role() == ParameterRole::Head) return 1;
  return is_curvature(parameter) ? 2 : 0;
}

}  // namespace basis
