include(${CMAKE_CURRENT_LIST_DIR}/kernels.cmake)

# What the program has of CUDA: BASIS_CUDA_SOURCES and BASIS_CUDA_LIBRARIES.
if(NOT BASIS_HAS_CUDA)
  set(BASIS_CUDA_SOURCES cuda/no_cuda.cpp cuda/plain.cpp)
  set(BASIS_CUDA_LIBRARIES "")
  return()
endif()

add_library(basis_cuda_kernels OBJECT ${BASIS_CUDA_KERNELS})
target_compile_options(basis_cuda_kernels PRIVATE
  --Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Werror
  -Xptxas=-v)
# For scripts/check_kernels.sh, PTX that can be read in the objects. OFF: small objects.
set(is_readable OFF)
if(BASIS_TESTS STREQUAL ON)
  set(is_readable ON)
endif()
option(BASIS_CUDA_READABLE "Device code is not compressed" ${is_readable})
if(BASIS_CUDA_READABLE)
  target_compile_options(basis_cuda_kernels PRIVATE --no-compress)
elseif(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.8)
  target_compile_options(basis_cuda_kernels PRIVATE --compress-mode=size)
endif()
# And what ptxas says, beside each object.
set(launcher ${PROJECT_SOURCE_DIR}/cmake/nvcc_with_log.sh ${CMAKE_CUDA_COMPILER_LAUNCHER})
set_target_properties(basis_cuda_kernels PROPERTIES CUDA_COMPILER_LAUNCHER "${launcher}")

add_library(basis_cuda_host OBJECT ${BASIS_CUDA_BACKEND}
  cuda/cublaslt.cpp
  cuda/cuda_backend.cpp
  cuda/products_cublaslt.cpp
  cuda/runtime.cpp
  cuda/solver_cusolver.cpp)
target_include_directories(basis_cuda_host SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
target_compile_features(basis_cuda_host PRIVATE cxx_std_20)
target_link_libraries(basis_cuda_host PRIVATE fmt::fmt)

foreach(target basis_cuda_kernels basis_cuda_host)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(${target} PRIVATE BASIS_CUDA_SIDE=device)
endforeach()
set(BASIS_CUDA_SOURCES
  $<TARGET_OBJECTS:basis_cuda_kernels> $<TARGET_OBJECTS:basis_cuda_host>)
set(BASIS_CUDA_LIBRARIES basis_cudart)
