#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/task.h"
#include "optim/optimizer.h"
#include "spectral/adapter_method.h"

namespace basis {

/// How a TextClassifier computes and learns.
struct TextClassifierOptions {
  std::string device = "cpu";
  std::int64_t threads = 0;       // 0: all
  std::uint64_t seed = 0;         // of a new head, of adapters and of dropout
  std::int64_t max_length = 128;  // token ids of a row at most, special ones included
  double learning_rate = 5e-5;    // constant over the steps
  AdapterMethod method;           // what trains: all parameters unless it says otherwise
  OptimizerOptions optimizer;
};

/// The answer to one row.
struct TextPrediction {
  std::int32_t label = 0;     // the class with the largest logit
  std::string name;           // of that class
  std::vector<float> logits;  // one a class
};

/// A model folder with its tokenizer and a head for classes, from texts to texts' classes: the
/// short way for a program of one's own. Experiments go by config files (experiments/runner.h).
class TextClassifier {
 public:
  /// `folder`: Hugging Face's layout (config.json, model.safetensors, vocab.txt). `labels`: the
  /// classes by index; none: those that the folder's config.json names. The head is the file's
  /// where it has one, else new.
  /// Throws Error where files are missing or bad, for fewer than 2 classes or others than the
  /// file's head has, and as attach does.
  static TextClassifier load(const std::filesystem::path& folder,
                             std::vector<std::string> labels = {},
                             const TextClassifierOptions& options = {});
  TextClassifier(TextClassifier&&) noexcept;
  TextClassifier& operator=(TextClassifier&&) noexcept;
  ~TextClassifier();

  /// One optimiser step on the mean loss of `rows` (with a second text: a pair).
  /// Returns that loss, from before the step. Throws Error for no rows, a label that is no class,
  /// and a loss or gradient that is not finite.
  double train_step(std::span<const Example> rows);

  /// The rows' classes in order, without dropout. Labels in `rows` are not read.
  std::vector<TextPrediction> predict(std::span<const Example> rows);

  /// A folder that load and transformers' from_pretrained take, with adapters merged.
  void save(const std::filesystem::path& folder);

  const std::vector<std::string>& labels() const;
  /// The parts, for what this class does not do.
  SequenceClassifier& model();

 private:
  struct State;
  explicit TextClassifier(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace basis
