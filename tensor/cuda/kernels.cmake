# The files of tensor/cuda/ that are compiled for the GPU and, as C++, for tests without one
# (tests/cuda).
set(BASIS_CUDA_KERNELS
  activation.cu
  attention.cu
  attention_f32.cu
  attention_first_rows.cu
  attention_long.cu
  attention_plain.cu
  attention_short.cu
  curvature.cu
  elementwise.cu
  layer_norm.cu
  layer_norm_gradient.cu
  loss.cu
  matmul.cu
  optimizer.cu
  perturbation.cu
  reduction.cu
  rows.cu)
list(TRANSFORM BASIS_CUDA_KERNELS PREPEND ${CMAKE_CURRENT_LIST_DIR}/kernels/)
set(BASIS_CUDA_BACKEND
  backend_of_side.cpp
  decompositions.cpp
  library.cpp
  plain.cpp)
list(TRANSFORM BASIS_CUDA_BACKEND PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
