# The files of tensor/cuda/ that are compiled for the GPU and, as C++, for tests without one
# (tests/cuda).
set(BASIS_CUDA_KERNELS
  activation.cu
  elementwise.cu)
list(TRANSFORM BASIS_CUDA_KERNELS PREPEND ${CMAKE_CURRENT_LIST_DIR}/kernels/)
