// Net 3: adapters against PyTorch and PEFT, by side path and merged.
#include <algorithm>
#include <cctype>

#include <gtest/gtest.h>

#include "spectral/adapter_method.h"
#include "spectral/merged_adapters.h"
#include "tests/oracle/precision.h"
#include "tests/oracle/ten_steps.h"

namespace basis::oracle {
namespace {

struct AdapterCase {
  const char* file;
  AdapterMethod::Kind kind;
  AdapterMethod::Form form = AdapterMethod::Form::Core;
  bool shares_factors = false;
};

/// What gtest prints in place of the struct's bytes.
void PrintTo(const AdapterCase& test, std::ostream* out) {
  *out << test.file;
}

AdapterMethod method_of(const Case& oracle, const AdapterCase& test, AdapterMethod::Apply apply) {
  const nlohmann::json& settings = oracle.settings();
  AdapterMethod method;
  method.kind = test.kind;
  method.form = test.form;
  method.shares_factors = test.shares_factors;
  method.apply = apply;
  method.tokens_per_step = 1000;  // so many that auto is no side path
  if (settings.contains("rank")) method.rank = settings.at("rank").get<std::int64_t>();
  if (settings.contains("alpha")) method.alpha = settings.at("alpha").get<double>();
  if (!settings.contains("targets")) return method;
  for (const auto& target : settings.at("targets")) {
    for (const MatrixKind kind : all_matrix_kinds) {
      const std::string name =
          bert_matrix_name(0, kind).substr(std::string("encoder.layer.0.").size());
      if (name == target.get<std::string>()) method.targets.push_back(kind);
    }
  }
  return method;
}

/// The file's name of one of our parameters.
std::string stored_name(const Parameter& parameter) {
  const std::string& name = parameter.name();
  if (parameter.role() != ParameterRole::Adapter) {
    return parameter.role() == ParameterRole::Head ? name : "bert." + name;
  }
  const std::size_t dot = name.rfind('.');
  const std::string factor = name.substr(dot + 1);
  if (factor.starts_with("vera_A") || factor.starts_with("vera_B")) return factor.substr(0, 6);
  std::string module = "bert." + name.substr(0, dot) + ".";
  for (const MatrixKind kind : all_matrix_kinds) {  // what layers share stands with the first
    if (name.starts_with(std::string("encoder.shared.") + name_of(kind) + ".")) {
      module = "bert." + bert_matrix_name(0, kind) + ".";
    }
  }
  if (factor.starts_with("lora_xs_")) {
    return module + (factor.ends_with("U") ? "U" : factor.ends_with("V") ? "V_sigma" : "M");
  }
  if (factor == "lora_magnitude_vector" || factor == "ia3_l") return module + factor;
  if (factor.starts_with("lora_")) return module + factor + ".weight";
  if (factor.starts_with("vera_")) return module + "vera_lambda_" + factor.substr(5);
  if (factor.starts_with("spectral_") && std::islower(factor.back()) != 0) return module + "M";
  return module + factor.substr(factor.find('_') + 1);
}

/// Our parameter's elements from the file, which has V and not Vᵀ, a band as a dense matrix and
/// VeRA's projections whole.
std::vector<double> stored_elements(const Case& oracle, const std::string& prefix,
                                    const Parameter& parameter) {
  const std::string stored = prefix + stored_name(parameter);
  const std::vector<double> numbers = oracle.numbers(stored);
  if (parameter.shape().rank() < 2) return numbers;
  const bool is_band = parameter.name().ends_with(".spectral_band");
  const bool is_transposed = stored.ends_with(".V") || stored.ends_with(".V_sigma");
  const std::int64_t rows = parameter.shape()[0], columns = parameter.shape()[1];
  const std::int64_t width = oracle.shape(stored)[1], d = (rows - 1) / 2;
  std::vector<double> elements;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      const std::int64_t column = i + j - d;  // of the band's entry (j, column)
      if (is_band && (column < 0 || column >= columns)) {
        elements.push_back(0);
        continue;
      }
      const std::int64_t row = is_band || is_transposed ? j : i;
      const std::int64_t at = is_band ? column : is_transposed ? i : j;
      elements.push_back(numbers[static_cast<std::size_t>(row * width + at)]);
    }
  }
  return elements;
}

class Adapters
    : public ::testing::TestWithParam<std::tuple<AdapterCase, AdapterMethod::Apply, Precision>> {
 protected:
  Adapters()
      : precision_(std::get<2>(GetParam())),
        machine_(precision_.make_backend()),
        oracle_(std::string("adapters/") + std::get<0>(GetParam()).file, precision_.dtype) {
    model_ = oracle_.classifier(machine_);
    attach(*machine_.backend, *machine_.memory, *model_,
           method_of(oracle_, std::get<0>(GetParam()), std::get<1>(GetParam())));
    for (const auto& parameter : model_->parameters().all()) {
      if (parameter->role() != ParameterRole::Adapter) continue;
      parameter->set_value(from_doubles(*machine_.backend, *machine_.memory,
                                        stored_elements(oracle_, "", *parameter),
                                        parameter->shape(), oracle_.dtype()));
    }
  }

  void expect_all(const std::string& prefix, double tolerance,
                  const std::function<Tensor(const Parameter&)>& tensor_of) {
    std::size_t compared = 0;
    for (Parameter* parameter : model_->parameters().trainable()) {
      const std::string name = prefix + stored_name(*parameter);
      const std::vector<double> wanted = stored_elements(oracle_, prefix, *parameter);
      const double scale = prefix == "grad." ? std::max(1e-3, largest_magnitude(wanted)) : 1;
      expect_near(as_doubles(*machine_.backend, tensor_of(*parameter)), wanted, tolerance * scale,
                  name);
      ++compared;
    }
    std::size_t stored = 0;
    for (const std::string& name : oracle_.names()) stored += name.starts_with(prefix);
    EXPECT_EQ(compared, stored) << prefix;
  }

  Precision precision_;
  Machine machine_;
  Case oracle_;
  std::unique_ptr<SequenceClassifier> model_;
};

