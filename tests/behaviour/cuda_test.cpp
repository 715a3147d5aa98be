// A training on the CUDA backend: its own bits again, and the CPU's training in all but bits.
#include "tensor/cpu/cpu_backend.h"
#include "tests/behaviour/tiny.h"
#include "tests/cuda/under_test.h"

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

/// A model that is trained on one device.
class TinyRun {
 public:
  TinyRun(std::unique_ptr<Backend> on, const AdapterMethod& method, DType dtype)
      : machine_(std::move(on)), model_(tiny_model(machine_)) {
    attach(*machine_.backend, machine_.memory, *model_, method);
    TinyTrainingOptions options;
    options.dtype = dtype;
    options.steps = steps;
    options.learning_rate = 1e-3;
    training_ = std::make_unique<TinyTraining>(machine_, *model_, options);
  }

  /// Losses by step.
  std::map<std::int64_t, double> train() {
    std::map<std::int64_t, double> losses;
    training_->trainer().run([&](const StepReport& report) { losses[report.step] = report.loss; });
    return losses;
  }
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

class TrainingOnCuda : public testing::TestWithParam<NamedMethod> {
 protected:
  TinyRun on_cpu() { return {make_cpu_backend(1), GetParam().method, DType::F32}; }
  TinyRun on_cuda(DType dtype) { return {make_cuda_under_test(), GetParam().method, dtype}; }
};

TEST_P(TrainingOnCuda, GivesTheSameBitsTwice) {
  for (const DType dtype : {DType::F32, DType::BF16}) {
    TinyRun one = on_cuda(dtype), other = on_cuda(dtype);
    const auto losses = one.train();
    EXPECT_EQ(losses.size(), steps);
    EXPECT_EQ(losses, other.train()) << name_of(dtype);
    EXPECT_TRUE(one.values() == other.values()) << name_of(dtype);
  }
}

// The same masks, the same batches: losses differ by rounding, in f32 as the oracle's do from
// f64's.
TEST_P(TrainingOnCuda, LearnsAsTheCpuDoes) {
  const auto wanted = on_cpu().train();
  const auto exact = on_cuda(DType::F32).train();
  const auto rounded = on_cuda(DType::BF16).train();
  ASSERT_EQ(wanted.size(), steps);
  for (const auto& [step, loss] : wanted) {
    EXPECT_NEAR(exact.at(step), loss, 1e-4) << "step " << step;
    EXPECT_NEAR(rounded.at(step), loss, 0.02 * loss) << "step " << step << " in bf16";
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, TrainingOnCuda, testing::ValuesIn(some_methods()),
                         name_of_method);

}  // namespace
}  // namespace basis::behaviour
