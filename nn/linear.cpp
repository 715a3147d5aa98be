#include "nn/linear.h"

#include "autograd/linear.h"

namespace basis {

Variable Linear::forward(Context& context, const Variable& x, const SequenceView& sequences) const {
  const Variable bias = bias_ == nullptr ? Variable{} : bias_->variable(context);
  if (adapter_ != nullptr && adapter_->is_merged) {
    const Variable merged = adapter_->merged_weight(context, weight_->variable(context));
    return linear(context, x, merged, bias);
  }
  const Variable y = linear(context, x, weight_->weight(context), bias);
  return adapter_ == nullptr ? y : adapter_->add_side_path(context, y, x, sequences);
}

}  // namespace basis
