# basis_cudart: the CUDA runtime, linked statically. Installed with a package that was built with
# CUDA: who links Basis finds it on their own machine.
if(NOT TARGET basis_cudart)
  find_package(CUDAToolkit REQUIRED)
  add_library(basis_cudart INTERFACE IMPORTED)
  target_link_libraries(basis_cudart INTERFACE CUDA::cudart_static)
endif()
