#include "tensor/cuda/library.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tensor/error.h"

namespace basis::cuda {

namespace {

using std::filesystem::path;

std::vector<path> split(const char* variable) {
  std::vector<path> parts;
  const char* value = std::getenv(variable);
  std::istringstream stream(value == nullptr ? "" : value);
  for (std::string part; std::getline(stream, part, ':');) {
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

/// The folders in `folder`, none where it is not there or may not be read.
std::vector<path> folders_in(const path& folder) {
  std::vector<path> found;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(folder, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->is_directory(error)) found.push_back(entry->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// nvidia/*/lib under the site-packages of Python installations.
void add_torch_folders(std::vector<path>& folders) {
  std::vector<path> sites = split("PYTHONPATH");
  std::vector<path> prefixes = split("VIRTUAL_ENV");
  for (const char* prefix : {"/usr", "/usr/local", "/opt/conda"}) prefixes.emplace_back(prefix);
  for (const path& prefix : prefixes) {
    for (const path& python : folders_in(prefix / "lib")) {
      if (!python.filename().string().starts_with("python3")) continue;
      sites.push_back(python / "site-packages");
      sites.push_back(python / "dist-packages");
    }
  }
  for (const path& site : sites) {
    for (const path& part : folders_in(site / "nvidia")) folders.push_back(part / "lib");
  }
}

}  // namespace

std::vector<path> library_folders() {
  std::vector<path> folders = split("BASIS_CUDA_LIBRARIES");
  folders.emplace_back();
  add_torch_folders(folders);
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    for (const path& home : split(variable)) folders.push_back(home / "lib64");
  }
  folders.emplace_back("/usr/local/cuda/lib64");
  return folders;
}

namespace {

/// Null where it is not there, or does not load: dlerror says why.
void* open_in(const path& folder, const std::string& name) {
  const path file = folder / name;
  if (!folder.empty() && !std::filesystem::exists(file)) return nullptr;
  return dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL);
}

/// What is loaded is found by its name, wherever it lies. What is not there is for the loader to
/// name.
void open_first_found(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    for (const path& folder : library_folders()) {
      if (open_in(folder, name) != nullptr) break;
    }
  }
}

}  // namespace

Library::Library(const std::vector<Name>& names) {
  std::string refusal;  // of a file that is there
  std::vector<std::string> files;
  for (const Name& name : names) files.push_back(name.file);
  std::vector<std::string> searched;
  for (const std::filesystem::path& folder : library_folders()) {
    for (const Name& name : names) {
      const bool is_there = folder.empty() || std::filesystem::exists(folder / name.file);
      if (!is_there) continue;
      handle_ = open_in(folder, name.file);
      if (handle_ == nullptr && !folder.empty() && !name.needs.empty()) {
        open_first_found(name.needs);
        handle_ = open_in(folder, name.file);
      }
      if (handle_ != nullptr) {
        path_ = (folder / name.file).string();
        return;
      }
      if (!folder.empty()) refusal = fmt::format("; {}", dlerror());
    }
    searched.push_back(folder.empty() ? "the system's library folders" : folder.string());
  }
  throw Error(
      fmt::format("there is no {} in {}{}. It comes with the CUDA toolkit and with torch; "
                  "name its folder in BASIS_CUDA_LIBRARIES",
                  fmt::join(files, " or "), fmt::join(searched, ", "), refusal));
}

void* Library::symbol(const char* name) const {
  void* address = dlsym(handle_, name);
  if (address == nullptr) throw Error(fmt::format("{} has no function {}", path_, name));
  return address;
}

}  // namespace basis::cuda
