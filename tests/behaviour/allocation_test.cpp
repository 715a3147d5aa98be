// After one epoch every shape of a batch has come: from then on a step asks the system for nothing.
#include "tensor/cpu/memory.h"
#include "tests/behaviour/tiny.h"

namespace basis::behaviour {
namespace {

class Allocation : public testing::TestWithParam<NamedMethod> {};

void expect_no_requests_after_an_epoch(const AdapterMethod& method, DType dtype,
                                       const PerturbationOptions& perturbation = {}) {
  Machine machine;
  const auto model = tiny_model(machine);
  attach(*machine.backend, machine.memory, *model, method);
  TinyTrainingOptions options;
  options.dtype = dtype;
  options.perturbation = perturbation;
  options.micro_batch = 3;  // cuts a batch of 8 into 3, 3 and 2
  TinyTraining training(machine, *model, options);
  const std::int64_t epoch = training.steps_per_epoch();
  ASSERT_EQ(epoch, 6);
  for (std::int64_t step = 0; step < epoch; ++step) training.trainer().train_step(step);
  const std::size_t requests = cpu::reservations();
  const std::size_t live = machine.memory.live_bytes();
  const std::size_t high_water = machine.arena.high_water();
  EXPECT_GT(high_water, 0u);
  for (std::int64_t step = epoch; step < 4 * epoch; ++step) {
    training.trainer().train_step(step);
    EXPECT_EQ(cpu::reservations(), requests) << "step " << step;
    EXPECT_EQ(machine.arena.high_water(), high_water) << "step " << step;
    EXPECT_EQ(machine.arena.live_bytes(), 0u) << "step " << step;
  }
  // The last batch of an epoch is alive at both places.
  EXPECT_EQ(machine.memory.live_bytes(), live);
}

TEST_P(Allocation, StopsAfterTheFirstEpoch) {
  expect_no_requests_after_an_epoch(GetParam().method, DType::F32);
}

// Weights that train are prepared anew in every step, merged ones in every micro-batch.
TEST_P(Allocation, StopsAfterTheFirstEpochInBf16) {
  expect_no_requests_after_an_epoch(GetParam().method, DType::BF16);
}

TEST_P(Allocation, StopsAfterTheFirstEpochBesideTheValues) {
  using Kind = PerturbationOptions::Kind;
  expect_no_requests_after_an_epoch(GetParam().method, DType::F32, {Kind::Sam, 0.05});
  expect_no_requests_after_an_epoch(GetParam().method, DType::BF16, {Kind::Go, 0.1, true});
}

// A step never holds all activations and all gradients: gradients have no memory before backward
// reaches their layer, when later layers have freed what they kept.
TEST(StepMemory, IsActivationsAfterForwardAndGradientsAfterBackward) {
  Machine machine;
  const auto model = tiny_model(machine);
  attach(*machine.backend, machine.memory, *model, {});
  std::size_t gradients = 0, written = 0, kept = 0;
  TinyTrainingOptions options;
  options.after_forward = [&] {
    kept = machine.arena.live_bytes();
    for (const Parameter* parameter : model->parameters().trainable()) {
      EXPECT_TRUE(parameter->gradient().tensor.is_empty()) << parameter->name();
    }
  };
  options.before_update = [&] {
    gradients = machine.arena.live_bytes();
    for (const Parameter* parameter : model->parameters().trainable()) {
      const Tensor& gradient = parameter->gradient().tensor;
      if (!gradient.is_empty()) written += (gradient.bytes() + 63) / 64 * 64;
    }
  };
  TinyTraining training(machine, *model, options);
  training.trainer().train_step(0);
  EXPECT_GT(kept, 0u);
  EXPECT_GT(written, 0u);
  EXPECT_EQ(gradients, written);
}

INSTANTIATE_TEST_SUITE_P(Methods, Allocation, testing::ValuesIn(all_methods()), name_of_method);

}  // namespace
}  // namespace basis::behaviour
