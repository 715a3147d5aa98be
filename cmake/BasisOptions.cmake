# How everything is compiled. The same flags for the whole tree, so that a header means the same
# in every object.
set(BASIS_TESTS ON CACHE STRING "Build the tests: ON, OFF, or those for a GPU alone: GPU")
set_property(CACHE BASIS_TESTS PROPERTY STRINGS ON OFF GPU)
option(BASIS_BENCHMARKS "Build the benchmarks where Google Benchmark is found" OFF)
option(BASIS_SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

# basis_cxx_options(OPTIONS...): for C++ alone; nvcc has its own (tensor/cuda/kernels.cmake).
function(basis_cxx_options)
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:${ARGN}>")
endfunction()
basis_cxx_options(-Wall -Wextra -Wpedantic -Wshadow -Werror)
# Without these GCC leaves loops with sqrt scalar; results stay IEEE (no -ffast-math).
basis_cxx_options(-fno-math-errno -fno-trapping-math)
# Neither contracted nor reassociated: a * b + c rounds as written unless a kernel says std::fma.
basis_cxx_options(-ffp-contract=off)

if(BASIS_SANITIZE)
  basis_cxx_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
