#include "autograd/tape.h"

#include "autograd/context.h"

namespace basis {

Gradient* Tape::record(Backward backward) {
  gradients_.emplace_back();
  gradients_.back().node = std::ssize(nodes_);
  nodes_.push_back({&gradients_.back(), std::move(backward)});
  return nodes_.back().output;
}

void Tape::backward(Context& context, const Variable& loss) {
  backward(context, loss, Tensor());
}

void Tape::backward(Context& context, const Variable& output, Tensor cotangent) {
  if (output.gradient == nullptr) {
    clear();
    throw Error("backward: the value depends on nothing that asks for a gradient");
  }
  ensure(cotangent.is_empty() || cotangent.shape() == output.shape(),
         "a cotangent has the shape of its value");
  output.gradient->tensor = std::move(cotangent);
  output.gradient->is_written = true;
  replay(context);
}

void Tape::replay(Context& context) {
  Context without = context.without_tape();
  while (!nodes_.empty()) {
    Node node = std::move(nodes_.back());
    nodes_.pop_back();
    if (node.output->is_written) node.backward(without, node.output->tensor);
    node.output->tensor = Tensor();
  }
  gradients_.clear();
}

void Tape::clear() {
  while (!nodes_.empty()) nodes_.pop_back();
  gradients_.clear();
}

}  // namespace basis
