#include <stdexcept>

#include "nn/bert_config.h"
#include "tensor/error.h"
#include "tests/fuzz/fuzz_files.h"
#include "tests/fuzz/fuzz_targets.h"

namespace basis::fuzz {
namespace {

std::vector<std::string> bert_config_seeds() {
  BertConfig classifier;
  classifier.architectures = {"BertForSequenceClassification"};
  classifier.labels = {"no", "yes", "m\u00fcde"};
  classifier.problem_type = "single_label_classification";
  classifier.classifier_dropout = 0.5;
  classifier.head = "pooler";
  return {BertConfig().to_json(), classifier.to_json()};
}

bool run_bert_config(std::string_view input) {
  BertConfig config;
  try {
    config = BertConfig::parse(input, "config.json");
  } catch (const Error&) {
    return false;
  }
  try {
    demand(BertConfig::parse(config.to_json(), "again") == config, "reads back what it wrote");
  } catch (const Error& error) {
    throw std::logic_error(error.what());
  }
  return true;
}

}  // namespace

const Target bert_config_target{"bert_config", bert_config_seeds, run_bert_config};

}  // namespace basis::fuzz
