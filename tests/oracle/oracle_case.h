#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "autograd/context.h"
#include "autograd/losses.h"
#include "nn/masked_language_model.h"
#include "nn/sequence_classifier.h"
#include "tensor/arena.h"
#include "tensor/caching_allocator.h"
#include "tensor/packed.h"
#include "tensor/safetensors.h"
#include "tests/tensor/as_doubles.h"

namespace basis::oracle {

/// Where tests/oracle stands.
std::filesystem::path folder();

/// Backend and memory of one test.
struct Machine {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<CachingAllocator> memory;
  std::unique_ptr<Arena> arena;

  /// On the CPU unless told otherwise.
  explicit Machine(std::unique_ptr<Backend> on = nullptr);
};

/// A packed batch of a file; `prefix` is "step.3." in training files.
struct OracleBatch {
  PackedLayout layout;
  Tensor ids, positions, types;
  Tensor labels;   // (B) i32, or empty
  Tensor targets;  // (B, 1), or empty
  Tensor masked_rows;
  RowSegments segments;
  Variable patches;  // of images, in place of ids and types
  BertInputs inputs() const { return {layout, ids, positions, types, 0, 0, segments, patches}; }
};

/// One file: its numbers in the dtype that the test computes in.
class Case {
 public:
  Case(const std::string& path, DType dtype);

  const nlohmann::json& settings() const { return settings_; }
  std::vector<double> numbers(const std::string& name) const;
  bool contains(const std::string& name) const { return file_.contains(name); }
  const std::vector<std::string>& names() const { return file_.names(); }
  std::int64_t outputs() const;
  Shape shape(const std::string& name) const { return file_.shape(name); }

  OracleBatch batch(Machine& machine, const std::string& prefix = "") const;
  /// The model with the file's head, all parameters trainable unless the head leaves them unused.
  std::unique_ptr<SequenceClassifier> classifier(Machine& machine) const;
  std::unique_ptr<MaskedLanguageModel> language_model(Machine& machine) const;
  /// Writes the tensor `name` of the file into a parameter.
  void fill(Machine& machine, Parameter& parameter, const std::string& name) const;
  DType dtype() const { return dtype_; }

 private:
  BertConfig config() const;
  std::filesystem::path model_folder() const;

  SafeTensors file_;
  nlohmann::json settings_;
  DType dtype_;
};

/// The loss of the case's kind, summed; gradients scaled to the mean.
Variable loss_of(Context& context, const SequenceClassifier& model, const OracleBatch& batch,
                 Variable* logits = nullptr, double count = 0);

/// Expects |found - wanted| <= tolerance everywhere, and names the worst element.
void expect_near(const std::vector<double>& found, const std::vector<double>& wanted,
                 double tolerance, const std::string& what);
double largest_magnitude(const std::vector<double>& values);

}  // namespace basis::oracle
