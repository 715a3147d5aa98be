# basis_room(NAME [FAST] SOURCES ... LINKS rooms and libraries ... PRIVATE libraries ...)
# One target a room. Its LINKS are the arrows of docs/architecture.md. FAST: it compiles fast.
function(basis_room name)
  cmake_parse_arguments(ROOM "FAST" "" "SOURCES;LINKS;PRIVATE" ${ARGN})
  add_library(basis_${name} STATIC ${ROOM_SOURCES})
  add_library(basis::${name} ALIAS basis_${name})
  set_target_properties(basis_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(basis_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/basis>)
  target_compile_features(basis_${name} PUBLIC cxx_std_20)
  target_link_libraries(basis_${name} PUBLIC ${ROOM_LINKS} PRIVATE ${ROOM_PRIVATE})
  if(ROOM_FAST)
    basis_compiles_fast(basis_${name} basis_precompiled_fast)
  else()
    basis_precompile(basis_${name} basis_precompiled)
  endif()
  set_property(GLOBAL APPEND PROPERTY BASIS_ROOMS basis_${name})
endfunction()

# basis_test(NAME SOURCES ... LINKS ... [LABEL fast|slow] [ENVIRONMENT NAME=VALUE])
# One test program a room; every test of it gets the label. Target `fast_tests` builds the fast ones.
function(basis_test name)
  cmake_parse_arguments(TEST "" "LABEL;ENVIRONMENT" "SOURCES;LINKS" ${ARGN})
  if(NOT TEST_LABEL)
    set(TEST_LABEL fast)
  endif()
  add_executable(${name} ${TEST_SOURCES})
  if(TEST_LABEL STREQUAL fast)
    add_dependencies(fast_tests ${name})
  endif()
  target_link_libraries(${name} PRIVATE ${TEST_LINKS} fmt::fmt OpenMP::OpenMP_CXX GTest::gmock
                        GTest::gtest_main)
  basis_compiles_fast(${name} basis_precompiled_tests)
  # A test's own pointers are not asked whether they are null, aligned and of their type: that takes
  # a quarter of the time to compile. Those of the rooms are.
  target_compile_options(${name} PRIVATE
    "$<$<BOOL:${BASIS_SANITIZE}>:-fno-sanitize=null,alignment,vptr>")
  set(properties LABELS ${TEST_LABEL} TIMEOUT 600)
  if(TEST_ENVIRONMENT)
    list(APPEND properties ENVIRONMENT ${TEST_ENVIRONMENT})
  endif()
  if(BASIS_SANITIZE)
    basis_add_shards(${name} ${properties})
  else()
    gtest_discover_tests(${name} PROPERTIES ${properties} DISCOVERY_TIMEOUT 60)
  endif()
endfunction()

# Under sanitizers a third of the time would go to starting a process for each test: a program runs
# in four parts. Which tests are left out, the preset says (GTEST_FILTER).
function(basis_add_shards name)
  foreach(shard RANGE 3)
    add_test(NAME ${name}.${shard} COMMAND ${name} --gtest_brief=1)
    set_tests_properties(${name}.${shard} PROPERTIES ${ARGN} TIMEOUT 1200)
    set_property(TEST ${name}.${shard} APPEND PROPERTY ENVIRONMENT
                 GTEST_TOTAL_SHARDS=4 GTEST_SHARD_INDEX=${shard})
  endforeach()
endfunction()

# basis_compiles_fast(TARGET [PRECOMPILED]): for code in which nothing is hot; a release build then
# compiles it at -O1, in two thirds of the time, one with sanitizers at -O0. GCC 12 guesses at -O1
# that values are unset which are not. PRECOMPILED headers must be compiled fast, too.
function(basis_compiles_fast target)
  target_compile_options(${target} PRIVATE
    "$<$<CONFIG:Release>:-O1;-Wno-maybe-uninitialized;-Wno-array-bounds>"
    "$<$<BOOL:${BASIS_SANITIZE}>:-O0>")
  if(ARGC GREATER 1)
    basis_precompile(${target} ${ARGV1})
  endif()
endfunction()
