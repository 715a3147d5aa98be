# The kernel files, compiled once for each instruction set into its own namespace. Always optimised:
# a debug build would be too slow to train, and inline functions must not become symbols.
set(kernel_sources
  activation.cpp attention.cpp convert.cpp curvature.cpp elementwise.cpp layer_norm.cpp loss.cpp optimizer.cpp perturbation.cpp
  reduction.cpp rows.cpp)
list(TRANSFORM kernel_sources PREPEND cpu/kernels/)

# The same bits in every instruction set and on a GPU (tensor/gaussian.h).
set_source_files_properties(cpu/kernels/perturbation.cpp PROPERTIES COMPILE_OPTIONS -ffp-contract=off)

set(BASIS_KERNEL_OBJECTS "")
function(basis_kernels isa)
  add_library(basis_kernels_${isa} OBJECT ${kernel_sources})
  target_include_directories(basis_kernels_${isa} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_features(basis_kernels_${isa} PRIVATE cxx_std_20)
  target_compile_definitions(basis_kernels_${isa} PRIVATE BASIS_KERNELS=${isa})
  target_compile_options(basis_kernels_${isa} PRIVATE -O3 -ffp-contract=fast ${ARGN})
  target_link_libraries(basis_kernels_${isa} PRIVATE OpenMP::OpenMP_CXX)
  set(BASIS_KERNEL_OBJECTS ${BASIS_KERNEL_OBJECTS} $<TARGET_OBJECTS:basis_kernels_${isa}>
      PARENT_SCOPE)
endfunction()

basis_kernels(baseline -DBASIS_KERNELS_F64=1)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  basis_kernels(avx2 -march=x86-64-v3)
  basis_kernels(avx512 -march=x86-64-v4 -mprefer-vector-width=512)
  set_source_files_properties(cpu/kernels/select.cpp PROPERTIES COMPILE_DEFINITIONS
                              BASIS_X86_KERNELS=1)
endif()
