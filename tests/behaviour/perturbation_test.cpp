// Gradients beside the values: where they are taken, and that values come back.
#include <cmath>

#include "autograd/row_gradient.h"
#include "tensor/cpu/cpu_backend.h"
#include "tensor/gaussian.h"
#include "tests/behaviour/tiny.h"
#include "tests/experiments/fixture.h"
#include "tests/tensor/as_doubles.h"

namespace basis::behaviour {
namespace {

using Kind = PerturbationOptions::Kind;
using Numbers = std::map<std::string, std::vector<double>>;

constexpr std::uint64_t seed = 11;    // TinyTraining's
constexpr std::int64_t the_step = 2;  // outcome_of_step's

/// How far a parameter is moved, element by element.
using Move = std::function<std::vector<double>(const Parameter&, const std::vector<double>&)>;

/// outcome_of_step with every trained value moved by hand, by no optimiser.
Numbers gradients_beside(const AdapterMethod& method, DType dtype, const Move& move) {
  Machine machine;
  const auto model = tiny_model(machine, {0.1, accumulation_dtype(dtype), "mean"});
  attach(*machine.backend, machine.memory, *model, method);
  for (Parameter* parameter : model->parameters().trainable()) {
    const std::vector<double> values = as_doubles(*machine.backend, parameter->value());
    const std::vector<double> moves = move(*parameter, values);
    // In the values' own arithmetic: a product and a sum, each rounded.
    if (dtype == DType::F64) {
      std::vector<double> moved(values);
      for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += moves[i];
      copy_to_device<double>(*machine.backend, moved, parameter->value());
    } else {
      std::vector<float> moved(values.begin(), values.end());
      for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += static_cast<float>(moves[i]);
      copy_to_device<float>(*machine.backend, moved, parameter->value());
    }
    parameter->touch();
  }
  TinyTrainingOptions options;
  options.dtype = dtype;
  options.learning_rate = options.clip_norm = 0;
  Numbers gradients;
  options.before_update = [&] {
    for (const Parameter* parameter : model->parameters().trainable()) {
      const Gradient& gradient = parameter->gradient();
      gradients[parameter->name()] = as_doubles(
          *machine.backend,
          gradient.rows != nullptr ? gradient.rows->to_dense(machine.memory) : gradient.tensor);
    }
  };
  TinyTraining training(machine, *model, options);
  training.trainer().train_step(the_step);
  return gradients;
}

StepOutcome step_with(const AdapterMethod& method, DType dtype,
                      const PerturbationOptions& perturbation, std::int64_t micro_batch = 0) {
  TinyTrainingOptions options;
  options.dtype = dtype;
  options.micro_batch = micro_batch;
  options.perturbation = perturbation;
  return outcome_of_step(method, {0.1, accumulation_dtype(dtype), "mean"}, options);
}

std::vector<float> noise_of(const Parameter& parameter) {
  std::vector<float> noise;
  const PhiloxKey key = noise_key(seed, hash_of_name(parameter.name()));
  for (std::int64_t i = 0; i < parameter.count(); ++i) {
    const PhiloxCounter counter = noise_counter(static_cast<std::uint32_t>(i / 4), the_step);
    noise.push_back(normal_four(philox4x32(counter, key)).at[i % 4]);
  }
  return noise;
}

double root_mean_square(const std::vector<double>& values, std::int64_t count) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum / static_cast<double>(count));
}

void expect_near(const Numbers& found, const Numbers& wanted, double tolerance) {
  ASSERT_EQ(found.size(), wanted.size());
  for (const auto& [name, numbers] : wanted) {
    const std::vector<double>& other = found.at(name);
    ASSERT_EQ(other.size(), numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      ASSERT_NEAR(other[i], numbers[i], tolerance) << name << " " << i;
    }
  }
}

class Perturbations : public FolderTest, public testing::WithParamInterface<NamedMethod> {
 protected:
  static const AdapterMethod& method() { return GetParam().method; }

  /// Values after a run that is stopped after `stop_at` steps and goes on (0: is not), by name.
  std::map<std::string, std::string> trained(const PerturbationOptions& perturbation,
                                             std::int64_t stop_at = 0, int threads = 1) {
    const std::filesystem::path checkpoints = folder_ / "checkpoints";
    std::filesystem::remove_all(checkpoints);
    std::map<std::string, std::string> values;
    for (int part = 0; part < (stop_at > 0 ? 2 : 1); ++part) {
      Machine machine(threads);
      const auto model = tiny_model(machine);
      attach(*machine.backend, machine.memory, *model, method());
      TinyTrainingOptions options;
      options.folder = checkpoints;
      options.micro_batch = 3;
      options.perturbation = perturbation;
      TinyTraining training(machine, *model, options);
      EXPECT_EQ(training.trainer().resume(), part == 0 ? 0 : stop_at);
      std::int64_t done = 0;
      try {
        training.trainer().run([&](const StepReport& report) { done = report.step; },
                               [&] { return part == 0 && stop_at > 0 && done >= stop_at; });
      } catch (const Cancelled&) {
      }
      values = values_of(*model);
    }
    return values;
  }
};

TEST_P(Perturbations, GoTakesTheGradientBesideTheValues) {
  const double sigma = 0.05;
  for (const DType dtype : {DType::F32, DType::BF16}) {
    const StepOutcome go = step_with(method(), dtype, {Kind::Go, sigma, false});
    const Numbers by_hand =
        gradients_beside(method(), dtype, [&](const Parameter& parameter, const auto&) {
          std::vector<double> moves;
          for (const float one : noise_of(parameter)) {
            moves.push_back(static_cast<float>(sigma) * one);
          }
          return moves;
        });
    EXPECT_EQ(go.gradients, by_hand) << name_of(dtype);
    EXPECT_NE(go.gradients, step_with(method(), dtype, {}).gradients);
  }
}

