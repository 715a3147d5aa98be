// Net 3: ten optimiser steps against PyTorch.
#include <gtest/gtest.h>

#include "tests/oracle/precision.h"
#include "tests/oracle/ten_steps.h"

namespace basis::oracle {
namespace {

using TenSteps = ::testing::TestWithParam<std::tuple<const char*, Precision>>;
using TenStepsInF64 = TenSteps;

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TenStepsInF64);  // in gpu_tests

TEST_P(TenStepsInF64, AgreeInEveryParameter) {
  const std::string name = std::get<0>(GetParam());
  const Case oracle("training/" + name, DType::F64);
  Machine machine;
  const auto model = oracle.classifier(machine);
  const Steps steps = ten_steps(machine, oracle, *model, name.find("sgd") != std::string::npos);
  expect_near(steps.losses, oracle.numbers("losses"), 1e-9, "losses");
  expect_near(steps.norms, oracle.numbers("gradient_norms"), 1e-9, "gradient norms");
  expect_near(steps.final_logits, oracle.numbers("final_logits"), 1e-9, "final logits");
  std::size_t compared = 0;
  for (const auto& parameter : model->parameters().all()) {
    for (const std::string prefix : {"after.", "after.bert."}) {
      if (!oracle.contains(prefix + parameter->name())) continue;
      // 1e-9: ten steps of Adam in f64 amplify rounding by 1 / (sqrt(v) + eps), about 1e5 here.
      expect_near(as_doubles(*machine.backend, parameter->value()),
                  oracle.numbers(prefix + parameter->name()), 1e-9, parameter->name());
      ++compared;
    }
  }
  std::size_t stored = 0;
  for (const std::string& tensor : oracle.names()) stored += tensor.starts_with("after.");
  EXPECT_EQ(compared, stored);
}

TEST_P(TenSteps, InF32AgreeInLossesAndFinalLogits) {
  const std::string name = std::get<0>(GetParam());
  const Precision precision = std::get<1>(GetParam());
  const Case oracle("training/" + name, precision.dtype);
  Machine machine(precision.make_backend());
  const auto model = oracle.classifier(machine);
  const Steps steps = ten_steps(machine, oracle, *model, name.find("sgd") != std::string::npos);
  expect_near(steps.losses, oracle.numbers("f32.losses"), precision.outputs, "losses");
  expect_near(steps.final_logits, oracle.numbers("f32.final_logits"), precision.outputs,
              "final logits");
}

const auto cases = ::testing::Values("gelu_new_adamw", "gelu_new_sgd", "relu_adamw",
                                     "gelu_new_adamw_sam", "relu_sgd_sam");

std::string name_of_case(const ::testing::TestParamInfo<TenSteps::ParamType>& info) {
  return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param).name();
}

INSTANTIATE_TEST_SUITE_P(Optimizers, TenStepsInF64,
                         ::testing::Combine(cases, ::testing::ValuesIn(precisions({f64}))),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(Optimizers, TenSteps,
                         ::testing::Combine(cases,
                                            ::testing::ValuesIn(precisions({f32, f32_cuda}))),
                         name_of_case);

}  // namespace
}  // namespace basis::oracle
