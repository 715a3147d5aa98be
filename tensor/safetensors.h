#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace basis {

class Backend;

/// A safetensors file (github.com/huggingface/safetensors): a JSON header that names each tensor's
/// dtype, shape and place, then their bytes. Opening checks the whole header and maps the file;
/// bytes are read when a tensor is touched. A handle: copies share the file.
class SafeTensors {
 public:
  /// Throws Error with the path, the tensor and what is wrong: an unreadable, empty or cut file, a
  /// header that is no valid JSON or longer than the file, an unknown dtype, a shape that does not
  /// fit its bytes, tensors that overlap, gaps and trailing bytes.
  static SafeTensors open(const std::filesystem::path& path);

  /// All tensors in the order of their bytes.
  const std::vector<std::string>& names() const;
  bool contains(const std::string& name) const;
  const std::map<std::string, std::string>& metadata() const;
  const std::filesystem::path& path() const;

  // All that follow throw Error when there is no tensor of this name.

  /// Throws Error for more than 4 axes.
  Shape shape(const std::string& name) const;
  /// As the file says it: "F32", "F16", "BF16", "F64", "I64", "I32", "U8", or another of the
  /// format's, which `tensor` refuses.
  const std::string& stored_dtype(const std::string& name) const;
  /// Bytes in the file.
  std::size_t stored_bytes(const std::string& name) const;

  /// F32, BF16, F64, I32, U8 as stored, without a copy where they are aligned: the tensor keeps the
  /// mapped file alive, writing to it changes memory only, and its pages go with its last handle.
  /// F16 becomes f32, I64 i32.
  Tensor tensor(const std::string& name) const;
  /// Converted to `wanted`, without a copy where nothing is to convert. Rounds to nearest even.
  /// Throws Error when an integer does not fit, or to make integers of floats.
  Tensor tensor(const std::string& name, DType wanted) const;
  /// The same of what must be real numbers, such as weights. Throws Error where whole ones stand.
  Tensor real_tensor(const std::string& name, DType wanted) const;

 private:
  struct Contents;
  struct Entry;
  explicit SafeTensors(std::shared_ptr<const Contents> contents) : contents_(std::move(contents)) {}
  const Entry& entry(const std::string& name) const;

  std::shared_ptr<const Contents> contents_;
};

/// Writes CPU tensors in the order given, in one step (see AtomicFile) and without a second copy in
/// memory. Data begin 8-byte aligned, as in the reference library; give wide dtypes first to keep
/// all aligned. transformers wants the metadata {"format": "pt"}.
/// Throws Error for two tensors of one name, a name that is not UTF-8 or "__metadata__", and where
/// the file cannot be written.
void write_safetensors(const std::filesystem::path& path,
                       const std::vector<std::pair<std::string, Tensor>>& tensors,
                       const std::map<std::string, std::string>& metadata);
/// The same of tensors in `backend`'s memory, of which one at a time has a copy on the host.
void write_safetensors(const std::filesystem::path& path, Backend& backend,
                       const std::vector<std::pair<std::string, Tensor>>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace basis
