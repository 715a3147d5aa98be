#include "nn/activation_slot.h"

#include "autograd/curvature.h"
#include "autograd/elementwise.h"

namespace basis {
namespace {

Variable channels(Context& context, const CurvatureFunction& curvature, Parameter& parameter) {
  const Variable value = parameter.variable(context);
  if (!curvature.goes_through_sigmoid) return value;
  return activation(context, Activation::Sigmoid, value);
}

}  // namespace

Variable ActivationSlot::forward(Context& context, const Variable& x, const Variable& bias) const {
  if (curvature == nullptr) return activation(context, own, x, bias);
  return curvature_activation(context, x, bias, channels(context, *curvature, *curvature->beta),
                              channels(context, *curvature, *curvature->c));
}

}  // namespace basis
