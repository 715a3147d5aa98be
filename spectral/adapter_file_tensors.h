#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "spectral/adapter_file.h"
#include "tensor/json_keys.h"
#include "tensor/safetensors.h"

namespace basis {

struct BasisFile;  // spectral/adapter_basis_file.h

/// A parameter's name and shape.
using NamedShape = std::pair<std::string, Shape>;
/// Our parameter's name as a file has it.
using NameInFile = std::function<std::string(const std::string& name)>;

/// The parameters that an adapter of this method and its head consist of on `model`, whether it is
/// attached or not: what its file holds. Throws Error for `full`, and for a rank or a bandwidth
/// that does not fit a matrix (both are named).
std::vector<NamedShape> adapter_tensors(const SequenceClassifier& model,
                                        const AdapterMethod& method);

/// The same of the adapter in `folder`, which messages then name.
std::vector<NamedShape> adapter_tensors_in(const std::filesystem::path& folder,
                                           const SequenceClassifier& model,
                                           const AdapterMethod& method);

/// Throws Error unless `model` has the adapter of `method` in its slots, unmerged, and no other.
void check_attached(const SequenceClassifier& model, const AdapterMethod& method);

/// Writes `tensors`, on the host or on `backend`'s device, to adapter_model.safetensors, those of
/// `basis` to its own file, then `config` to adapter_config.json, indented. Throws Error.
void write_adapter_folder(const std::filesystem::path& folder, Backend& backend,
                          const std::vector<std::pair<std::string, Tensor>>& tensors,
                          const std::map<std::string, std::string>& metadata, const Json& config,
                          const BasisFile& basis);

/// `folder`/adapter_config.json. Throws Error when it is missing or no JSON object.
JsonKeys read_adapter_config(const std::filesystem::path& folder);

/// Throws Error unless `model` has the head and the outputs that the adapter in `folder` wants.
void check_fits_head(const std::filesystem::path& folder, const AdapterInfo& info,
                     const SequenceClassifier& model);

/// `folder`/adapter_model.safetensors. Throws Error, with a hint where a pickle lies there instead.
SafeTensors open_adapter_tensors(const std::filesystem::path& folder);

/// Checks that `file` (with `basis`, the file of spectral/adapter_basis_file.h) holds `wanted` and
/// nothing else, attaches `method` and fills all of `wanted`. Without a `basis_source` no SVD is
/// computed, and `wanted` has to hold what would be made of one. Throws Error with `model` as it
/// was.
void attach_stored(Backend&, Allocator&, SequenceClassifier& model, const AdapterMethod& method,
                   const std::vector<NamedShape>& wanted, const SafeTensors& file,
                   const NameInFile& name_in_file,
                   const std::optional<SafeTensors>& basis = std::nullopt,
                   const BasisSource& basis_source = nullptr);

}  // namespace basis
