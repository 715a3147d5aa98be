#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace basis::fuzz {

/// A reader of users' files under test.
struct Target {
  const char* name;
  /// Valid inputs.
  std::vector<std::string> (*seeds)();
  /// Reads the input and throws std::logic_error when it is taken but taken wrongly. Returns
  /// whether it was taken; basis::Error means that it was refused.
  bool (*run)(std::string_view input);
  /// How many times fewer inputs it gets, for a reader that is slow.
  std::uint64_t fewer = 1;
};

// fuzz_tensor.cpp
extern const Target safetensors_target;
// fuzz_nn.cpp
extern const Target bert_config_target;
// fuzz_data.cpp
extern const Target tsv_target;
extern const Target csv_target;
extern const Target jsonl_target;
extern const Target corpus_target;
extern const Target compressed_corpus_target;
// fuzz_images.cpp
extern const Target idx_target;
extern const Target image_transform_target;
// fuzz_tokenizer.cpp
extern const Target vocabulary_target;
extern const Target tokenizer_config_target;
extern const Target tokenizer_json_target;
// fuzz_spectral.cpp
extern const Target adapter_config_target;
extern const Target peft_config_target;
extern const Target peft_tensors_target;
// fuzz_experiments.cpp
extern const Target config_target;
extern const Target checkpoint_target;
extern const Target plan_target;
extern const Target result_target;

}  // namespace basis::fuzz
