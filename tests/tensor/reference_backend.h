#pragma once

#include <memory>

#include "tensor/backend.h"

namespace basis {

/// Every kernel in the plainest loops: one element after the other, f64 inside, one thread, any
/// dtype on any operand. What the parity tests hold the fast backends against.
std::unique_ptr<Backend> make_reference_backend();

/// Element (i, j) of a floating view of any dtype.
double element(ConstMatrixView view, std::int64_t i, std::int64_t j);
/// Rounds to the view's dtype, to nearest even.
void set_element(MatrixView view, std::int64_t i, std::int64_t j, double value);

}  // namespace basis
