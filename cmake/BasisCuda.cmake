# BASIS_CUDA=AUTO|ON|OFF: whether the program can compute on NVIDIA GPUs. AUTO: where nvcc is found.
# Nothing of CUDA need be installed where the program runs but a driver, and for products and SVDs
# the libraries that it loads itself (tensor/cuda/library.h).
set(BASIS_CUDA AUTO CACHE STRING "Compute on NVIDIA GPUs: AUTO (where nvcc is found), ON, OFF")
set_property(CACHE BASIS_CUDA PROPERTY STRINGS AUTO ON OFF)
# With PTX of the last, which the driver compiles for newer GPUs.
set(BASIS_CUDA_ARCHITECTURES "80-real;90" CACHE STRING "GPUs that kernels are compiled for")

set(BASIS_HAS_CUDA FALSE)
if(NOT BASIS_CUDA STREQUAL OFF)
  find_program(BASIS_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda
               PATH_SUFFIXES bin)
  mark_as_advanced(BASIS_NVCC)
  if(BASIS_NVCC)
    if(NOT CMAKE_CUDA_COMPILER)
      set(CMAKE_CUDA_COMPILER ${BASIS_NVCC})
    endif()
    if(NOT CMAKE_CUDA_HOST_COMPILER)
      set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
    endif()
    set(CMAKE_CUDA_ARCHITECTURES ${BASIS_CUDA_ARCHITECTURES})
    enable_language(CUDA)
    include(BasisCudart)
    # CMake 3.25 (Debian 12) does not know that nvcc has C++20.
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
    endif()
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_EXTENSIONS OFF)
    set(BASIS_HAS_CUDA TRUE)
    message(STATUS "CUDA: nvcc ${CMAKE_CUDA_COMPILER_VERSION} for ${BASIS_CUDA_ARCHITECTURES}")
  elseif(BASIS_CUDA STREQUAL ON)
    message(FATAL_ERROR "BASIS_CUDA=ON, but there is no nvcc in the path, in CUDA_HOME or in "
                        "/usr/local/cuda; install a CUDA toolkit (12 or 13), or use BASIS_CUDA=OFF")
  else()
    message(STATUS "CUDA: no nvcc; the program computes on the CPU alone")
  endif()
endif()
