#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/bert_config.h"
#include "tensor/backend.h"

namespace basis {

/// What loading found: parameters that the file lacked (they start from their initialiser) and
/// tensors that the model has no place for.
struct LoadReport {
  std::vector<std::string> fresh;
  std::vector<std::string> unused;
};

/// The weights of a model folder under today's Hugging Face names without the `bert.` prefix: old
/// `LayerNorm.gamma`/`beta` and tied copies are known.
class Checkpoint {
 public:
  /// FOLDER/model.safetensors. Throws Error when it is missing or bad.
  explicit Checkpoint(const std::filesystem::path& folder);
  ~Checkpoint();
  Checkpoint(Checkpoint&&) noexcept;

  /// The tensor in `dtype` in the host's memory, mapped without a copy where it is stored so;
  /// nothing when the file lacks it. Throws Error when its shape is another or it holds whole
  /// numbers.
  std::optional<Tensor> take(const std::string& name, const Shape& shape, DType dtype);
  /// The same of what must be there. Throws Error also when the file lacks it.
  Tensor require(const std::string& name, const Shape& shape, DType dtype);
  bool contains(const std::string& name) const;
  /// Throws Error when the file lacks it.
  Shape shape(const std::string& name) const;
  /// Names that were never taken, as they stand in the file.
  std::vector<std::string> unused() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes model.safetensors of tensors in the backend's memory, then config.json, last, so that a
/// folder with one is whole. Throws Error.
void write_checkpoint(const std::filesystem::path& folder, const BertConfig& config, Backend&,
                      const std::vector<std::pair<std::string, Tensor>>& tensors);

}  // namespace basis
