// The studies' configs from end to end, in their reduced forms, by the program itself.
#include <set>

#include <gmock/gmock.h>

#include "experiments/snapshots.h"
#include "nn/checkpoint.h"
#include "tests/experiments/study.h"

namespace basis {
namespace {

using ::testing::HasSubstr;

TEST_F(Study, StabilityAnswersFromDosesAndControls) {
  const std::filesystem::path run_folder = run_reduced("stability");
  const std::string report = read_file(run_folder / "report.html");
  for (const char* part :
       {"id=\"claims\"", "specification curve", "over that of scrambled", "not decided"}) {
    EXPECT_THAT(report, HasSubstr(part));
  }
  // A random start is compared with the random weights, not with the pretrained ones: with these it
  // changes by more than its own size.
  const std::string results = read_file(run_folder / "results.csv");
  for (const auto& stage : stages(run_folder, "spectrum-synthetic-sentiment-random-start")) {
    const std::string spectrum = read_file(stage / "spectrum.csv");
    const std::size_t place = spectrum.find("encoder.layer.0");
    ASSERT_NE(place, std::string::npos);
    std::vector<std::string> fields;
    std::istringstream row(spectrum.substr(place, spectrum.find('\n', place) - place));
    for (std::string field; std::getline(row, field, ',');) fields.push_back(field);
    EXPECT_LT(std::stod(fields.at(13)), 0.5) << "change";
  }
}

TEST_F(Study, SharingComparesTasksSeedsAndShuffledLabels) {
  const std::filesystem::path run_folder = run_reduced("sharing");
  const auto found = stages(run_folder, "sharing-");
  ASSERT_EQ(found.size(), 1u);
  const std::string table = read_file(found.front() / "sharing.csv");
  for (const char* relation :
       {",tasks,", ",seeds,", ",shuffled,", ",shuffled_tasks,", ",same_seed,", ",gaussian,"}) {
    EXPECT_THAT(table, HasSubstr(relation));
  }
  EXPECT_THAT(read_file(run_folder / "report.html"), HasSubstr("shuffled labels"));
}

TEST_F(Study, SurgeryScoresEveryPartAndTakesStagesOfAnotherRun) {
  const std::filesystem::path first = run_reduced("surgery");
  const auto found = stages(first, "surgery-");
  ASSERT_EQ(found.size(), 2u);
  const std::string table = read_file(found.front() / "surgery.csv");
  for (const char* part : {",nothing,", ",everything,", "leading,core,8", "random,left,32",
                           "norm,outside,32", "leading,diagonal,8"}) {
    EXPECT_THAT(table, HasSubstr(part));
  }
  const auto config = std::filesystem::path(BASIS_CONFIGS) / "surgery.toml";
  const Outcome again =
      run("run '" + config.string() + "' --reduced --out again --reuse runs/surgery-reduced");
  EXPECT_EQ(again.status, 0) << again.error;
  EXPECT_THAT(again.out, HasSubstr("13 finished stages are reused"));
  EXPECT_EQ(read_file(folder_ / "again" / "results.csv"), read_file(first / "results.csv"));
  EXPECT_EQ(run("run '" + config.string() + "' --reduced --out c --reuse nowhere").status, 2);
}

TEST_F(Study, WhichBasisChoosesRatesOnRowsThatItDoesNotReport) {
  const std::filesystem::path run_folder = run_reduced("which-basis");
  EXPECT_EQ(stages(run_folder, "grid-").size(), 2u + 12 * 5);
  const auto choices = stages(run_folder, "choice-synthetic-sentiment-full");
  ASSERT_EQ(choices.size(), 1u);
  const std::string table = read_file(choices.front() / "choice.csv");
  EXPECT_THAT(table, HasSubstr("0.0001,100,accuracy,"));
  EXPECT_THAT(table, HasSubstr("0.001,100,accuracy,"));
  for (const auto& stage : stages(run_folder, "grid-")) {
    EXPECT_FALSE(std::filesystem::exists(stage / "model"));
    EXPECT_FALSE(std::filesystem::exists(stage / "adapter"));
  }
  // 30 rows of the training file choose, 50 of dev are reported.
  const std::string results = read_file(run_folder / "results.csv");
  EXPECT_THAT(results, HasSubstr(",30,"));
  EXPECT_THAT(results, HasSubstr(",50,"));
  EXPECT_EQ(stages(run_folder, "finetune-").size(), 2u * 13);
}

TEST_F(Study, AdaptersStandBesideEachOtherWithTheirSharesAndRates) {
  const std::filesystem::path run_folder = run_reduced("adapters-glue");
  EXPECT_EQ(stages(run_folder, "choice-").size(), 11u);
  const std::string report = read_file(run_folder / "report.html");
  for (const char* part : {"<b>d.</b>", "<b>d-lora.</b>", "lora-all-1"}) {
    EXPECT_THAT(report, HasSubstr(part));
  }
}

TEST_F(Study, PicaAnswersWithASharedMAndItsControls) {
  const std::filesystem::path run_folder = run_reduced("pica");
  EXPECT_EQ(stages(run_folder, "finetune-").size(), 2u * 9);
  const std::string report = read_file(run_folder / "report.html");
  for (const char* claim : {"space", "shared", "signs", "shared-space", "coefficients"}) {
    EXPECT_THAT(report, HasSubstr("<b>" + std::string(claim) + ".</b>"));
  }
  EXPECT_THAT(read_file(run_folder / "results.csv"), HasSubstr("shared-flipped-13"));
}

TEST_F(Study, CurvatureSteersTrainsAndStandsBesideAnAdapter) {
  for (const char* config : {"curvature", "curvature-relu"}) {
    const std::filesystem::path run_folder = run_reduced(config);
    const std::string report = read_file(run_folder / "report.html");
    for (const char* part : {"<b>steered.</b>", "<b>trained-lora.</b>", "<b>both.</b>",
                             "steered-50", "core-trained"}) {
      EXPECT_THAT(report, HasSubstr(part)) << config;
    }
    EXPECT_THAT(read_file(run_folder / "results.csv"), HasSubstr("curvature_start_error"));
  }
}

TEST_F(Study, VisionDataScaleHasNestedImagesAndItsClaim) {
  const std::filesystem::path run_folder = run_reduced("vision-data-scale");
  EXPECT_EQ(stages(run_folder, "pretrain-").size(), 2u * 3) << "three shares, two seeds";
  EXPECT_EQ(stages(run_folder, "spectrum-").size(), 2u * 3 * 2 * 3);
  const std::string report = read_file(run_folder / "report.html");
  for (const char* part : {"<b>c-vision.</b>", "full on x16", "all tasks, slope"}) {
    EXPECT_THAT(report, HasSubstr(part));
  }
}

TEST_F(Study, VisionHasTheLanguagesStudiesWithFloors) {
  const std::pair<const char*, const char*> studies[] = {
      {"vision-stability", "<b>a-vision.</b>"},
      {"vision-sharing", "<b>b-vision.</b>"},
      {"vision-which-basis", "<b>e-vision.</b>"},
      {"vision-adapters", "<b>d-vision-lora.</b>"},
      {"vision-curvature", "<b>steered-mlp.</b>"}};
  for (const auto& [config, claim] : studies) {
    const std::filesystem::path run_folder = run_reduced(config);
    EXPECT_THAT(read_file(run_folder / "report.html"), HasSubstr(claim)) << config;
    const bool has_floors = std::string_view(config) != "vision-sharing" &&
                            std::string_view(config) != "vision-curvature";
    EXPECT_EQ(stages(run_folder, "finetune-digits-pixels-perceptron").empty(), !has_floors);
  }
}

TEST_F(Study, FlatSetsBasinsBesideNormsAndScores) {
  const std::string report = read_file(run_reduced("flat") / "report.html");
  for (const char* part :
       {"<b>sam.</b>", "<b>go.</b>", "<th>Norm</th>", "go-20", "<b>basin-go.</b>",
        "<b>kept-sam.</b>", "Score after synthetic-entailment"}) {
    EXPECT_THAT(report, HasSubstr(part));
  }
}

TEST_F(Study, FlatPretrainComparesThreeOptimisersFromTheSameStart) {
  const std::filesystem::path run_folder = run_reduced("flat-pretrain");
  EXPECT_EQ(stages(run_folder, "pretrain-").size(), 3u * 2) << "three optimisers, two seeds";
  EXPECT_EQ(stages(run_folder, "landscape-").size(), 3u * 2);
  EXPECT_EQ(stages(run_folder, "finetune-").size(), 3u * 2);
  const std::string report = read_file(run_folder / "report.html");
  for (const char* part : {"<b>go.</b>", "<b>sam.</b>", "where they score above chance",
                           "Held-out loss", "synthetic-sentiment, full"}) {
    EXPECT_THAT(report, HasSubstr(part));
  }
}

TEST_F(Study, LandscapeLooksEveryWayAndGoesOnWhereItStopped) {
  const std::filesystem::path run_folder = run_reduced("landscape");
  const auto found = stages(run_folder, "landscape-");
  ASSERT_EQ(found.size(), 3u);
  const std::filesystem::path table = found.front() / "landscape.csv";
  const std::string whole = read_file(table);
  for (const char* kind : {"most-case,1,", "most-case-scaled,1,", "sft-case,0,", "worst-case,0,",
                           "plane,0,", "noise,2,", "noise-relative,2,", "noise-leading,1,",
                           "noise-random,1,", "path,1,", "chance,0,"}) {
    EXPECT_THAT(whole, HasSubstr(std::string("\n") + kind));
  }
  // What stands where nothing is moved is the model's own score.
  const std::string centre = whole.substr(whole.rfind(',') + 1);
  EXPECT_THAT(whole, HasSubstr("\nmost-case,0,0,," + centre));
  EXPECT_THAT(whole, HasSubstr("\nplane,0,0,0," + centre));
  const std::string report = read_file(run_folder / "report.html");
  for (const char* part : {"id=\"landscape\"", "Basin, relative σ", "A plane", "What the bound",
                           "in singular directions alone"}) {
    EXPECT_THAT(report, HasSubstr(part));
  }
  // As if it had been stopped behind the first slices, one of which says what no score says.
  const std::size_t first = whole.find('\n') + 1;
  std::string begun = whole.substr(first, whole.find("sft-case") - first);
  begun.replace(begun.rfind(',') + 1, std::string::npos, "0.123\n");
  std::filesystem::create_directories(found.front() / "checkpoints");
  write_file_atomically(found.front() / "checkpoints/landscape.csv", begun);
  std::filesystem::remove(found.front() / "result.json");
  std::filesystem::remove(table);
  run_reduced("landscape");
  const std::string resumed = read_file(table);
  EXPECT_THAT(resumed, HasSubstr(",0.123\n")) << "computed again";
  EXPECT_EQ(resumed.substr(resumed.find("sft-case")), whole.substr(whole.find("sft-case")));
}

TEST_F(Study, BudgetDrawsAFamilysMethodsAsACurve) {
  const std::string report = read_file(run_reduced("budget") / "report.html");
  for (const char* part : {"<b>smallest.</b>", "LoRA, query and value", "core, random basis"}) {
    EXPECT_THAT(report, HasSubstr(part));
  }
}

TEST_F(Study, DataScaleHasItsModelsItsSeedsAndItsSnapshots) {
  const std::filesystem::path run_folder = run_reduced("data-scale");
  const auto pretrainings = stages(run_folder, "pretrain-");
  ASSERT_EQ(pretrainings.size(), 4u) << "two amounts of data, two seeds";
  std::size_t with_best = 0;
  for (const auto& stage : pretrainings) {
    std::set<std::string> names;
    for (const Snapshot& snapshot : read_snapshots(stage)) {
      names.insert(snapshot.name);
      EXPECT_TRUE(std::filesystem::exists(stage / snapshot.folder() / "model.safetensors"));
    }
    with_best += names.erase("best");
    EXPECT_EQ(names, (std::set<std::string>{"0", "50000", "final"}));
  }
  EXPECT_EQ(with_best, 2u) << "of x1, each seed";
  // Each seed: three rates on five models, and the same of text on two models.
  EXPECT_EQ(stages(run_folder, "finetune-synthetic-sentiment-").size(), 2u * 3 * 5);
  EXPECT_EQ(stages(run_folder, "finetune-to-novels-").size(), 2u * 3 * 2);
  const std::string report = read_file(run_folder / "report.html");
  for (const char* row : {"full on x1", "full on x16-matched", "x0, ρ at k = 32", "Claim c-task",
                          "Claim c-domain", "all tasks, slope"}) {
    EXPECT_THAT(report, HasSubstr(row));
  }
}

TEST_F(Study, DataScaleOnTheSyntheticLanguageHasItsEmergenceToo) {
  const std::filesystem::path run_folder = run_reduced("data-scale-synthetic");
  EXPECT_EQ(stages(run_folder, "pretrain-").size(), 4u);
  EXPECT_EQ(stages(run_folder, "emergence-").size(), 4u);
  EXPECT_EQ(stages(run_folder, "finetune-").size(), 2u * 3 * 3);
  const std::string report = read_file(run_folder / "report.html");
  for (const char* part : {"id=\"emergence\"", "all tasks, slope", "x0, ρ at k = 32"}) {
    EXPECT_THAT(report, HasSubstr(part));
  }
}

TEST_F(Study, VisionQuickStartsFromAnEncoderThatReadsPatches) {
  const std::filesystem::path run_folder = run_reduced("vision-quick");
  const auto pretrainings = stages(run_folder, "pretrain-plain-");
  ASSERT_EQ(pretrainings.size(), 1u);
  const BertConfig config = BertConfig::read(pretrainings.front() / "model");
  EXPECT_EQ(config.patch_size, 7);
  EXPECT_TRUE(config.labels.empty()) << "the head is a fine-tuning's own";
  const Checkpoint encoder(pretrainings.front() / "model");
  EXPECT_TRUE(encoder.contains("embeddings.patch_embeddings.projection.weight"));
  EXPECT_FALSE(encoder.contains("classifier.weight"));
  EXPECT_EQ(read_snapshots(pretrainings.front()).size(), 1u);
  EXPECT_EQ(stages(run_folder, "finetune-").size(), 2u * 3);
  EXPECT_EQ(stages(run_folder, "spectrum-").size(), 2u);
  const std::string report = read_file(run_folder / "report.html");
  for (const char* part : {"own vision transformer", "nats per image", "Classification of images",
                           "shapes that the program draws", "spectral-core"}) {
    EXPECT_THAT(report, HasSubstr(part));
  }
  EXPECT_THAT(report, Not(HasSubstr("small grammar"))) << "no synthetic language here";
  const auto adapted = stages(run_folder, "finetune-rotated-spectral-core-0");
  ASSERT_EQ(adapted.size(), 1u);
  const Outcome merge =
      run("merge --model '" + (pretrainings.front() / "model").string() + "' --adapter '" +
          (adapted.front() / "adapter").string() + "' --out merged");
  EXPECT_EQ(merge.status, 0) << merge.error;
  EXPECT_EQ(BertConfig::read(folder_ / "merged").patch_size, 7);
  const Outcome predict = run("predict --model merged");
  EXPECT_EQ(predict.status, 2);
  EXPECT_THAT(predict.error, HasSubstr("the model reads patches of images"));
}

}  // namespace
}  // namespace basis
