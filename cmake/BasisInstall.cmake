# install(): the program, the rooms as an exported package, and their headers under include/basis.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

get_property(basis_rooms GLOBAL PROPERTY BASIS_ROOMS)

# All rooms with the umbrella header basis.h.
configure_file(cmake/basis_version.h.in ${PROJECT_BINARY_DIR}/generated/basis_version.h @ONLY)
add_library(basis_basis INTERFACE)
add_library(basis::basis ALIAS basis_basis)
set_target_properties(basis_basis PROPERTIES EXPORT_NAME basis)
target_include_directories(basis_basis INTERFACE
  $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated>)
target_link_libraries(basis_basis INTERFACE ${basis_rooms})

install(TARGETS ${basis_rooms} basis_basis EXPORT basis-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET basis_program)
  # Its link options carry the run path to OpenBLAS.
  install(TARGETS basis_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# Headers: all but those of kernels and commands, and those that say "not installed" because they
# include a third-party header. tests/structure reads the list and holds it to that.
set(basis_headers "")
foreach(room IN LISTS basis_rooms)
  string(REPLACE basis_ "" folder ${room})
  file(GLOB_RECURSE found CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
       ${PROJECT_SOURCE_DIR}/${folder}/*.h)
  list(FILTER found EXCLUDE REGEX "/(kernels|commands)/")
  foreach(header IN LISTS found)
    file(STRINGS ${PROJECT_SOURCE_DIR}/${header} private_mark REGEX "^//.*not installed")
    if(NOT private_mark)
      list(APPEND basis_headers ${header})
    endif()
  endforeach()
endforeach()
foreach(header IN LISTS basis_headers)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/basis/${folder})
endforeach()
install(FILES basis.h ${PROJECT_BINARY_DIR}/generated/basis_version.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/basis)
list(JOIN basis_headers "\n" basis_header_lines)
file(WRITE ${PROJECT_BINARY_DIR}/installed_headers.txt "basis.h\n${basis_header_lines}\n")

set(basis_package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/basis)
install(EXPORT basis-targets NAMESPACE basis:: DESTINATION ${basis_package_folder})
configure_package_config_file(cmake/basis-config.cmake.in
  ${PROJECT_BINARY_DIR}/generated/basis-config.cmake INSTALL_DESTINATION ${basis_package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/generated/basis-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/generated/basis-config.cmake
  ${PROJECT_BINARY_DIR}/generated/basis-config-version.cmake
  cmake/BasisCudart.cmake
  cmake/BasisOneDNN.cmake
  cmake/BasisBlas.cmake
  DESTINATION ${basis_package_folder})
if(EXISTS ${PROJECT_SOURCE_DIR}/experiments/configs)
  install(DIRECTORY experiments/configs DESTINATION ${CMAKE_INSTALL_DATADIR}/basis
          FILES_MATCHING PATTERN "*.toml")
endif()
