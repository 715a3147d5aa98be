#include "data/glue.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis {
namespace {

struct GlueFile {
  const char* name = nullptr;
  const char* checksum = "";  // XXH3-128 of the official file, where we could compute it
};

/// What sets one task of GLUE apart.
struct GlueDescription {
  const char* name;
  const char* folder;
  const char* first;
  const char* second = nullptr;  // null: one sentence
  const char* label;
  std::vector<std::string> labels = {};  // in order of their ids; empty: regression
  std::vector<Metric> metrics;
  GlueFile train = {"train.tsv"};
  GlueFile dev = {"dev.tsv"};
  GlueFile dev_mismatched = {};
  GlueFile test = {"test.tsv"};
  std::vector<std::string> columns = {};  // CoLA's train and dev files have no header
  double malformed_share = 0;
};

const std::vector<GlueDescription>& descriptions() {
  using enum Metric;
  static const std::vector<std::string> binary = {"0", "1"};
  static const std::vector<std::string> two_way = {"entailment", "not_entailment"};
  static const std::vector<std::string> three_way = {"entailment", "neutral", "contradiction"};
  static const std::vector<GlueDescription> all = {
      {.name = "cola",
       .folder = "CoLA",
       .first = "sentence",
       .label = "label",
       .labels = binary,
       .metrics = {Matthews},
       .train = {"train.tsv", "9688ad315fb8b03326e25a6444ecb245"},
       .dev = {"dev.tsv", "285dddf65c91c835540978df219ac66a"},
       .test = {"test.tsv", "b69e148064bb5488d9acd70ec75befb7"},
       .columns = {"source", "label", "mark", "sentence"}},
      {.name = "sst2",
       .folder = "SST-2",
       .first = "sentence",
       .label = "label",
       .labels = binary,
       .metrics = {Accuracy},
       .train = {"train.tsv", "39a3e04b8994564c53090b288e44b3f9"},
       .dev = {"dev.tsv", "94786e49b5999f34a4f8c762f170bdf6"},
       .test = {"test.tsv", "7eeab456d544bf5f3465f2fd639b3ee2"}},
      {.name = "mrpc",
       .folder = "MRPC",
       .first = "#1 String",
       .second = "#2 String",
       .label = "Quality",
       .labels = binary,
       .metrics = {F1, Accuracy},
       .train = {"train.tsv", "01eb5c66117378a109a100f999fc2f09"},
       .dev = {"dev.tsv", "7b203a9eca604298ca8288c7e14374ce"},
       .test = {"test.tsv", "aa4733c59f7ab33dd5eb65fea4ef1684"}},
      {.name = "stsb",
       .folder = "STS-B",
       .first = "sentence1",
       .second = "sentence2",
       .label = "score",
       .metrics = {Pearson, Spearman},
       .train = {"train.tsv", "87cdb13b7c00ab828faa516a066f27bb"},
       .dev = {"dev.tsv", "3cc5e2963f7d7dcd564b53e3a83d8469"},
       .test = {"test.tsv", "d570c895dd3f5d0e976b36bb2df6ce44"}},
      // The official train.tsv has some 20 rows of 363,870 that a line break cuts, and a few texts
      // that are empty; everyone leaves them out.
      {.name = "qqp",
       .folder = "QQP",
       .first = "question1",
       .second = "question2",
       .label = "is_duplicate",
       .labels = binary,
       .metrics = {F1, Accuracy},
       .malformed_share = 1e-4},
      {.name = "mnli",
       .folder = "MNLI",
       .first = "sentence1",
       .second = "sentence2",
       .label = "gold_label",
       .labels = three_way,
       .metrics = {Accuracy},
       .dev = {"dev_matched.tsv"},
       .dev_mismatched = {"dev_mismatched.tsv"},
       .test = {"test_matched.tsv"}},
      {.name = "qnli",
       .folder = "QNLI",
       .first = "question",
       .second = "sentence",
       .label = "label",
       .labels = two_way,
       .metrics = {Accuracy},
       .dev = {"dev.tsv", "673dd94b67b1d5cf713c60b708afcb47"},
       .test = {"test.tsv", "99d517e4b6a1966ae0f5f7b4345c13c8"}},
      {.name = "rte",
       .folder = "RTE",
       .first = "sentence1",
       .second = "sentence2",
       .label = "label",
       .labels = two_way,
       .metrics = {Accuracy},
       .train = {"train.tsv", "a3ae63952c99c093d11e6841f7d8c547"},
       .dev = {"dev.tsv", "855d8b772562d594bbee50f1f8c68168"},
       .test = {"test.tsv", "9ead1a86f08f434ee6da72fb6c906ed3"}},
      {.name = "wnli",
       .folder = "WNLI",
       .first = "sentence1",
       .second = "sentence2",
       .label = "label",
       .labels = binary,
       .metrics = {Accuracy},
       .train = {"train.tsv", "cc471954186127418f08e3721f82ebbf"},
       .dev = {"dev.tsv", "b1dd801bb8fcf3ef122b41a9e00eaecf"},
       .test = {"test.tsv", "dc04ea6c61dfb6cad540f33ce28d1ee4"}},
      {.name = "ax",
       .folder = "AX",
       .first = "sentence1",
       .second = "sentence2",
       .label = "gold_label",
       .labels = three_way,
       .metrics = {Accuracy},
       .train = {},
       .dev = {},
       .test = {"diagnostic.tsv", "49b0186fedb3bd0534ab84030016b656"}},
  };
  return all;
}

/// "SST-2" as "sst2".
std::string plain_name(std::string_view name) {
  std::string plain;
  for (char letter : name) {
    if (letter == '-' || letter == '_') continue;
    plain += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  return plain;
}

}  // namespace

std::vector<std::string> glue_names() {
  std::vector<std::string> names;
  for (const GlueDescription& glue : descriptions()) names.emplace_back(glue.name);
  return names;
}

TaskSource glue_source(std::string_view name, const std::filesystem::path& data_root) {
  const auto& all = descriptions();
  const auto glue =
      std::find_if(all.begin(), all.end(),
                   [plain = plain_name(name)](const auto& one) { return plain == one.name; });
  if (glue == all.end()) {
    throw Error(
        fmt::format("unknown GLUE task \"{}\"; there are {}", name, fmt::join(glue_names(), ", ")));
  }
  const auto file = [&](const GlueFile& one, bool is_required,
                        const std::vector<std::string>& columns) -> TaskFile {
    if (one.name == nullptr) return {};
    return {data_root / "glue" / glue->folder / one.name, columns, is_required, one.checksum};
  };
  TaskSource source;
  source.task = {glue->name, glue->second != nullptr, glue->labels.empty(), glue->labels,
                 glue->metrics};
  source.first_column = glue->first;
  if (glue->second != nullptr) source.second_column = glue->second;
  source.label_column = glue->label;
  source.train = file(glue->train, true, glue->columns);
  source.dev = file(glue->dev, true, glue->columns);
  source.dev_mismatched = file(glue->dev_mismatched, true, glue->columns);
  source.test = file(glue->test, glue->train.name == nullptr, {});
  source.origin = "https://gluebenchmark.com/tasks";
  source.malformed_share = glue->malformed_share;
  return source;
}

}  // namespace basis
