#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "tests/fuzz/fuzz_targets.h"
#include "tests/fuzz/mutator.h"

namespace basis::fuzz {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class Fuzz : public testing::TestWithParam<const Target*> {};

TEST_P(Fuzz, EveryInputIsTakenOrRefused) {
  const Target& target = *GetParam();
  const std::uint64_t seed = from_environment("BASIS_FUZZ_SEED", 1);
  const std::uint64_t inputs = from_environment("BASIS_FUZZ_INPUTS", 20'000) / target.fewer;
  std::cout << target.name << ": seed " << seed << ", " << inputs << " inputs" << std::endl;
  for (const std::string& input : target.seeds()) {
    ASSERT_TRUE(target.run(input)) << "a seed is refused: " << testing::PrintToString(input);
  }
  Mutator mutator(target.seeds(), seed);
  std::uint64_t taken = 0;
  for (std::uint64_t i = 0; i < inputs; ++i) {
    const std::string input = mutator.next();
    try {
      taken += target.run(input) ? 1 : 0;
    } catch (const std::exception& error) {
      FAIL() << "seed " << seed << ", input " << i << ": " << error.what() << "\n"
             << testing::PrintToString(input);
    }
  }
  std::cout << taken << " taken, " << inputs - taken << " refused" << std::endl;
  // Changes that are all refused, or all harmless, would test little.
  if (inputs >= 1000) {
    EXPECT_GT(taken, inputs / 200);
    EXPECT_LT(taken, inputs - inputs / 200);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, Fuzz,
                         testing::Values(&safetensors_target, &bert_config_target, &tsv_target,
                                         &csv_target, &jsonl_target, &corpus_target,
                                         &compressed_corpus_target, &idx_target,
                                         &image_transform_target, &vocabulary_target,
                                         &tokenizer_config_target, &tokenizer_json_target,
                                         &adapter_config_target, &peft_config_target,
                                         &peft_tensors_target, &config_target, &checkpoint_target,
                                         &plan_target, &result_target),
                         [](const auto& each) { return std::string(each.param->name); });

}  // namespace
}  // namespace basis::fuzz
