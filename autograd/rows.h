#pragma once

#include "autograd/context.h"

namespace basis {

/// y_m = x[rows_m]: the `[CLS]` rows before a pooler, the masked rows before the language head.
///   x: (T, H)   rows: (M) i32   returns (M, H)
Variable gather_rows(Context&, const Variable& x, const Tensor& rows);

/// y_b = mean of the rows of sequence b.   x: (T, H)   returns (B, H)
Variable mean_pool(Context&, const Variable& x, const SequenceView& sequences);

/// y_b = rows b n to b n + n - 1 behind each other: an image's patches as one row. Rows of x beyond
/// `count` n get no gradient.
///   x: (T, H), T at least count n   returns (count, n H)
Variable joined_rows(Context&, const Variable& x, std::int64_t count, std::int64_t n);

}  // namespace basis
