// Net 3: one pass of small BERTs against PyTorch, weight for weight and gradient for gradient.
#include <gtest/gtest.h>

#include "tests/oracle/oracle_case.h"

namespace basis::oracle {
namespace {

struct Precision {
  DType dtype;
  double logits;     // absolute
  double gradients;  // of the tensor's largest entry
};
// README.md beside this file: f64 agrees to rounding, f32 to what its sums over H and F allow.
constexpr Precision f64{DType::F64, 1e-9, 1e-9};
constexpr Precision f32{DType::F32, 1e-4, 1e-4};

void expect_gradient(Machine& machine, const Case& oracle, const Parameter& parameter,
                     const std::string& stored_name, double tolerance) {
  const std::vector<double> wanted = oracle.numbers(stored_name);
  if (!parameter.gradient().is_written) {
    EXPECT_EQ(largest_magnitude(wanted), 0) << stored_name << " has no gradient here";
    return;
  }
  // A key bias has an exactly zero gradient: what stands there is the rounding of its neighbours.
  const bool is_zero = stored_name.ends_with("self.key.bias");
  const double scale =
      is_zero
          ? largest_magnitude(oracle.numbers("grad.bert.encoder.layer.0.attention.self.query.bias"))
          : largest_magnitude(wanted);
  expect_near(as_doubles(*machine.backend, parameter.gradient().tensor), wanted, tolerance * scale,
              stored_name);
}

std::string stored_gradient(const Case& oracle, const Parameter& parameter) {
  for (const std::string prefix : {"grad.", "grad.bert."}) {
    if (oracle.contains(prefix + parameter.name())) return prefix + parameter.name();
  }
  return "";
}

template <class Model>
void expect_gradients(Machine& machine, const Case& oracle, Model& model, double tolerance) {
  std::size_t compared = 0;
  for (Parameter* parameter : model.parameters().trainable()) {
    const std::string name = stored_gradient(oracle, *parameter);
    EXPECT_FALSE(name.empty()) << "PyTorch's file has no gradient of " << parameter->name();
    if (name.empty()) continue;
    expect_gradient(machine, oracle, *parameter, name, tolerance);
    ++compared;
  }
  std::size_t stored = 0;
  for (const std::string& name : oracle.names()) stored += name.starts_with("grad.");
  EXPECT_EQ(compared, stored) << "every gradient in the file has its parameter";
}

class Forward : public ::testing::TestWithParam<std::tuple<const char*, Precision>> {};

TEST_P(Forward, AgreesWithPyTorchInLogitsLossAndEveryGradient) {
  const auto [name, precision] = GetParam();
  const Case oracle(std::string("forward/") + name, precision.dtype);
  Machine machine;
  const auto model = oracle.classifier(machine);
  const OracleBatch batch = oracle.batch(machine);
  Tape tape;
  Context context{*machine.backend, *machine.arena, &tape, true, nullptr, precision.dtype};
  Variable logits;
  const Variable loss = loss_of(context, *model, batch, &logits);
  expect_near(as_doubles(*machine.backend, logits.value), oracle.numbers("logits"),
              precision.logits, "logits");
  const double mean = to_host<double>(*machine.backend, loss.value).front() /
                      static_cast<double>(batch.layout.sequences());
  EXPECT_NEAR(mean, oracle.numbers("loss").front(), precision.logits);
  tape.backward(context, loss);
  expect_gradients(machine, oracle, *model, precision.gradients);
}

std::string name_of_case(const ::testing::TestParamInfo<Forward::ParamType>& info) {
  return std::string(std::get<0>(info.param)) + "_" + basis::name_of(std::get<1>(info.param).dtype);
}

INSTANTIATE_TEST_SUITE_P(Classifiers, Forward,
                         ::testing::Combine(::testing::Values("gelu_long", "gelu_mean",
                                                              "gelu_new_mean", "gelu_new_pooler",
                                                              "gelu_new_regression", "relu_mean",
                                                              "relu_pooler"),
                                            ::testing::Values(f64, f32)),
                         name_of_case);

class MaskedForward : public ::testing::TestWithParam<std::tuple<const char*, Precision>> {};

TEST_P(MaskedForward, AgreesWithPyTorchInLogitsLossAndEveryGradient) {
  const auto [name, precision] = GetParam();
  const Case oracle(std::string("forward/") + name, precision.dtype);
  Machine machine;
  const auto model = oracle.language_model(machine);
  const OracleBatch batch = oracle.batch(machine);
  Tape tape;
  Context context{*machine.backend, *machine.arena, &tape, true, nullptr, precision.dtype};
  const Variable logits = model->logits(context, batch.inputs(), batch.masked_rows);
  const auto count = static_cast<double>(batch.masked_rows.element_count());
  const Variable loss = cross_entropy(context, logits, batch.labels, 1 / count);
  expect_near(as_doubles(*machine.backend, logits.value), oracle.numbers("logits"),
              precision.logits, "logits");
  EXPECT_NEAR(to_host<double>(*machine.backend, loss.value).front() / count,
              oracle.numbers("loss").front(), precision.logits);
  tape.backward(context, loss);
  expect_gradients(machine, oracle, *model, precision.gradients);
}

INSTANTIATE_TEST_SUITE_P(LanguageModels, MaskedForward,
                         ::testing::Combine(::testing::Values("gelu_mlm", "gelu_new_mlm",
                                                              "relu_mlm"),
                                            ::testing::Values(f64, f32)),
                         name_of_case);

}  // namespace
}  // namespace basis::oracle
