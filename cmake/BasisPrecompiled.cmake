# The headers that most files include, parsed once for the whole tree, once more for what compiles
# fast and with GoogleTest's for tests. A file still includes what it uses
# (tests/structure/includes.h).

# basis_precompiled_headers(NAME HEADERS...): makes them, and the common ones, ready for reuse.
function(basis_precompiled_headers name)
  file(CONFIGURE OUTPUT ${name}.cpp CONTENT "")
  add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  target_compile_features(${name} PRIVATE cxx_std_20)
  target_link_libraries(${name} PRIVATE fmt::fmt OpenMP::OpenMP_CXX)
  target_precompile_headers(${name} PRIVATE
    <algorithm> <array> <cmath> <cstdint> <filesystem> <functional> <limits> <map> <memory>
    <optional> <span> <string> <string_view> <vector> <fmt/format.h> ${ARGN})
endfunction()

# basis_precompile(TARGET NAME): compiles TARGET with them.
function(basis_precompile target name)
  target_precompile_headers(${target} REUSE_FROM ${name})
  # A program would get -fPIE, but it must be compiled as its precompiled headers were.
  target_compile_options(${target} PRIVATE -fPIC)
endfunction()
