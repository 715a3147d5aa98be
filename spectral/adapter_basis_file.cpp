#include "spectral/adapter_basis_file.h"

#include <fmt/format.h>

#include "tensor/hash.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

using Tensors = std::vector<std::pair<std::string, Tensor>>;

std::string name_of_content(const Tensors& tensors) {
  Hasher hasher;
  for (const auto& [name, tensor] : tensors) {
    hasher.add(name).add(tensor);
  }
  return "basis-" + hasher.hex() + ".safetensors";
}

/// By its name, not by links; the "x" makes "a" and "a/" the same.
std::filesystem::path folder_above(const std::filesystem::path& folder) {
  return std::filesystem::absolute(folder / "x").parent_path().lexically_normal().parent_path();
}

/// Where the file lies; empty where it is in neither place.
std::filesystem::path find_basis_file(const std::filesystem::path& folder,
                                      const std::string& name) {
  std::error_code ignored;
  for (const std::filesystem::path& place : {folder, folder_above(folder)}) {
    if (std::filesystem::is_regular_file(place / name, ignored)) return place / name;
  }
  return {};
}

}  // namespace

bool stands_in_basis_file(const AdapterMethod& method, const std::string& name) {
  return method.kind == AdapterMethod::Kind::Spectral && method.rank == 0 &&
         (name.ends_with(".spectral_U") || name.ends_with(".spectral_V"));
}

BasisFile basis_file_of(const SequenceClassifier& model, const AdapterMethod& method) {
  BasisFile file;
  for (const auto& [name, shape] : adapter_tensors(model, method)) {
    if (!stands_in_basis_file(method, name)) continue;
    file.tensors.emplace_back(name, to_host(model.backend(), model.parameters().at(name).value()));
  }
  if (!file.tensors.empty()) file.name = name_of_content(file.tensors);
  return file;
}

void write_basis_file(const std::filesystem::path& folder, const BasisFile& file) {
  if (file.name.empty() || !find_basis_file(folder, file.name).empty()) return;
  write_safetensors(folder / file.name, file.tensors, {});
}

std::optional<SafeTensors> open_basis_file(const std::filesystem::path& folder,
                                           const std::string& name) {
  if (name.empty()) return std::nullopt;
  const std::filesystem::path path = find_basis_file(folder, name);
  if (path.empty()) {
    throw Error(
        fmt::format("{}: the adapter's basis, {}, is neither there nor one folder up: copy "
                    "it from where the adapter was saved",
                    folder.string(), name));
  }
  SafeTensors file = SafeTensors::open(path);
  Tensors tensors;
  for (const std::string& tensor : file.names()) tensors.emplace_back(tensor, file.tensor(tensor));
  if (const std::string found = name_of_content(tensors); found != name) {
    throw Error(
        fmt::format("{}: holds another basis than its name says ({})", path.string(), found));
  }
  return file;
}

}  // namespace basis
