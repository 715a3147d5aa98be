#include "spectral/curvature_tuning.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "autograd/curvature.h"
#include "autograd/elementwise.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

using Form = AdapterMethod::Curvature;

constexpr const char* beta_suffix = ".curvature_beta";
constexpr const char* c_suffix = ".curvature_c";

void check(const char* name, double value, bool is_trained) {
  const bool is_inside = is_trained ? value > 0 && value < 1 : value >= 0 && value <= 1;
  if (is_inside) return;
  throw Error(fmt::format("Curvature Tuning's {} = {} is not {} 0 and 1", name, value,
                          is_trained ? "above and below" : "between"));
}

double logit(double p) {
  return std::log(p / (1 - p));
}

Tensor filled(Backend& backend, Allocator& allocator, const Shape& shape, DType dtype,
              double value) {
  const Tensor tensor = Tensor::allocate(allocator, shape, dtype, backend.device());
  backend.fill(value, tensor.view());
  return tensor;
}

}  // namespace

CurvatureValues curvature_values(const SequenceClassifier& model, const AdapterMethod& method) {
  const bool is_trained = method.curvature == Form::Trained;
  const bool keeps_gelu = is_trained && (model.config().hidden_act == Activation::GeluErf ||
                                         model.config().hidden_act == Activation::GeluTanh);
  CurvatureValues values{method.curvature_beta, method.curvature_c};
  if (values.beta < 0 && !is_trained) throw Error("steering needs a β: name one from 0 to 1");
  if (values.beta < 0) values.beta = keeps_gelu ? 0.64 : 0.8;
  if (values.c < 0) values.c = keeps_gelu ? 0.99 : 0.5;
  check("β", values.beta, is_trained);
  check("c", values.c, is_trained);
  return values;
}

std::vector<std::pair<std::string, Shape>> curvature_tensors(const SequenceClassifier& model,
                                                             const AdapterMethod& method) {
  std::vector<std::pair<std::string, Shape>> tensors;
  if (method.curvature == Form::None) return tensors;
  for (const auto& activation : model.activations()) {
    tensors.emplace_back(activation.layer + beta_suffix, Shape{activation.width});
    tensors.emplace_back(activation.layer + c_suffix, Shape{activation.width});
  }
  return tensors;
}

void attach_curvature(Backend& backend, Allocator& allocator, SequenceClassifier& model,
                      const AdapterMethod& method) {
  if (method.curvature == Form::None) return;
  const CurvatureValues values = curvature_values(model, method);
  const bool is_trained = method.curvature == Form::Trained;
  const DType dtype = model.parameters().at("classifier.weight").value().dtype();
  const auto create = [&](const std::string& name, std::int64_t width, double value) {
    Parameter& parameter = model.parameters().create(
        name, filled(backend, allocator, {width}, dtype, is_trained ? logit(value) : value),
        ParameterRole::Adapter, false);
    parameter.set_trainable(is_trained);
    return &parameter;
  };
  for (const auto& [layer, width, slot] : model.activations()) {
    slot->curvature = std::make_shared<const CurvatureFunction>(
        CurvatureFunction{create(layer + beta_suffix, width, values.beta),
                          create(layer + c_suffix, width, values.c), is_trained});
  }
}

bool is_curvature(const Parameter& parameter) {
  return parameter.role() == ParameterRole::Adapter &&
         (parameter.name().ends_with(beta_suffix) || parameter.name().ends_with(c_suffix));
}

bool has_curvature(const SequenceClassifier& model) {
  const auto activations = model.activations();
  return std::any_of(activations.begin(), activations.end(),
                     [](const auto& activation) { return activation.slot->curvature != nullptr; });
}

void refuse_curvature(const SequenceClassifier& model, const char* what) {
  if (!has_curvature(model)) return;
  throw Error(fmt::format(
      "Curvature Tuning cannot be {}: it changes the activations' function and no weight, so that "
      "no weights give the same answers; keep the adapter",
      what));
}

double curvature_start_error(Backend& backend, Allocator& allocator,
                             const SequenceClassifier& model, const CurvatureValues& values) {
  constexpr std::int64_t count = 20 * 256 + 1;
  std::vector<float> x;
  for (std::int64_t i = 0; i < count; ++i) {
    x.push_back(static_cast<float>(i) / 256.0f - 10.0f);
  }
  Context context{backend, allocator};
  const Variable points = constant(to_device<float>(backend, allocator, x, {count, 1}));
  const auto one = [&](double value) {
    return constant(filled(backend, allocator, {1}, DType::F32, value));
  };
  const Variable tuned = curvature_activation(context, points, {}, one(values.beta), one(values.c));
  const Variable own = activation(context, model.config().hidden_act, points);
  const std::vector<float> a = to_host<float>(backend, tuned.value);
  const std::vector<float> b = to_host<float>(backend, own.value);
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return largest;
}

}  // namespace basis
