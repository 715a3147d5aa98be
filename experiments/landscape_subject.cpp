#include "experiments/landscape_subject.h"

#include "autograd/tape.h"

namespace basis {
namespace {

/// Out of the step's memory.
Tensor kept_gradient(Compute& compute, Parameter& parameter) {
  Backend& backend = compute.backend();
  const Tensor kept = Tensor::allocate(compute.memory(), parameter.shape(),
                                       parameter.value().dtype(), backend.device());
  if (parameter.gradient().is_written) {
    backend.convert(parameter.gradient().tensor.view(), kept.view());
  } else {
    backend.fill(0, kept.view());
  }
  return kept;
}

}  // namespace

Direction gradients_of(Compute& compute, const ComputeDType& dtype, const ParameterList& parameters,
                       const std::function<Variable(Context&)>& loss) {
  for (Parameter* parameter : parameters) parameter->set_trainable(true);
  Direction gradients;
  {
    Tape tape;
    Context context{compute.backend(), compute.arena(), &tape, false, nullptr, dtype.activations};
    tape.backward(context, loss(context));
    for (Parameter* parameter : parameters) {
      gradients.push_back(kept_gradient(compute, *parameter));
      parameter->gradient() = Gradient{};
    }
  }
  for (Parameter* parameter : parameters) parameter->set_trainable(false);
  return gradients;
}

}  // namespace basis
