#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "spectral/adapter_method.h"

namespace basis {

/// What an adapter's folder says of itself: enough to build the classifier that it fits.
struct AdapterInfo {
  AdapterMethod method;  // `targets` are named one by one; `apply` is the reader's choice
  std::string head;      // "mean" or "pooler"
  std::int64_t outputs = 0;
  std::vector<std::string> labels;  // empty where none are known
  std::string problem_type;         // as in BertConfig
  std::string basis_file;           // of a full-rank basis beside the tensors; empty without one
  std::string base_fingerprint;     // of the encoder it was made on; empty in PEFT's folders
  std::string base_sizes;           // of that encoder, for messages; empty likewise
};

/// Writes `folder` (made where it is missing): `adapter_model.safetensors` with every factor,
/// trained and frozen (SVD bits differ between processors), the head and what BitFit or Norms train
/// under our parameters' names; a full-rank basis in a file of its own
/// (spectral/adapter_basis_file.h); then `adapter_config.json`, last, so that a folder with one is
/// whole. `method` is what was attached. Throws Error for `full` (save the model instead), adapters
/// that are merged or that `method` does not describe, and where a file cannot be written.
void save_adapter(const std::filesystem::path& folder, const SequenceClassifier& model,
                  const AdapterMethod& method);

/// Reads the config of a folder of ours or of PEFT's LoRA (spectral/peft_folder.h). Throws Error
/// with the path and the key.
AdapterInfo read_adapter_info(const std::filesystem::path& folder);

/// Attaches the adapter of a folder of ours or of PEFT's to `model` and fills it and the head;
/// what trains is set as `attach` does. Returns the method that was attached. No SVD is computed.
/// Throws Error, with `model` as it was, for a missing or bad file, an adapter made on another
/// encoder (both fingerprints are named), another head or number of outputs, tensors that are
/// missing, unknown or of another shape, and a model that has an adapter already.
AdapterMethod load_adapter(Backend&, Allocator&, const std::filesystem::path& folder,
                           SequenceClassifier& model);

}  // namespace basis
