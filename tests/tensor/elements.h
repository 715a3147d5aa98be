#pragma once

#include "tensor/view.h"

namespace basis {

/// Element (i, j) of a floating view of any dtype.
double element(ConstMatrixView view, std::int64_t i, std::int64_t j);
/// Rounds to the view's dtype, to nearest even.
void set_element(MatrixView view, std::int64_t i, std::int64_t j, double value);

}  // namespace basis
