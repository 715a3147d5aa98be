#pragma once

#include "tensor/dtype.h"
#include "tensor/error.h"

namespace basis::cuda {

template <class T>
struct Type {
  using type = T;
};

/// Calls use(Type<T>) with the T of an activation's dtype. On the GPU that is f32 or bf16.
template <class Use>
void with_type(DType dtype, const char* kernel, const Use& use) {
  if (dtype == DType::F32) return use(Type<float>{});
  if (dtype == DType::BF16) return use(Type<BFloat16>{});
  throw Error(std::string(kernel) + ": " + name_of(dtype) +
              " is not computed on the GPU; f32 and bf16 are");
}

}  // namespace basis::cuda
