#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "data/wordpiece.h"
#include "experiments/compute.h"
#include "nn/sequence_classifier.h"
#include "spectral/matrix.h"

namespace basis {

/// Does config.json of a model folder tell of patches? No where there is none: who reads on says
/// what is missing. Throws Error where it is bad.
bool reads_images(const std::filesystem::path& model);

/// The tokenizer of a model folder. Throws Error where files are missing or bad, where the model
/// reads images, or where the vocabulary does not fit the word embeddings that config.json tells
/// of: it may be shorter by what rounds their number up, never longer.
WordPieceTokenizer load_tokenizer(const std::filesystem::path& model);

/// A classifier from a model folder, and from an adapter folder on it where one is given. The
/// number of outputs and the head are the adapter's, else the folder's own classifier's, else
/// `outputs`. Throws Error where a file is missing or bad, where nothing says how many outputs
/// there are, or config.json names another number of labels than the classifier has rows.
std::unique_ptr<SequenceClassifier> load_classifier(
    Compute& compute, const std::filesystem::path& model,
    const std::optional<std::filesystem::path>& adapter, std::int64_t outputs = 0);

/// The classifier that an adapter folder is for, without the adapter. Throws Error likewise.
std::unique_ptr<SequenceClassifier> load_bare_classifier(Compute& compute,
                                                         const std::filesystem::path& model,
                                                         const std::filesystem::path& adapter);

/// What a user must know who takes a model or an adapter with a mean head to transformers.
inline constexpr const char* mean_head_remark =
    "The head stands on the mean of the tokens (basis_head in the config); transformers' "
    "BertForSequenceClassification would use the pooler and give other logits.\n";

/// A folder that is read may not be written: an adapter is no longer that of a merged model. Throws
/// Error where `out` is `in`.
void expect_other_folder(const std::filesystem::path& out, const std::filesystem::path& in);

/// The weights of the encoder's matrices, in order of the layers.
std::vector<Parameter*> encoder_weights(std::span<EncoderLayer> layers);
inline std::vector<Parameter*> encoder_weights(SequenceClassifier& model) {
  return encoder_weights(model.layers());
}
/// Puts a matrix of its shape in a weight's place, in the weight's dtype.
void set_weight(Backend& backend, Allocator& allocator, Parameter& weight, const Matrix& matrix);

/// Every encoder matrix of a model by Hugging Face name
/// ("encoder.layer.0.attention.self.query.weight"), in order of the layers.
struct EncoderMatrix {
  std::string name;
  Tensor value;  // (out, in) f32 in host memory
};

/// Those of a model folder; with an adapter, merged. `base` is the model that an adapter folder
/// stands on. Throws Error as load_classifier does.
std::vector<EncoderMatrix> encoder_matrices(const std::filesystem::path& folder,
                                            const std::filesystem::path& base);

}  // namespace basis