TEST_P(Adapters, AgreeInLogitsAndEveryGradient) {
  const OracleBatch batch = oracle_.batch(machine_);
  Tape tape;
  Context context{*machine_.backend, *machine_.arena, &tape, true, nullptr, precision_.dtype};
  Variable logits;
  const Variable loss = loss_of(context, *model_, batch, &logits);
  expect_near(as_doubles(*machine_.backend, logits.value), oracle_.numbers("logits"),
              precision_.outputs, "logits");
  tape.backward(context, loss);
  expect_all("grad.", precision_.gradients,
             [](const Parameter& parameter) { return parameter.gradient().tensor; });
}

using AdapterSteps = Adapters;

TEST_P(AdapterSteps, AgreeInLossesAndEveryParameter) {
  const Steps steps = ten_steps(machine_, oracle_, *model_, false);
  expect_near(steps.losses, oracle_.numbers("losses"), precision_.outputs, "losses");
  // Adam in f32 turns the rounding of a zero gradient into a step of any sign (README.md).
  if (precision_.dtype == DType::F32) return;
  expect_all("after.", 1e-9, [](const Parameter& parameter) { return parameter.value(); });
}

TEST_P(Adapters, GiveTheSameLogitsMergedAndTheOriginalWeightsBack) {
  const OracleBatch batch = oracle_.batch(machine_);
  const Parameter& weight = model_->parameters().at("encoder.layer.1.attention.self.key.weight");
  const std::vector<double> before = as_doubles(*machine_.backend, weight.value());
  auto logits = [&] {
    Context context{*machine_.backend, *machine_.arena, nullptr, false, nullptr, precision_.dtype};
    return as_doubles(*machine_.backend, model_->logits(context, batch.inputs()).value);
  };
  const std::vector<double> unmerged = logits();
  MergedAdapters merged(*machine_.backend, *machine_.memory, *model_);
  // Roundings of W + F1 ... Fn through two layers, in logits below 10.
  expect_near(logits(), unmerged, precision_.dtype == DType::F64 ? 1e-12 : 1e-5, "merged logits");
  merged.unmerge();
  EXPECT_EQ(as_doubles(*machine_.backend, weight.value()), before);
  EXPECT_EQ(logits(), unmerged);
}

using Kind = AdapterMethod::Kind;
using Form = AdapterMethod::Form;
using Apply = AdapterMethod::Apply;

std::string name_of_case(const ::testing::TestParamInfo<Adapters::ParamType>& info) {
  const auto& [test, apply, precision] = info.param;
  const std::string path = apply == Apply::Merged     ? "merged"
                           : apply == Apply::SidePath ? "side_path"
                                                      : "folded";
  return std::string(test.file) + "_" + path + "_" + precision.name();
}

const auto all_cases = ::testing::Values(
    AdapterCase{"lora", Kind::Lora},
    AdapterCase{"spectral_diagonal", Kind::Spectral, Form::Diagonal},
    AdapterCase{"spectral_band", Kind::Spectral, Form::Band},
    AdapterCase{"spectral_core", Kind::Spectral, Form::Core},
    AdapterCase{"spectral_full_rank", Kind::Spectral, Form::Diagonal},
    AdapterCase{"bitfit", Kind::BitFit}, AdapterCase{"rslora", Kind::RsLora},
    AdapterCase{"pissa", Kind::Pissa}, AdapterCase{"lora_xs", Kind::LoraXs},
    AdapterCase{"pica", Kind::Pica}, AdapterCase{"pica_shared", Kind::Pica, Form::Core, true});
const auto all_paths = ::testing::Values(Apply::SidePath, Apply::Auto, Apply::Merged);

INSTANTIATE_TEST_SUITE_P(Methods, Adapters,
                         ::testing::Combine(all_cases, all_paths,
                                            ::testing::ValuesIn(precisions({f64, f32_cuda}))),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(Methods, AdapterSteps,
                         ::testing::Combine(all_cases, all_paths,
                                            ::testing::ValuesIn(precisions({f64}))),
                         name_of_case);
// VeRA's product starts with a diagonal, DoRA and IA3 scale: they have the side path alone.
const auto others =
    ::testing::Values(AdapterCase{"vera", Kind::Vera}, AdapterCase{"dora", Kind::Dora},
                      AdapterCase{"ia3", Kind::Ia3});
const auto side_path = ::testing::Values(Apply::SidePath);
INSTANTIATE_TEST_SUITE_P(SidePathAlone, Adapters,
                         ::testing::Combine(others, side_path,
                                            ::testing::ValuesIn(precisions({f64, f32_cuda}))),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(SidePathAlone, AdapterSteps,
                         ::testing::Combine(others, side_path,
                                            ::testing::ValuesIn(precisions({f64}))),
                         name_of_case);
// Of these f32 compares losses alone, so that few will do.
INSTANTIATE_TEST_SUITE_P(
    MethodsOnCuda, AdapterSteps,
    ::testing::Combine(::testing::Values(AdapterCase{"lora", Kind::Lora},
                                         AdapterCase{"spectral_band", Kind::Spectral, Form::Band}),
                       ::testing::Values(Apply::Auto), ::testing::ValuesIn(precisions({f32_cuda}))),
    name_of_case);

}  // namespace
}  // namespace basis::oracle
