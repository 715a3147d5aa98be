// A training that leaves the numbers stops, says where, and leaves what was good.
#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "tests/behaviour/tiny.h"
#include "tests/experiments/fixture.h"

namespace basis::behaviour {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

class NotFinite : public FolderTest {
 protected:
  TinyTrainingOptions options() const {
    TinyTrainingOptions options;
    options.steps = 10;
    options.checkpoint_every = 2;
    options.folder = folder_ / "checkpoints";
    return options;
  }
  std::string checkpoint(int step) const {
    return (folder_ / "checkpoints" / ("step-" + std::to_string(step) + ".safetensors")).string();
  }

  Machine machine_;
};

/// The message of the error that ends the training.
std::string message_of(Trainer& trainer,
                       const std::function<void(const StepReport&)>& on_step = nullptr) {
  try {
    trainer.run(on_step);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST_F(NotFinite, AnAbsurdLearningRateStopsWithTheStepAndWhatBroke) {
  const auto model = tiny_model(machine_);
  attach(*machine_.backend, machine_.memory, *model, {});
  TinyTrainingOptions absurd = options();
  absurd.learning_rate = 1e30;
  absurd.checkpoint_every = 0;
  TinyTraining training(machine_, *model, absurd);
  EXPECT_THAT(message_of(training.trainer()),
              AllOf(HasSubstr("step 2: "), HasSubstr("is not finite"),
                    AnyOf(HasSubstr("the loss"), HasSubstr("the gradient of ")),
                    HasSubstr("There is no checkpoint yet"), HasSubstr("smaller learning rate")));
}

TEST_F(NotFinite, ALossNamesTheStepAndTheCheckpoint) {
  const auto model = tiny_model(machine_);
  attach(*machine_.backend, machine_.memory, *model, {});
  TinyTraining training(machine_, *model, options());
  Parameter& bias = model->parameters().at("classifier.bias");
  const auto poison = [&](const StepReport& report) {
    if (report.step != 5) return;
    bias.value().data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    bias.touch();
  };
  EXPECT_THAT(message_of(training.trainer(), poison),
              AllOf(HasSubstr("step 6: the loss is not finite, nor are the values of "
                              "classifier.bias"),
                    HasSubstr("Last good checkpoint: " + checkpoint(4) + ".")));
}

TEST_F(NotFinite, AGradientNamesItsParameterAndChangesNothing) {
  const auto model = tiny_model(machine_);
  attach(*machine_.backend, machine_.memory, *model, {});
  TinyTraining training(machine_, *model, options());
  std::map<std::string, std::string> before;
  const auto break_gradients = [&](const StepReport& report) {
    if (report.step != 7) return;
    training.gradient_scale = std::numeric_limits<double>::infinity();
    before = values_of(*model);
  };
  EXPECT_THAT(message_of(training.trainer(), break_gradients),
              AllOf(HasSubstr("step 8: the gradient of "), HasSubstr("embeddings"),
                    HasSubstr("Last good checkpoint: " + checkpoint(6) + ".")));
  EXPECT_EQ(values_of(*model), before);
}

// No step comes after the last one whose loss would show what its update did.
TEST_F(NotFinite, TheLastStepIsNamedToo) {
  const auto model = tiny_model(machine_);
  attach(*machine_.backend, machine_.memory, *model, {});
  TinyTraining training(machine_, *model, options());
  Parameter& bias = model->parameters().at("classifier.bias");
  const auto poison = [&](const StepReport& report) {
    if (report.step != 10) return;
    bias.value().data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    bias.touch();
  };
  EXPECT_THAT(
      message_of(training.trainer(), poison),
      AllOf(HasSubstr("step 10: the loss after its update is not finite, nor are the values "
                      "of classifier.bias; stopped."),
            HasSubstr("Last good checkpoint: " + checkpoint(8) + ".")));
}

TEST_F(NotFinite, AnAbsurdLearningRateInTheOnlyStepNamesTheLargestParameter) {
  const auto model = tiny_model(machine_);
  attach(*machine_.backend, machine_.memory, *model, {});
  TinyTrainingOptions absurd = options();
  absurd.learning_rate = 1e30;
  absurd.steps = 1;
  TinyTraining training(machine_, *model, absurd);
  EXPECT_THAT(message_of(training.trainer()),
              AllOf(HasSubstr("step 1: the loss after its update is not finite (the largest values "
                              "are those of "),
                    HasSubstr("There is no checkpoint yet")));
}

// The checkpoint after an update that broke the values stood where the good one had been.
TEST_F(NotFinite, ValuesWithoutAFiniteLossBecomeNoCheckpoint) {
  const auto model = tiny_model(machine_);
  attach(*machine_.backend, machine_.memory, *model, {});
  TinyTrainingOptions every_step = options();
  every_step.checkpoint_every = 1;
  TinyTraining training(machine_, *model, every_step);
  Parameter& bias = model->parameters().at("classifier.bias");
  const auto poison = [&](const StepReport& report) {
    if (report.step != 5) return;
    bias.value().data<float>()[0] = std::numeric_limits<float>::infinity();
    bias.touch();
  };
  EXPECT_THAT(message_of(training.trainer(), poison),
              AllOf(HasSubstr("step 5: the loss after its update is not finite"),
                    HasSubstr("Last good checkpoint: " + checkpoint(4) + ".")));
  EXPECT_TRUE(std::filesystem::exists(checkpoint(4)));
  EXPECT_FALSE(std::filesystem::exists(checkpoint(5)));
}

// The checkpoint that the message names is good: from it a sound training ends as if nothing had
// been.
TEST_F(NotFinite, TheNamedCheckpointGoesOnToTheSameBits) {
  const auto whole = tiny_model(machine_);
  attach(*machine_.backend, machine_.memory, *whole, {});
  TinyTrainingOptions without_checkpoints = options();
  without_checkpoints.folder.clear();
  TinyTraining(machine_, *whole, without_checkpoints).trainer().run(nullptr);

  const auto broken = tiny_model(machine_);
  attach(*machine_.backend, machine_.memory, *broken, {});
  TinyTraining breaking(machine_, *broken, options());
  message_of(breaking.trainer(), [&](const StepReport& report) {
    if (report.step == 5) breaking.gradient_scale = std::numeric_limits<double>::infinity();
  });

  const auto again = tiny_model(machine_);
  attach(*machine_.backend, machine_.memory, *again, {});
  TinyTraining going_on(machine_, *again, options());
  EXPECT_EQ(going_on.trainer().resume(), 4);
  going_on.trainer().run(nullptr);
  EXPECT_EQ(values_of(*again), values_of(*whole));
}

}  // namespace
}  // namespace basis::behaviour
