#pragma once

#include <utility>

#include "autograd/kept.h"

namespace basis {

/// A vector (n) as the row (1, n) that kernels take; absent where it is.
inline MatrixView row_of(const Tensor& vector) {
  if (vector.is_empty()) return {};
  return vector.reshape({1, vector.element_count()}).view();
}

/// A vector's gradient as a kernel's row, absent where none is wanted, and its factor.
struct VectorGradient {
  MatrixView row;
  double beta = 0;
};

/// The kernel that gets it writes it.
inline VectorGradient open_vector_gradient(const Context& context, const Variable& vector,
                                           DType dtype) {
  VectorGradient opened;
  contribute_beta(context, vector.gradient, vector.shape(), dtype, [&](double beta, MatrixView v) {
    opened = {{v.data, v.dtype, 1, v.element_count(), v.element_count()}, beta};
  });
  return opened;
}

/// The gradient of y = f(x), elementwise, of which x alone is kept: kernel(x, dy, dx, y) makes dx,
/// and y where it is not absent, because somebody waits for it (kept.h). What backward has for
/// itself is written over: y over x, dx over dy.
template <class Kernel>
void replay_activation(Context& c, Tensor x, Gradient* dx_slot, Remade& output, Tensor dy,
                       const Kernel& kernel) {
  const Shape shape = x.shape();
  const Tensor y = !output.is_awaited() ? Tensor()
                   : x.is_sole_owner()  ? x
                                        : c.allocate(shape, dy.dtype());
  auto run = [&](MatrixView dx) {
    kernel(x.view(), dy.view(), dx, y.is_empty() ? MatrixView{} : y.view());
  };
  if (dx_slot == nullptr || (dx_slot->tensor.is_empty() && dy.is_sole_owner())) {
    const Tensor dx = dy.is_sole_owner() ? dy : c.allocate(shape, dy.dtype());
    run(dx.view());
    hand_over(c, dx_slot, dx);
  } else {
    contribute(c, dx_slot, shape, dy.dtype(), run);
  }
  if (!y.is_empty()) output.serve(c, y);
}

/// Puts y on the tape: replay(context, x, dx, output, dy) as above. `y` is remade then.
template <class Replay>
void record_activation(const Context& context, Variable& y, const Variable& x, Replay replay) {
  const auto output = std::make_shared<Remade>();
  y.gradient = context.tape->record([value = x.value, dx = x.gradient, output,
                                     replay = std::move(replay)](Context& c, Tensor& dy) mutable {
    replay(c, std::move(value), dx, *output, std::move(dy));
  });
  output->node = y.gradient->node;
  y.remade = output;
}

}  // namespace basis
