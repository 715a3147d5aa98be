#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "spectral/adapter_file_tensors.h"

namespace basis {

/// Whether `name`, a parameter of an adapter of this method, stands in the basis file beside the
/// adapter's tensors: the frozen factors of a full-rank basis (rank 0), which outweigh the model
/// (MiniLM: 64 MB for 13,824 coefficients) and are the same for every adapter on it.
bool stands_in_basis_file(const AdapterMethod& method, const std::string& name);

/// What stands in the basis file of an attached adapter.
struct BasisFile {
  std::string name;  // "basis-<XXH3-128 of its tensors>.safetensors", empty where there is no file
  std::vector<std::pair<std::string, Tensor>> tensors;
};
BasisFile basis_file_of(const SequenceClassifier& model, const AdapterMethod& method);

/// Writes the file into `folder`, unless it lies there or one folder up already: adapters in one
/// folder share the file that is put there. Nothing without a name. Throws Error.
void write_basis_file(const std::filesystem::path& folder, const BasisFile& file);

/// The file `name` in `folder` or one folder up; none for an empty name. Throws Error where it is
/// missing or its content is not what its name says.
std::optional<SafeTensors> open_basis_file(const std::filesystem::path& folder,
                                           const std::string& name);

}  // namespace basis
