# basis_openblas: OpenBLAS's OpenMP build by its own path. Debian's alternative `libblas.so.3`
# prefers the pthread build wherever both are installed, and two thread pools would fight for the
# cores. Installed with the package: who links Basis finds OpenBLAS on their own machine.
find_path(BASIS_OPENBLAS_INCLUDE cblas.h PATH_SUFFIXES openblas-openmp REQUIRED
          PATHS /usr/include/${CMAKE_CXX_LIBRARY_ARCHITECTURE} NO_DEFAULT_PATH)
find_library(BASIS_OPENBLAS_LIBRARY openblas PATH_SUFFIXES openblas-openmp REQUIRED
             PATHS /usr/lib/${CMAKE_CXX_LIBRARY_ARCHITECTURE} NO_DEFAULT_PATH)
mark_as_advanced(BASIS_OPENBLAS_INCLUDE BASIS_OPENBLAS_LIBRARY)
if(NOT TARGET basis_openblas)
  get_filename_component(BASIS_OPENBLAS_FOLDER ${BASIS_OPENBLAS_LIBRARY} DIRECTORY)
  add_library(basis_openblas INTERFACE IMPORTED)
  target_include_directories(basis_openblas INTERFACE ${BASIS_OPENBLAS_INCLUDE})
  target_link_libraries(basis_openblas INTERFACE ${BASIS_OPENBLAS_LIBRARY})
  target_link_options(basis_openblas INTERFACE LINKER:-rpath,${BASIS_OPENBLAS_FOLDER})
endif()
