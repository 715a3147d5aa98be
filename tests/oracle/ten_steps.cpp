#include "tests/oracle/ten_steps.h"

#include <cmath>

#include <gtest/gtest.h>

#include "optim/optimizer.h"
#include "optim/schedule.h"

namespace basis::oracle {

namespace {

OptimizerOptions options_of(const nlohmann::json& settings, bool is_sgd) {
  OptimizerOptions options;
  options.kind = is_sgd ? OptimizerOptions::Kind::Sgd : OptimizerOptions::Kind::AdamW;
  options.weight_decay = settings.at("weight_decay").get<double>();
  options.adapter_weight_decay = options.weight_decay;
  options.clip_norm = settings.at("clip_norm").get<double>();
  if (is_sgd) options.sgd.momentum = settings.at("momentum").get<double>();
  if (settings.contains("rho")) {
    options.perturbation = {PerturbationOptions::Kind::Sam, settings.at("rho").get<double>()};
  }
  return options;
}

int group_of(const Parameter& parameter) {
  return parameter.role() == ParameterRole::Head ? 1 : 0;
}

}  // namespace

Steps ten_steps(Machine& machine, const Case& oracle, SequenceClassifier& model, bool is_sgd) {
  const nlohmann::json& settings = oracle.settings().at("settings");
  Optimizer optimizer(*machine.backend, *machine.memory, model.parameters().trainable(), group_of,
                      options_of(settings, is_sgd));
  const auto warmup =
      static_cast<std::int64_t>(std::lround(settings.at("warmup_share").get<double>() * 10));
  const Schedule schedule{Schedule::Kind::Linear, 10, warmup};
  Steps result;
  Backend& backend = *machine.backend;
  StepState state;
  const Block device_state = machine.memory->allocate(sizeof state);
  auto* state_there = reinterpret_cast<StepState*>(device_state.get());
  for (std::int64_t step = 0; step < 10; ++step) {
    const OracleBatch batch = oracle.batch(machine, "step." + std::to_string(step) + ".");
    state.step = static_cast<std::uint64_t>(step);
    state.learning_rate[0] = settings.at("learning_rate").get<double>() * schedule.factor(step);
    state.learning_rate[1] =
        settings.at("head_learning_rate").get<double>() * schedule.factor(step);
    optimizer.set_bias_corrections(state);
    backend.copy_to_device(&state, state_there, sizeof state);
    for (int pass = 0; pass < optimizer.passes(); ++pass) {
      optimizer.begin_pass(pass, state_there);
      Tape tape;
      Context context{backend, *machine.arena, &tape, true, state_there, oracle.dtype()};
      const Variable loss = loss_of(context, model, batch);
      if (pass == 0) {
        result.losses.push_back(to_host<double>(backend, loss.value).front() /
                                static_cast<double>(batch.layout.sequences()));
      }
      tape.backward(context, loss);
    }
    optimizer.put_back();
    optimizer.step(state_there);
    optimizer.forget_gradients();
    backend.copy_to_host(state_there, &state, sizeof state);
    result.norms.push_back(state.gradient_norm);
    EXPECT_NEAR(state.learning_rate[0],
                oracle.numbers("learning_rates")[static_cast<std::size_t>(step)], 1e-15);
  }
  const OracleBatch first = oracle.batch(machine, "step.0.");
  Context context{*machine.backend, *machine.arena, nullptr, false, nullptr, oracle.dtype()};
  const Variable logits = model.logits(context, first.inputs());
  result.final_logits = as_doubles(*machine.backend, logits.value);
  return result;
}

}  // namespace basis::oracle
