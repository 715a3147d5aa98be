#pragma once

// For files of tensor/cuda and its tests alone; not installed.

#include <filesystem>
#include <string>
#include <vector>

namespace basis::cuda {

/// A library of CUDA that is found and loaded when it is first needed, so that a program runs where
/// only a driver is.
class Library {
 public:
  struct Name {
    std::string file;                // such as "libcusolver.so.12"
    std::vector<std::string> needs;  // its own needs, in order, where these may lie elsewhere
  };

  /// `names`: tried in order. Throws Error with all that was tried.
  explicit Library(const std::vector<Name>& names);

  /// Where it was found, for `basis info`; only its name where the system's loader knew it.
  const std::string& path() const { return path_; }
  /// Throws Error when it has no such function.
  template <class Function>
  Function function(const char* name) const {
    return reinterpret_cast<Function>(symbol(name));
  }

 private:
  void* symbol(const char* name) const;

  void* handle_ = nullptr;  // never closed: CUDA's libraries do not like it
  std::string path_;
};

/// Folders that are searched, in order: BASIS_CUDA_LIBRARIES (names with colons between), the
/// system's loader (an empty path), a torch installation's nvidia folders, the toolkit's.
std::vector<std::filesystem::path> library_folders();

}  // namespace basis::cuda
