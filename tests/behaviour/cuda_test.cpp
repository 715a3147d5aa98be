// A training on the CUDA backend: its own bits again, and the CPU's training in all but bits.
#include <cmath>

#include "tensor/cpu/cpu_backend.h"
#include "tests/behaviour/tiny.h"
#include "tests/cuda/under_test.h"
#include "tests/experiments/fixture.h"

namespace basis::behaviour {
namespace {

using Bytes = std::map<std::string, std::vector<std::byte>>;

constexpr std::int64_t steps = 6;

/// Every parameter's elements, wherever they are.
Bytes bytes_of(Machine& machine, const SequenceClassifier& model) {
  Bytes all;
  for (const auto& parameter : model.parameters().all()) {
    const Tensor& value = parameter->value();
    std::vector<std::byte>& bytes = all[parameter->name()];
    bytes.resize(value.bytes());
    machine.backend->copy_to_host(value.bytes_begin(), bytes.data(), bytes.size());
  }
  return all;
}

/// A model that is trained on one device, from the start or from a checkpoint.
class Piece {
 public:
  Piece(std::unique_ptr<Backend> on, const AdapterMethod& method, DType dtype,
        const std::filesystem::path& folder, const PerturbationOptions& perturbation)
      : machine_(std::move(on)), model_(tiny_model(machine_)) {
    attach(*machine_.backend, machine_.memory, *model_, method);
    TinyTrainingOptions options;
    options.dtype = dtype;
    options.steps = steps;
    options.learning_rate = 1e-3;
    options.folder = folder;
    options.perturbation = perturbation;
    training_ = std::make_unique<TinyTraining>(machine_, *model_, options);
  }

  /// Up to step `last`, where a checkpoint is left unless that is the end. Losses by step.
  std::map<std::int64_t, double> train_until(std::int64_t last) {
    std::map<std::int64_t, double> losses;
    try {
      trainer().run([&](const StepReport& report) { losses[report.step] = report.loss; },
                    [&] { return losses.contains(last); });
    } catch (const Cancelled&) {
      EXPECT_LT(last, steps);
    }
    return losses;
  }
  Trainer& trainer() { return training_->trainer(); }
  Bytes values() { return bytes_of(machine_, *model_); }

 private:
  Machine machine_;
  std::unique_ptr<SequenceClassifier> model_;
  std::unique_ptr<TinyTraining> training_;
};

/// Full training, whose word embeddings are a table of rows, and an adapter.
std::vector<NamedMethod> some_methods() {
  std::vector<NamedMethod> some;
  for (const NamedMethod& method : all_methods()) {
    if (method.name == "full" || method.name == "spectral_band_folded") some.push_back(method);
  }
  return some;
}

class TrainingOnCuda : public FolderTest, public testing::WithParamInterface<NamedMethod> {
 protected:
  Piece on_cpu(const std::string& folder) {
    return {make_cpu_backend(1), GetParam().method, DType::F32, folder_ / folder, perturbation_};
  }
  Piece on_cuda(const std::string& folder, DType dtype = DType::F32) {
    return {make_cuda_under_test(), GetParam().method, dtype, folder_ / folder, perturbation_};
  }

  PerturbationOptions perturbation_;
};

TEST_P(TrainingOnCuda, GivesTheSameBitsTwice) {
  for (const DType dtype : {DType::F32, DType::BF16}) {
    Piece one = on_cuda("one", dtype), other = on_cuda("other", dtype);
    const auto losses = one.train_until(steps);
    EXPECT_EQ(losses.size(), steps);
    EXPECT_EQ(losses, other.train_until(steps)) << name_of(dtype);
    EXPECT_TRUE(one.values() == other.values()) << name_of(dtype);
  }
}

// The same masks, the same batches: losses differ by rounding, in f32 as the oracle's do from
// f64's.
TEST_P(TrainingOnCuda, LearnsAsTheCpuDoes) {
  const auto wanted = on_cpu("cpu").train_until(steps);
  const auto exact = on_cuda("f32").train_until(steps);
  const auto rounded = on_cuda("bf16", DType::BF16).train_until(steps);
  ASSERT_EQ(wanted.size(), steps);
  for (const auto& [step, loss] : wanted) {
    EXPECT_NEAR(exact.at(step), loss, 1e-4) << "step " << step;
    EXPECT_NEAR(rounded.at(step), loss, 0.02 * loss) << "step " << step << " in bf16";
  }
}

TEST_P(TrainingOnCuda, GoesOnFromACheckpointAsIfItHadNotStopped) {
  Piece whole = on_cuda("whole"), first = on_cuda("parts"), second = on_cuda("parts");
  whole.train_until(steps);
  // A device that runs ahead is one step further when the fourth is known.
  const std::int64_t stopped = first.train_until(4).rbegin()->first;
  EXPECT_EQ(second.trainer().resume(), stopped);
  EXPECT_EQ(second.trainer().resume_remark(), "");
  second.train_until(steps);
  EXPECT_TRUE(second.values() == whole.values());
}

// Values cross bit for bit; the losses of the other device's steps differ by rounding, as f32's do
// from f64's in the oracle (1e-4).
TEST_P(TrainingOnCuda, CrossesBetweenDevicesInACheckpoint) {
  Piece cpu_alone = on_cpu("alone");
  const auto wanted = cpu_alone.train_until(steps);
  for (const bool begins_on_cpu : {true, false}) {
    const std::string folder = begins_on_cpu ? "from cpu" : "from cuda";
    Piece first = begins_on_cpu ? on_cpu(folder) : on_cuda(folder);
    Piece second = begins_on_cpu ? on_cuda(folder) : on_cpu(folder);
    auto losses = first.train_until(3);
    EXPECT_EQ(second.trainer().resume(), losses.rbegin()->first);
    EXPECT_NE(second.trainer().resume_remark(), "");
    EXPECT_TRUE(first.values() == second.values()) << folder;
    losses.merge(second.train_until(steps));
    ASSERT_EQ(losses.size(), wanted.size());
    for (const auto& [step, loss] : wanted) EXPECT_NEAR(losses.at(step), loss, 1e-4) << step;
  }
}

// SAM and GO: noise has the CPU's bits, and values come back.
TEST_P(TrainingOnCuda, LearnsAsTheCpuDoesBesideItsValues) {
  using Kind = PerturbationOptions::Kind;
  for (const PerturbationOptions& options :
       {PerturbationOptions{Kind::Sam, 0.5}, PerturbationOptions{Kind::Go, 0.05, true}}) {
    perturbation_ = {};
    const auto plain = on_cpu("plain").train_until(steps);
    perturbation_ = options;
    const auto wanted = on_cpu("cpu").train_until(steps);
    Piece whole = on_cuda("whole"), first = on_cuda("parts"), second = on_cuda("parts");
    const auto found = whole.train_until(steps);
    ASSERT_EQ(wanted.size(), steps);
    for (const auto& [step, loss] : wanted) EXPECT_NEAR(found.at(step), loss, 1e-4) << step;
    EXPECT_GT(std::abs(wanted.at(steps) - plain.at(steps)), 1e-3) << "nothing was moved";
    first.train_until(3);
    second.trainer().resume();
    second.train_until(steps);
    EXPECT_TRUE(second.values() == whole.values());
    for (const char* folder : {"plain", "cpu", "whole", "parts"}) {
      std::filesystem::remove_all(folder_ / folder);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, TrainingOnCuda, testing::ValuesIn(some_methods()),
                         name_of_method);

}  // namespace
}  // namespace basis::behaviour