// f64: sums of some 10^4 squares in another order move by 1e-14 of the noise.
TEST_P(Perturbations, GosSigmaMayBeInUnitsOfEachTensor) {
  const double sigma = 0.1;
  const StepOutcome go = step_with(method(), DType::F64, {Kind::Go, sigma, true});
  const Numbers by_hand = gradients_beside(
      method(), DType::F64, [&](const Parameter& parameter, const std::vector<double>& values) {
        const double unit = root_mean_square(values, parameter.count() - parameter.padding());
        std::vector<double> moves;
        for (const float one : noise_of(parameter)) moves.push_back(sigma * unit * one);
        return moves;
      });
  expect_near(go.gradients, by_hand, 1e-11);
}

// In bf16 the second pass needs its own copies of the weights.
TEST_P(Perturbations, SamTakesTheGradientUphill) {
  const double rho = 0.3;
  for (const DType dtype : {DType::F32, DType::BF16}) {
    const StepOutcome plain = step_with(method(), dtype, {});
    const StepOutcome sam = step_with(method(), dtype, {Kind::Sam, rho});
    const auto scale = static_cast<float>(rho / plain.norm);
    const Numbers by_hand =
        gradients_beside(method(), dtype, [&](const Parameter& parameter, const auto&) {
          std::vector<double> moves = plain.gradients.at(parameter.name());
          for (double& one : moves) one = scale * static_cast<float>(one);
          return moves;
        });
    EXPECT_EQ(sam.gradients, by_hand) << name_of(dtype);
    EXPECT_EQ(sam.loss, plain.loss) << "the loss that is logged is that of the values";
    EXPECT_GT(std::abs(sam.norm - plain.norm), 1e-6 * plain.norm);
  }
}

TEST_P(Perturbations, WithoutASizeChangeNoBit) {
  const auto plain = trained({});
  EXPECT_TRUE(trained({Kind::Go, 0, false}) == plain);
  EXPECT_TRUE(trained({Kind::Go, 0, true}) == plain);
  EXPECT_TRUE(trained({Kind::Sam, 0}) == plain);
  EXPECT_FALSE(trained({Kind::Go, 0.01, false}) == plain);
  EXPECT_FALSE(trained({Kind::Sam, 0.05}) == plain);
}

TEST_P(Perturbations, GiveTheSameBitsAgainAndAfterAResume) {
  for (const PerturbationOptions& options :
       {PerturbationOptions{Kind::Go, 0.02, true}, PerturbationOptions{Kind::Sam, 0.05}}) {
    const auto whole = trained(options);
    EXPECT_TRUE(trained(options) == whole);
    for (std::int64_t stop = 1; stop < 12; ++stop) {
      EXPECT_TRUE(trained(options, stop) == whole) << "stopped after " << stop;
    }
    EXPECT_TRUE(trained(options, 0, 3) == trained(options, 0, 3)) << "three threads";
  }
}

// Whoever sees a step's gradients or reads values between steps finds them in place.
TEST_P(Perturbations, PutEveryBitBack) {
  for (const PerturbationOptions& perturbation :
       {PerturbationOptions{Kind::Go, 10, false}, PerturbationOptions{Kind::Sam, 1e4}}) {
    Machine machine;
    const auto model = tiny_model(machine);
    attach(*machine.backend, machine.memory, *model, method());
    TinyTrainingOptions options;
    options.learning_rate = 0;
    options.perturbation = perturbation;
    std::map<std::string, std::string> before, during;
    options.before_update = [&] { during = values_of(*model); };
    std::vector<std::string> moved;
    options.after_forward = [&] {
      for (const auto& [name, bytes] : values_of(*model)) {
        if (before.at(name) != bytes) moved.push_back(name);
      }
    };
    TinyTraining training(machine, *model, options);
    before = values_of(*model);
    training.trainer().train_step(0);
    EXPECT_TRUE(during == before);
    EXPECT_TRUE(values_of(*model) == before);
    // A factor beside one of zeros has no gradient to be moved along.
    const std::size_t trains = model->parameters().trainable().size();
    EXPECT_GE(moved.size(), perturbation.kind == Kind::Go ? trains : 1) << "of " << trains;
  }
}

// The masks of a step are those of all its passes, and each is over the whole batch.
TEST_P(Perturbations, MicroBatchesGiveTheLargeBatchsGradients) {
  for (const PerturbationOptions& options :
       {PerturbationOptions{Kind::Go, 0.05, true}, PerturbationOptions{Kind::Sam, 0.3}}) {
    const StepOutcome whole = step_with(method(), DType::F64, options);
    for (const std::int64_t micro_batch : {1, 3}) {
      const StepOutcome cut = step_with(method(), DType::F64, options, micro_batch);
      EXPECT_NEAR(cut.loss, whole.loss, 1e-12 * whole.loss);
      EXPECT_NEAR(cut.norm, whole.norm, 1e-10 * whole.norm);
      expect_near(cut.gradients, whole.gradients, 1e-10);
    }
  }
}

/// Full training, whose word embeddings are a table of rows; and adapters of every path.
std::vector<NamedMethod> some_methods() {
  std::vector<NamedMethod> some;
  for (const NamedMethod& method : all_methods()) {
    for (const char* name :
         {"full", "bitfit", "spectral_band_folded", "lora_merged", "dora_side"}) {
      if (method.name == name) some.push_back(method);
    }
  }
  return some;
}

INSTANTIATE_TEST_SUITE_P(Methods, Perturbations, testing::ValuesIn(some_methods()), name_of_method);

}  // namespace
}  // namespace basis::behaviour
