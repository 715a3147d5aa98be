# basis_precompile(TARGET [TESTS]): the headers that most files include, parsed once for the whole
# tree (once more, with GoogleTest's, for tests). A file still includes what it uses: the sanitize
# preset builds without this (CMAKE_DISABLE_PRECOMPILE_HEADERS) and would fail otherwise.
set(basis_precompiled_headers
  <algorithm> <array> <cmath> <cstdint> <filesystem> <functional> <limits> <map> <memory>
  <optional> <span> <string> <string_view> <vector> <fmt/format.h>)

function(basis_precompiled_target name)
  file(CONFIGURE OUTPUT precompiled.cpp CONTENT "")
  add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/precompiled.cpp)
  target_compile_features(${name} PRIVATE cxx_std_20)
  target_link_libraries(${name} PRIVATE fmt::fmt OpenMP::OpenMP_CXX)
  target_precompile_headers(${name} PRIVATE ${basis_precompiled_headers} ${ARGN})
endfunction()

function(basis_precompile target)
  if("TESTS" IN_LIST ARGN)
    set(precompiled basis_precompiled_tests)
  else()
    set(precompiled basis_precompiled)
  endif()
  if(NOT TARGET ${precompiled})
    if("TESTS" IN_LIST ARGN)
      basis_precompiled_target(${precompiled} <gmock/gmock.h> <gtest/gtest.h>)
      target_link_libraries(${precompiled} PRIVATE GTest::gmock GTest::gtest)
      basis_compiles_fast(${precompiled})
    else()
      basis_precompiled_target(${precompiled})
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${precompiled})
  # A program would get -fPIE, but it must be compiled as its precompiled header was.
  target_compile_options(${target} PRIVATE -fPIC)
endfunction()
