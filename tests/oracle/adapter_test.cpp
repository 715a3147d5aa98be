// Net 3: adapters against PyTorch and PEFT, by side path and merged.
#include <algorithm>

#include <gtest/gtest.h>

#include "spectral/adapter_method.h"
#include "tests/oracle/precision.h"
#include "tests/oracle/ten_steps.h"

namespace basis::oracle {
namespace {

struct AdapterCase {
  const char* file;
  AdapterMethod::Kind kind;
  AdapterMethod::Form form = AdapterMethod::Form::Core;
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

/// The file's basis of a weight in place of an SVD of our own.
BasisSource stored_basis(const Case& oracle) {
  return [&oracle](const HostWeight& weight, BasisKind, std::int64_t, std::uint64_t) {
    std::string module = "bert." + weight.name;
    module.erase(module.size() - std::string("weight").size());
    auto read = [&](const std::string& name) {
      const Shape shape = oracle.shape(module + name);
      return Matrix(shape[0], shape[1], oracle.numbers(module + name));
    };
    return Basis{read("U"), read("V"), {}};
  };
}

/// Our parameter's elements in the order of the file's tensor, which holds a band as a dense
/// matrix.
std::vector<double> as_stored(const Parameter& parameter, const std::vector<double>& elements) {
  if (!parameter.name().ends_with(".spectral_band")) return elements;
  const std::int64_t k = parameter.shape()[1], d = (parameter.shape()[0] - 1) / 2;
  std::vector<double> dense(static_cast<std::size_t>(k * k), 0);
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = std::max<std::int64_t>(0, i - d); j <= std::min(k - 1, i + d); ++j) {
      dense[static_cast<std::size_t>(i * k + j)] =
          elements[static_cast<std::size_t>((d + j - i) * k + i)];
    }
  }
  return dense;
}

std::string stored_name(const Parameter& parameter) {
  const std::string& name = parameter.name();
  if (parameter.role() == ParameterRole::Head) return name;
  const std::size_t dot = name.rfind('.');
  if (name.find(".spectral_") != std::string::npos) return "bert." + name.substr(0, dot) + ".M";
  if (name.find(".lora_") != std::string::npos) return "bert." + name + ".weight";
  return "bert." + name;
}

/// Sets a trained factor from the file; the inverse of as_stored.
void fill_factor(Machine& machine, const Case& oracle, Parameter& parameter) {
  const std::vector<double> stored = oracle.numbers(stored_name(parameter));
  std::vector<double> elements(static_cast<std::size_t>(parameter.count()), 0);
  if (!parameter.name().ends_with(".spectral_band")) {
    elements = stored;
  } else {
    const std::int64_t k = parameter.shape()[1], d = (parameter.shape()[0] - 1) / 2;
    for (std::int64_t i = 0; i < k; ++i) {
      for (std::int64_t j = std::max<std::int64_t>(0, i - d); j <= std::min(k - 1, i + d); ++j) {
        elements[static_cast<std::size_t>((d + j - i) * k + i)] =
            stored[static_cast<std::size_t>(i * k + j)];
      }
    }
  }
  parameter.set_value(
      from_doubles(*machine.backend, *machine.memory, elements, parameter.shape(), oracle.dtype()));
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
           method_of(oracle_, std::get<0>(GetParam()), std::get<1>(GetParam())),
           stored_basis(oracle_));
    for (Parameter* parameter : model_->parameters().trainable()) {
      if (parameter->role() == ParameterRole::Adapter) fill_factor(machine_, oracle_, *parameter);
    }
  }

  void expect_all(const std::string& prefix, double tolerance,
                  const std::function<Tensor(const Parameter&)>& tensor_of) {
    std::size_t compared = 0;
    for (Parameter* parameter : model_->parameters().trainable()) {
      const std::string name = prefix + stored_name(*parameter);
      const std::vector<double> wanted = oracle_.numbers(name);
      const double scale = prefix == "grad." ? std::max(1e-3, largest_magnitude(wanted)) : 1;
      expect_near(as_stored(*parameter, as_doubles(*machine_.backend, tensor_of(*parameter))),
                  wanted, tolerance * scale, name);
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

const auto all_cases =
    ::testing::Values(AdapterCase{"lora", Kind::Lora},
                      AdapterCase{"spectral_diagonal", Kind::Spectral, Form::Diagonal},
                      AdapterCase{"spectral_band", Kind::Spectral, Form::Band},
                      AdapterCase{"spectral_core", Kind::Spectral, Form::Core},
                      AdapterCase{"spectral_full_rank", Kind::Spectral, Form::Diagonal},
                      AdapterCase{"bitfit", Kind::BitFit});
const auto all_paths = ::testing::Values(Apply::SidePath, Apply::Auto, Apply::Merged);

INSTANTIATE_TEST_SUITE_P(Methods, Adapters,
                         ::testing::Combine(all_cases, all_paths,
                                            ::testing::ValuesIn(precisions({f64, f32_cuda}))),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(Methods, AdapterSteps,
                         ::testing::Combine(all_cases, all_paths,
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
