#pragma once

#include "autograd/context.h"

namespace basis {

/// y_m = x[rows_m]: the `[CLS]` rows before a pooler, the masked rows before the language head.
///   x: (T, H)   rows: (M) i32   returns (M, H)
Variable gather_rows(Context&, const Variable& x, const Tensor& rows);

/// y_b = mean of the rows of sequence b.   x: (T, H)   returns (B, H)
Variable mean_pool(Context&, const Variable& x, const SequenceView& sequences);

}  // namespace basis
