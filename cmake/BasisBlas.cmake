# basis_blas: BLAS and LAPACK of the host. BASIS_BLAS=openblas|reference.
#
# openblas: OpenBLAS's OpenMP build by its own path. Debian's alternative `libblas.so.3` prefers the
# pthread build wherever both are installed, and two thread pools would fight for the cores.
# Installed with the package: who links Basis finds OpenBLAS on their own machine.
# reference: Netlib's, slow and small, where a GPU computes (scripts/package_gpu.sh).
if(NOT BASIS_BLAS)
  set(BASIS_BLAS openblas CACHE STRING "The host's BLAS and LAPACK: openblas, or Netlib's reference")
  set_property(CACHE BASIS_BLAS PROPERTY STRINGS openblas reference)
endif()

if(BASIS_BLAS STREQUAL reference)
  find_path(BASIS_NETLIB_INCLUDE cblas-netlib.h REQUIRED)
  find_library(BASIS_NETLIB_BLAS blas PATH_SUFFIXES blas REQUIRED
               PATHS /usr/lib/${CMAKE_CXX_LIBRARY_ARCHITECTURE} NO_DEFAULT_PATH)
  find_library(BASIS_NETLIB_LAPACK lapack PATH_SUFFIXES lapack REQUIRED
               PATHS /usr/lib/${CMAKE_CXX_LIBRARY_ARCHITECTURE} NO_DEFAULT_PATH)
  mark_as_advanced(BASIS_NETLIB_INCLUDE BASIS_NETLIB_BLAS BASIS_NETLIB_LAPACK)
  # Debian gives Netlib's header the name cblas.h by an alternative, which OpenBLAS may hold.
  set(BASIS_BLAS_INCLUDE ${CMAKE_CURRENT_BINARY_DIR}/netlib ${BASIS_NETLIB_INCLUDE})
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/netlib/cblas.h "#include <cblas-netlib.h>\n")
  set(BASIS_BLAS_LIBRARIES ${BASIS_NETLIB_LAPACK} ${BASIS_NETLIB_BLAS})
elseif(BASIS_BLAS STREQUAL openblas)
  find_path(BASIS_OPENBLAS_INCLUDE cblas.h PATH_SUFFIXES openblas-openmp REQUIRED
            PATHS /usr/include/${CMAKE_CXX_LIBRARY_ARCHITECTURE} NO_DEFAULT_PATH)
  find_library(BASIS_OPENBLAS_LIBRARY openblas PATH_SUFFIXES openblas-openmp REQUIRED
               PATHS /usr/lib/${CMAKE_CXX_LIBRARY_ARCHITECTURE} NO_DEFAULT_PATH)
  mark_as_advanced(BASIS_OPENBLAS_INCLUDE BASIS_OPENBLAS_LIBRARY)
  set(BASIS_BLAS_INCLUDE ${BASIS_OPENBLAS_INCLUDE})
  set(BASIS_BLAS_LIBRARIES ${BASIS_OPENBLAS_LIBRARY})
else()
  message(FATAL_ERROR "BASIS_BLAS=${BASIS_BLAS}: there are openblas and reference")
endif()
if(NOT TARGET basis_blas)
  add_library(basis_blas INTERFACE IMPORTED)
  target_include_directories(basis_blas INTERFACE ${BASIS_BLAS_INCLUDE})
  target_link_libraries(basis_blas INTERFACE ${BASIS_BLAS_LIBRARIES})
  foreach(library IN LISTS BASIS_BLAS_LIBRARIES)
    get_filename_component(folder ${library} DIRECTORY)
    target_link_options(basis_blas INTERFACE LINKER:-rpath,${folder})
  endforeach()
endif()
