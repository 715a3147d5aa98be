#pragma once

#include <cstddef>
#include <span>

#include "experiments/counting_backend.h"
#include "tensor/backend.h"

namespace basis {

/// What the machine gives at most, as this process measures it.
struct Roofs {
  double flops_f32 = 0;  // of a large product, per second; 0: not measured
  double flops_bf16 = 0;
  double flops_f64 = 0;
  double memory_bytes = 0;  // of a copy beyond the cache with non-temporal stores: read + written
};

/// Until all that was asked of the device is done. `memory`: any of its.
void wait_for(Backend& backend, const std::byte* memory);
/// Writes `numbers` into an f32 matrix again and again: kernels do not know, and drawing takes
/// longer.
void fill_repeating(Backend& backend, std::span<const float> numbers, MatrixView out);

/// FLOPs a second of a product of three n x n matrices, n = 2048 (8192 on a GPU): the best of
/// several, by matmul and by a prepared weight.
double measure_product_roof(Backend& backend, DType dtype);

/// Bytes read and written a second by `threads` threads that copy 128 MiB with non-temporal stores,
/// or by a GPU that copies 1 GiB: the best of several.
double measure_copy_roof(Backend& backend, int threads);

/// The roofs that `count` needs.
Roofs measure_roofs(Backend& backend, int threads, const WorkCount& count);

/// No step that does `count` can be shorter where nothing overlaps: FLOPs by the roof of their
/// dtype, and bytes by the rate of a copy.
double floor_seconds(const WorkCount& count, const Roofs& roofs);

}  // namespace basis
