#pragma once

#include "autograd/gradient_run.h"
#include "autograd/tape.h"
#include "autograd/variable.h"
#include "tensor/backend.h"

namespace basis {

/// What every forward takes: where to compute, where activations live, whether to record, and the
/// numbers of the step. There is no global mode.
struct Context {
  Backend& backend;
  Allocator& arena;          // activations, their gradients, scratch: all gone after the step
  Tape* tape = nullptr;      // null: nothing is recorded, nothing is kept
  bool is_training = false;  // dropout is on
  const StepState* state = nullptr;  // needed where dropout is on
  DType dtype = DType::F32;          // of activations
  bool recomputes_layers = false;    // backward runs an encoder layer again instead of keeping it

  /// The same without a tape: PyTorch's no_grad.
  Context without_tape() const {
    Context copy = *this;
    copy.tape = nullptr;
    return copy;
  }

  /// The same with activations in the dtype that sums are kept in: for heads, whose rows are few.
  Context exact() const {
    Context copy = *this;
    copy.dtype = accumulation_dtype(dtype);
    return copy;
  }

  /// Whether an operation on these inputs belongs on the tape.
  template <class... Inputs>
  bool records(const Inputs&... inputs) const {
    return tape != nullptr && (inputs.wants_gradient() || ...);
  }

  Tensor allocate(const Shape& shape, DType type) const {
    return Tensor::allocate(arena, shape, type, backend.device());
  }
  Tensor allocate(const Shape& shape) const { return allocate(shape, dtype); }

  /// Scratch for one kernel call; keep the Block until the kernel has run.
  struct Scratch {
    Block block;
    Workspace workspace;
  };
  Scratch scratch(std::size_t bytes) const {
    if (bytes == 0) return {};
    Block block = arena.allocate(bytes);
    std::byte* data = block.get();
    return {std::move(block), Workspace{data, bytes}};
  }
};

/// Memory for a gradient that has none.
inline void open(const Context& context, Gradient& gradient, const Shape& shape, DType dtype) {
  if (!gradient.tensor.is_empty()) return;
  if (gradient.run != nullptr) {
    gradient.run->allocate(context);
  } else {
    gradient.tensor = context.allocate(shape, dtype);
  }
}

/// Lets `kernel(MatrixView)`, which overwrites, contribute to `gradient`: straight into it the
/// first time, through scratch and a sum after that. Nothing happens for a null gradient.
template <class Kernel>
void contribute(const Context& context, Gradient* gradient, const Shape& shape, DType dtype,
                const Kernel& kernel) {
  if (gradient == nullptr) return;
  open(context, *gradient, shape, dtype);
  if (!gradient->is_written) {
    kernel(gradient->tensor.view());
    gradient->is_written = true;
    return;
  }
  const Tensor term = context.allocate(shape, dtype);
  kernel(term.view());
  context.backend.add_scaled(1, term.view(), 1, gradient->tensor.view());
}

/// The same for a kernel(beta, MatrixView) that adds by itself.
template <class Kernel>
void contribute_beta(const Context& context, Gradient* gradient, const Shape& shape, DType dtype,
                     const Kernel& kernel) {
  if (gradient == nullptr) return;
  open(context, *gradient, shape, dtype);
  kernel(gradient->beta(), gradient->tensor.view());
  gradient->is_written = true;
}

/// Hands `term`, which nobody reads after this, to `gradient`: as its memory the first time where
/// the gradient has none of its own, as a sum after that.
inline void hand_over(const Context& context, Gradient* gradient, const Tensor& term) {
  if (gradient == nullptr) return;
  if (gradient->tensor.is_empty() && gradient->run == nullptr) {
    gradient->tensor = term;
  } else {
    open(context, *gradient, term.shape(), term.dtype());
    context.backend.add_scaled(1, term.view(), gradient->beta(), gradient->tensor.view());
  }
  gradient->is_written = true;
}

}  // namespace basis
