#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace basis {

/// The folder that holds data and weights, so that no config names a machine's paths:
///
///     glue/MRPC/train.tsv ...                   the official GLUE files
///     corpora/wikipedia.txt.zst                 a paragraph a line, a blank line between documents
///     vocab/bert-base-uncased-vocab.txt
///     weights/minilm-l6-h384-uncased/           a model folder in Hugging Face's layout
class DataRoot {
 public:
  explicit DataRoot(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// `option` (of --data) if given, else $BASIS_DATA, else ~/.local/share/basis. It need not exist.
  static DataRoot find(const std::optional<std::filesystem::path>& option);

  const std::filesystem::path& folder() const { return folder_; }

  /// A path of a config: itself when absolute, else under the root.
  std::filesystem::path resolve(const std::filesystem::path& path) const;

  /// The same of something that must be there. Throws Error that names the place, where it is to be
  /// had, and its checksum where known.
  std::filesystem::path require_file(const std::filesystem::path& path) const;
  std::filesystem::path require_folder(const std::filesystem::path& path) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace basis
