// Training in bf16 is training in f32 with rounded activations, for every method.
#include <algorithm>
#include <cmath>

#include "experiments/compute.h"
#include "tensor/cpu/cpu_backend.h"
#include "tests/behaviour/tiny.h"

namespace basis::behaviour {
namespace {

double norm_of_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(a[i] - b[i], 2);
  return std::sqrt(sum);
}

class Bf16 : public testing::TestWithParam<NamedMethod> {};

TEST_P(Bf16, GivesTheGradientsOfF32UpToItsRounding) {
  for (const char* head : {"mean", "pooler"}) {
    auto outcome_in = [&](DType dtype) {
      TinyTrainingOptions options;
      options.dtype = dtype;
      return outcome_of_step(GetParam().method, {0.1, DType::F32, head}, options);
    };
    const StepOutcome exact = outcome_in(DType::F32), rounded = outcome_in(DType::BF16);
    ASSERT_FALSE(exact.gradients.empty());
    EXPECT_NE(rounded.loss, exact.loss) << "bf16 is off";
    // A value passes some 12 roundings a layer forward and as many back, each of 2^-9: in two
    // layers a random walk of 48 steps, sqrt(48) 2^-9 = 0.014. Three of them.
    const double tolerance = 3 * 0.014;
    EXPECT_NEAR(rounded.loss, exact.loss, tolerance * exact.loss);
    for (const auto& [name, gradient] : exact.gradients) {
      EXPECT_LE(norm_of_difference(gradient, rounded.gradients.at(name)), tolerance * exact.norm)
          << name << " with head " << head;
    }
  }
}

TEST_P(Bf16, LearnsAsF32DoesAndGivesTheSameBitsTwice) {
  auto losses_in = [&](DType dtype) {
    Machine machine;
    const auto model = tiny_model(machine);
    attach(*machine.backend, machine.memory, *model, GetParam().method);
    TinyTrainingOptions options;
    options.dtype = dtype;
    options.learning_rate = 1e-3;
    TinyTraining training(machine, *model, options);
    std::vector<double> losses;
    for (std::int64_t step = 0; step < options.steps; ++step) {
      losses.push_back(training.trainer().train_step(step).loss);
    }
    return losses;
  };
  const std::vector<double> exact = losses_in(DType::F32), rounded = losses_in(DType::BF16);
  for (std::size_t i = 0; i < exact.size(); ++i) {
    EXPECT_NEAR(rounded[i], exact[i], 0.02 * exact[i]) << "step " << i;
  }
  EXPECT_EQ(losses_in(DType::BF16), rounded);
}

INSTANTIATE_TEST_SUITE_P(Methods, Bf16, testing::ValuesIn(all_methods()), name_of_method);

TEST(Bf16Choice, IsNotTakenOnAProcessorWithoutItsInstructions) {
  const auto plain = make_cpu_backend(1, Isa::Baseline);
  const ComputeDType instead = compute_dtype(*plain, "bf16");
  EXPECT_EQ(instead.activations, DType::F32);
  EXPECT_EQ(instead.remark,
            "this processor has no bf16 instructions: computes in f32 (see `basis "
            "info`)");
  EXPECT_EQ(compute_dtype(*plain, "f64").activations, DType::F64);
  EXPECT_EQ(compute_dtype(*plain, "f64").remark, "");
}

}  // namespace
}  // namespace basis::behaviour
