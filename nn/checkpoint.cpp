#include "nn/checkpoint.h"

#include <algorithm>

#include <fmt/format.h>

#include "tensor/file.h"
#include "tensor/safetensors.h"

namespace basis {

namespace {

bool replace_suffix(std::string& text, std::string_view from, std::string_view to) {
  if (!text.ends_with(from)) return false;
  text.replace(text.size() - from.size(), from.size(), to);
  return true;
}

/// Today's name without the prefix: "bert.embeddings.LayerNorm.gamma" ->
/// "embeddings.LayerNorm.weight".
std::string canonical_name(const std::string& stored) {
  std::string name = stored;
  if (name.starts_with("bert.")) name.erase(0, 5);
  if (!replace_suffix(name, "LayerNorm.gamma", "LayerNorm.weight")) {
    replace_suffix(name, "LayerNorm.beta", "LayerNorm.bias");
  }
  return name;
}

/// Tensors that carry nothing of their own: the tied decoder's copies and a constant buffer.
bool is_redundant(const std::string& name) {
  return name == "cls.predictions.decoder.weight" || name == "cls.predictions.decoder.bias" ||
         name == "embeddings.position_ids";
}

}  // namespace

struct Checkpoint::State {
  std::string path;
  SafeTensors file;
  std::map<std::string, std::string> stored_names;  // canonical -> as stored
  std::vector<std::string> taken;
};

Checkpoint::Checkpoint(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "model.safetensors";
  state_ = std::make_unique<State>(State{path.string(), SafeTensors::open(path), {}, {}});
  for (const std::string& stored : state_->file.names()) {
    const auto [entry, is_new] = state_->stored_names.emplace(canonical_name(stored), stored);
    if (!is_new) {
      throw Error(fmt::format("{}: tensors \"{}\" and \"{}\" are the same parameter", state_->path,
                              entry->second, stored));
    }
  }
}

Checkpoint::~Checkpoint() = default;
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;

std::optional<Tensor> Checkpoint::take(const std::string& name, const Shape& shape, DType dtype) {
  const auto found = state_->stored_names.find(name);
  if (found == state_->stored_names.end()) return std::nullopt;
  const Shape stored = state_->file.shape(found->second);
  if (stored != shape) {
    throw Error(fmt::format("{}: tensor \"{}\" has shape {}, expected {} by {}", state_->path,
                            found->second, stored.to_string(), shape.to_string(),
                            name.starts_with("classifier.") ? "the number of outputs asked for"
                                                            : "the model's config.json"));
  }
  state_->taken.push_back(name);
  return state_->file.real_tensor(found->second, dtype);
}

Tensor Checkpoint::require(const std::string& name, const Shape& shape, DType dtype) {
  if (auto tensor = take(name, shape, dtype)) return std::move(*tensor);
  throw Error(
      fmt::format("{}: no tensor \"{}\" {} among its {}, and the model's config.json asks "
                  "for one: the two files do not belong together",
                  state_->path, name, shape.to_string(), state_->file.names().size()));
}

bool Checkpoint::contains(const std::string& name) const {
  return state_->stored_names.contains(name);
}

Shape Checkpoint::shape(const std::string& name) const {
  const auto found = state_->stored_names.find(name);
  if (found == state_->stored_names.end()) {
    throw Error(fmt::format("{}: no tensor \"{}\"", state_->path, name));
  }
  return state_->file.shape(found->second);
}

std::vector<std::string> Checkpoint::unused() const {
  std::vector<std::string> names;
  for (const auto& [name, stored] : state_->stored_names) {
    if (is_redundant(name)) continue;
    if (std::find(state_->taken.begin(), state_->taken.end(), name) == state_->taken.end()) {
      names.push_back(stored);
    }
  }
  return names;
}

void write_checkpoint(const std::filesystem::path& folder, const BertConfig& config,
                      Backend& backend,
                      const std::vector<std::pair<std::string, Tensor>>& tensors) {
  // A model that stood here must not lend its config to our tensors.
  std::error_code failure;
  std::filesystem::remove(folder / "config.json", failure);
  if (failure) throw Error(fmt::format("{}: {}", folder.string(), failure.message()));
  write_safetensors(folder / "model.safetensors", backend, tensors, {{"format", "pt"}});
  write_file_atomically(folder / "config.json", config.to_json());
}

}  // namespace basis
