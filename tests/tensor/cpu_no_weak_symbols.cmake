# cmake -D NM=nm -D OBJECTS=a.o|b.o -P cpu_no_weak_symbols.cmake
# Fails when an object defines a weak or unique symbol (W, V, u): the linker keeps one of several
# copies, and that of another instruction set could be the one.
string(REPLACE "|" ";" objects "${OBJECTS}")
if(NOT objects)
  message(FATAL_ERROR "no objects to look at")
endif()
foreach(object IN LISTS objects)
  execute_process(COMMAND ${NM} ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]* [WVu] [^\n]*" weak "${symbols}")
  # A pointer to the unwinder's routine, the same in every object: data, not code.
  list(FILTER weak EXCLUDE REGEX "DW\\.ref\\.__gxx_personality_v0")
  if(weak)
    string(REPLACE ";" "\n" weak "${weak}")
    message(FATAL_ERROR "${object} has weak symbols:\n${weak}")
  endif()
endforeach()
