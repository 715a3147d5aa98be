// Net 3: ten optimiser steps against PyTorch.
#include <gtest/gtest.h>

#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "tests/oracle/oracle_case.h"

namespace basis::oracle {
namespace {

OptimizerOptions options_of(const nlohmann::json& settings, bool is_sgd) {
  OptimizerOptions options;
  options.kind = is_sgd ? OptimizerOptions::Kind::Sgd : OptimizerOptions::Kind::AdamW;
  options.weight_decay = settings.at("weight_decay").get<double>();
  options.adapter_weight_decay = options.weight_decay;
  options.clip_norm = settings.at("clip_norm").get<double>();
  if (is_sgd) options.sgd.momentum = settings.at("momentum").get<double>();
  return options;
}

int group_of(const Parameter& parameter) {
  return parameter.role() == ParameterRole::Head ? 1 : 0;
}

struct Steps {
  std::vector<double> losses, norms, final_logits;
};

/// Trains ten steps and scores the first batch again.
Steps ten_steps(Machine& machine, const Case& oracle, SequenceClassifier& model, bool is_sgd) {
  const nlohmann::json& settings = oracle.settings().at("settings");
  Optimizer optimizer(*machine.backend, *machine.memory, model.parameters().trainable(), group_of,
                      options_of(settings, is_sgd));
  const auto warmup =
      static_cast<std::int64_t>(std::lround(settings.at("warmup_share").get<double>() * 10));
  const Schedule schedule{Schedule::Kind::Linear, 10, warmup};
  Steps result;
  StepState state;
  for (std::int64_t step = 0; step < 10; ++step) {
    const OracleBatch batch = oracle.batch(machine, "step." + std::to_string(step) + ".");
    state.step = static_cast<std::uint64_t>(step);
    state.learning_rate[0] = settings.at("learning_rate").get<double>() * schedule.factor(step);
    state.learning_rate[1] =
        settings.at("head_learning_rate").get<double>() * schedule.factor(step);
    optimizer.set_bias_corrections(state);
    optimizer.begin_step();
    Tape tape;
    Context context{*machine.backend, *machine.arena, &tape, true, &state, oracle.dtype()};
    const Variable loss = loss_of(context, model, batch);
    result.losses.push_back(to_host<double>(*machine.backend, loss.value).front() /
                            static_cast<double>(batch.layout.sequences()));
    tape.backward(context, loss);
    optimizer.step(&state);
    result.norms.push_back(state.gradient_norm);
    EXPECT_NEAR(state.learning_rate[0],
                oracle.numbers("learning_rates")[static_cast<std::size_t>(step)], 1e-15);
  }
  const OracleBatch first = oracle.batch(machine, "step.0.");
  Context context{*machine.backend, *machine.arena, nullptr, false, nullptr, oracle.dtype()};
  const Variable logits = model.logits(context, first.inputs());
  result.final_logits = values_of(*machine.backend, logits.value);
  return result;
}

class TenSteps : public ::testing::TestWithParam<const char*> {};

TEST_P(TenSteps, InF64AgreeInEveryParameter) {
  const std::string name = GetParam();
  const Case oracle("training/" + name, DType::F64);
  Machine machine;
  const auto model = oracle.classifier(machine);
  const Steps steps = ten_steps(machine, oracle, *model, name.ends_with("sgd"));
  expect_near(steps.losses, oracle.numbers("losses"), 1e-9, "losses");
  expect_near(steps.norms, oracle.numbers("gradient_norms"), 1e-9, "gradient norms");
  expect_near(steps.final_logits, oracle.numbers("final_logits"), 1e-9, "final logits");
  std::size_t compared = 0;
  for (const auto& parameter : model->parameters().all()) {
    for (const std::string prefix : {"after.", "after.bert."}) {
      if (!oracle.contains(prefix + parameter->name())) continue;
      // 1e-9: ten steps of Adam in f64 amplify rounding by 1 / (sqrt(v) + eps), about 1e5 here.
      expect_near(values_of(*machine.backend, parameter->value()),
                  oracle.numbers(prefix + parameter->name()), 1e-9, parameter->name());
      ++compared;
    }
  }
  std::size_t stored = 0;
  for (const std::string& tensor : oracle.names()) stored += tensor.starts_with("after.");
  EXPECT_EQ(compared, stored);
}

TEST_P(TenSteps, InF32AgreeInLossesAndFinalLogits) {
  const std::string name = GetParam();
  const Case oracle("training/" + name, DType::F32);
  Machine machine;
  const auto model = oracle.classifier(machine);
  const Steps steps = ten_steps(machine, oracle, *model, name.ends_with("sgd"));
  expect_near(steps.losses, oracle.numbers("f32.losses"), 1e-4, "losses");
  expect_near(steps.final_logits, oracle.numbers("f32.final_logits"), 1e-4, "final logits");
}

INSTANTIATE_TEST_SUITE_P(Optimizers, TenSteps,
                         ::testing::Values("gelu_new_adamw", "gelu_new_sgd", "relu_adamw"));

}  // namespace
}  // namespace basis::oracle
