# Every library that Basis links, by its Debian name. README.md says why each is there.
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)

# OpenBLAS's OpenMP build by its own path: Debian's alternative `libblas.so.3` prefers the pthread
# build wherever both are installed, and two thread pools would fight for the cores.
find_path(BASIS_OPENBLAS_INCLUDE cblas.h PATH_SUFFIXES openblas-openmp REQUIRED
          PATHS /usr/include/${CMAKE_CXX_LIBRARY_ARCHITECTURE} NO_DEFAULT_PATH)
find_library(BASIS_OPENBLAS_LIBRARY openblas PATH_SUFFIXES openblas-openmp REQUIRED
             PATHS /usr/lib/${CMAKE_CXX_LIBRARY_ARCHITECTURE} NO_DEFAULT_PATH)
get_filename_component(BASIS_OPENBLAS_FOLDER ${BASIS_OPENBLAS_LIBRARY} DIRECTORY)
add_library(basis_openblas INTERFACE)
target_include_directories(basis_openblas SYSTEM INTERFACE
                           $<BUILD_INTERFACE:${BASIS_OPENBLAS_INCLUDE}>)
target_link_libraries(basis_openblas INTERFACE ${BASIS_OPENBLAS_LIBRARY})
target_link_options(basis_openblas INTERFACE LINKER:-rpath,${BASIS_OPENBLAS_FOLDER})
