// A batch in pieces is the batch: the same loss and gradients, with dropout on.
#include <algorithm>
#include <cmath>

#include "tests/behaviour/tiny.h"

namespace basis::behaviour {
namespace {

StepOutcome step_with(const AdapterMethod& method, std::int64_t micro_batch, double dropout,
                      bool recomputes_layers = false) {
  TinyTrainingOptions options;
  options.dtype = DType::F64;
  options.micro_batch = micro_batch;
  options.recomputes_layers = recomputes_layers;
  return outcome_of_step(method, {dropout, DType::F64, "mean"}, options);
}

class MicroBatches : public testing::TestWithParam<NamedMethod> {};

TEST_P(MicroBatches, GiveTheLargeBatchsLossAndGradients) {
  AdapterMethod method = GetParam().method;
  if (method.apply == AdapterMethod::Apply::SidePath) method.dropout = 0.1;
  const StepOutcome whole = step_with(method, 0, 0.1);
  ASSERT_FALSE(whole.gradients.empty());
  EXPECT_NE(whole.loss, step_with(method, 0, 0).loss) << "dropout is off";
  // Sums of some 10^4 terms in another order: 10^4 roundings of 1e-16, relative to the norm.
  const double tolerance = 1e-12;
  for (const std::int64_t micro_batch : {1, 3, 7}) {
    const StepOutcome cut = step_with(method, micro_batch, 0.1);
    EXPECT_NEAR(cut.loss, whole.loss, tolerance * whole.loss) << micro_batch;
    EXPECT_NEAR(cut.norm, whole.norm, tolerance * whole.norm) << micro_batch;
    for (const auto& [name, gradient] : whole.gradients) {
      const std::vector<double>& other = cut.gradients.at(name);
      ASSERT_EQ(other.size(), gradient.size());
      double difference = 0;
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        difference = std::max(difference, std::abs(gradient[i] - other[i]));
      }
      EXPECT_LE(difference, tolerance * whole.norm) << name << " in pieces of " << micro_batch;
    }
  }
}

// A layer that runs again in backward draws the same masks: the same bits, pieces or not.
TEST_P(MicroBatches, HaveTheSameGradientsWhenLayersAreRecomputed) {
  for (const std::int64_t micro_batch : {0, 3}) {
    const StepOutcome kept = step_with(GetParam().method, micro_batch, 0.1);
    const StepOutcome recomputed = step_with(GetParam().method, micro_batch, 0.1, true);
    EXPECT_EQ(recomputed.loss, kept.loss);
    EXPECT_EQ(recomputed.norm, kept.norm);
    EXPECT_EQ(recomputed.gradients, kept.gradients);
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, MicroBatches, testing::ValuesIn(all_methods()), name_of_method);

}  // namespace
}  // namespace basis::behaviour
