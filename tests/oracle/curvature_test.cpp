// Net 3: Curvature Tuning's activation against the paper's formula under PyTorch's autograd.
#include "autograd/curvature.h"

#include <gtest/gtest.h>

#include "tests/oracle/oracle_case.h"
#include "tests/oracle/precision.h"

namespace basis::oracle {
namespace {

class Curvature : public ::testing::TestWithParam<Precision> {};

TEST_P(Curvature, AgreesWithPyTorchInValueAndEveryGradient) {
  const Precision precision = GetParam();
  const Case oracle("curvature", precision.dtype);
  Machine machine(precision.make_backend());
  const auto on_device = [&](const std::string& name) {
    return from_doubles(*machine.backend, *machine.memory, oracle.numbers(name), oracle.shape(name),
                        precision.dtype);
  };
  const char* const names[] = {"x", "bias", "beta", "c"};
  Gradient gradients[std::size(names)];
  Variable inputs[std::size(names)];
  for (std::size_t i = 0; i < std::size(names); ++i)
    inputs[i] = {on_device(names[i]), &gradients[i]};
  Tape tape;
  Context context{*machine.backend, *machine.arena, &tape, true, nullptr, precision.dtype};
  const Variable y = curvature_activation(context, inputs[0], inputs[1], inputs[2], inputs[3]);
  expect_near(as_doubles(*machine.backend, y.value), oracle.numbers("y"), precision.outputs, "y");
  tape.backward(context, y, on_device("cotangent"));
  for (std::size_t i = 0; i < std::size(names); ++i) {
    const std::vector<double> wanted = oracle.numbers(std::string("grad.") + names[i]);
    expect_near(as_doubles(*machine.backend, gradients[i].tensor), wanted,
                precision.gradients * largest_magnitude(wanted), names[i]);
  }
}

std::string name_of_precision(const ::testing::TestParamInfo<Precision>& info) {
  return info.param.name();
}

INSTANTIATE_TEST_SUITE_P(Functions, Curvature,
                         ::testing::ValuesIn(precisions({f64, f32, f32_cuda})), name_of_precision);

}  // namespace
}  // namespace basis::oracle
