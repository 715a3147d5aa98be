// Net 3: one pass of small BERTs against PyTorch, weight for weight and gradient for gradient.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "tests/oracle/oracle_case.h"
#include "tests/oracle/precision.h"

namespace basis::oracle {
namespace {

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
  Machine machine(precision.make_backend());
  const auto model = oracle.classifier(machine);
  const OracleBatch batch = oracle.batch(machine);
  Tape tape;
  Context context{*machine.backend, *machine.arena, &tape, true, nullptr, precision.dtype};
  Variable logits;
  const Variable loss = loss_of(context, *model, batch, &logits);
  expect_near(as_doubles(*machine.backend, logits.value), oracle.numbers("logits"),
              precision.outputs, "logits");
  const double mean = to_host<double>(*machine.backend, loss.value).front() /
                      static_cast<double>(batch.layout.sequences());
  EXPECT_NEAR(mean, oracle.numbers("loss").front(), precision.outputs);
  tape.backward(context, loss);
  expect_gradients(machine, oracle, *model, precision.gradients);
}

std::string name_of_case(const ::testing::TestParamInfo<Forward::ParamType>& info) {
  return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param).name();
}

INSTANTIATE_TEST_SUITE_P(Classifiers, Forward,
                         ::testing::Combine(::testing::Values("gelu_long", "gelu_mean",
                                                              "gelu_new_mean", "gelu_new_pooler",
                                                              "gelu_new_regression", "relu_mean",
                                                              "relu_pooler", "patches_mean"),
                                            ::testing::ValuesIn(precisions({f64, f32, f32_cuda}))),
                         name_of_case);

class PixelGradient : public ::testing::TestWithParam<Precision> {};

// Attacks move pixels by it, with every parameter frozen.
TEST_P(PixelGradient, AgreesWithPyTorchWhereThePixelsAloneWantOne) {
  const Precision precision = GetParam();
  const Case oracle("forward/patches_mean", precision.dtype);
  Machine machine(precision.make_backend());
  const auto model = oracle.classifier(machine);
  for (const auto& parameter : model->parameters().all()) parameter->set_trainable(false);
  OracleBatch batch = oracle.batch(machine);
  Gradient pixels;
  batch.patches.gradient = &pixels;
  Tape tape;
  Context context{*machine.backend, *machine.arena, &tape, true, nullptr, precision.dtype};
  tape.backward(context, loss_of(context, *model, batch));
  ASSERT_TRUE(pixels.is_written);
  const std::vector<double> wanted = oracle.numbers("patches.grad");
  const Tensor real = pixels.tensor.rows(0, batch.layout.tokens());
  expect_near(as_doubles(*machine.backend, real), wanted,
              precision.gradients * largest_magnitude(wanted), "pixels");
}

std::string name_of_precision(const ::testing::TestParamInfo<Precision>& info) {
  return info.param.name();
}

INSTANTIATE_TEST_SUITE_P(Classifiers, PixelGradient,
                         ::testing::ValuesIn(precisions({f64, f32, f32_cuda})), name_of_precision);

double norm_of(const std::vector<double>& values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

std::vector<double> difference(std::vector<double> a, const std::vector<double>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b.at(i);
  return a;
}

class ForwardInBf16 : public ::testing::TestWithParam<std::tuple<const char*, Precision>> {};

// Activations are rounded; parameters and the head are f32.
TEST_P(ForwardInBf16, AgreesWithPyTorchUpToItsRounding) {
  const auto [name, precision] = GetParam();
  const Case oracle(std::string("forward/") + name, DType::F32);
  Machine machine(precision.make_backend());
  const auto model = oracle.classifier(machine);
  const OracleBatch batch = oracle.batch(machine);
  Tape tape;
  Context context{*machine.backend, *machine.arena, &tape, true, nullptr, DType::BF16};
  Variable logits;
  const Variable loss = loss_of(context, *model, batch, &logits);
  tape.backward(context, loss);
  // A value passes some 12 roundings a layer forward and as many back, each of 2^-9: a random walk.
  // Three standard deviations.
  const double steps = 24.0 * static_cast<double>(model->config().num_hidden_layers);
  const double tolerance = 3 * std::sqrt(steps) * std::ldexp(1, -9);
  const std::vector<double> wanted_logits = oracle.numbers("logits");
  expect_near(as_doubles(*machine.backend, logits.value), wanted_logits,
              tolerance * std::max(1.0, largest_magnitude(wanted_logits)), "logits");
  double whole = 0;
  for (const std::string& stored : oracle.names()) {
    if (stored.starts_with("grad.")) whole = std::hypot(whole, norm_of(oracle.numbers(stored)));
  }
  for (Parameter* parameter : model->parameters().trainable()) {
    if (!parameter->gradient().is_written) continue;
    const std::vector<double> found = as_doubles(*machine.backend, parameter->gradient().tensor);
    const std::string stored = stored_gradient(oracle, *parameter);
    EXPECT_LE(norm_of(difference(found, oracle.numbers(stored))), tolerance * whole) << stored;
  }
}

INSTANTIATE_TEST_SUITE_P(Classifiers, ForwardInBf16,
                         ::testing::Combine(::testing::Values("gelu_mean", "gelu_new_pooler",
                                                              "gelu_new_regression", "relu_mean",
                                                              "patches_mean"),
                                            ::testing::ValuesIn(precisions({bf16, bf16_cuda}))),
                         name_of_case);

class MaskedForward : public ::testing::TestWithParam<std::tuple<const char*, Precision>> {};

TEST_P(MaskedForward, AgreesWithPyTorchInLogitsLossAndEveryGradient) {
  const auto [name, precision] = GetParam();
  const Case oracle(std::string("forward/") + name, precision.dtype);
  Machine machine(precision.make_backend());
  const auto model = oracle.language_model(machine);
  const OracleBatch batch = oracle.batch(machine);
  Tape tape;
  Context context{*machine.backend, *machine.arena, &tape, true, nullptr, precision.dtype};
  const Variable logits = model->logits(context, batch.inputs(), batch.masked_rows);
  const auto count = static_cast<double>(batch.masked_rows.element_count());
  const Variable loss = cross_entropy(context, logits, batch.labels, 1 / count);
  expect_near(as_doubles(*machine.backend, logits.value), oracle.numbers("logits"),
              precision.outputs, "logits");
  EXPECT_NEAR(to_host<double>(*machine.backend, loss.value).front() / count,
              oracle.numbers("loss").front(), precision.outputs);
  tape.backward(context, loss);
  expect_gradients(machine, oracle, *model, precision.gradients);
}

INSTANTIATE_TEST_SUITE_P(LanguageModels, MaskedForward,
                         ::testing::Combine(::testing::Values("gelu_mlm", "gelu_new_mlm",
                                                              "relu_mlm"),
                                            ::testing::ValuesIn(precisions({f64, f32, f32_cuda}))),
                         name_of_case);

}  // namespace
}  // namespace basis::oracle
