#pragma once

#include "tensor/backend.h"
#include "tensor/cuda/stream.h"

// Backend's functions of the same names (tensor/backend.h).
namespace basis::cuda::BASIS_CUDA_SIDE {

void gather_rows(Stream, ConstMatrixView table, const RowDebt& debt, ConstMatrixView ids,
                 double beta, MatrixView out);
void scatter_add_rows(Stream, ConstMatrixView x, ConstMatrixView ids, MatrixView out);
void segment_sum_rows(Stream, ConstMatrixView x, ConstMatrixView offsets, ConstMatrixView rows,
                      ConstMatrixView places, std::int64_t written, MatrixView out);
void pay_rows(Stream, MatrixView table, ConstMatrixView rows, const RowDebt& debt);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
