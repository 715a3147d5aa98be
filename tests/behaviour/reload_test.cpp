// What was trained is what is merged, saved and loaded.
#include <cmath>

#include "experiments/model_folder.h"
#include "spectral/adapter_set.h"
#include "spectral/curvature_tuning.h"
#include "spectral/merged_adapters.h"
#include "spectral/peft_folder.h"
#include "tests/behaviour/tiny.h"
#include "tests/experiments/fixture.h"

namespace basis::behaviour {
namespace {

class Reload : public FolderTest, public testing::WithParamInterface<NamedMethod> {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    model_ = tiny_model(machine_);
    for (const char* name : {"base", "model"}) std::filesystem::create_directories(folder_ / name);
    save_model(folder_ / "base", *model_);
    attach(*machine_.backend, machine_.memory, *model_, method());
    TinyTraining training(machine_, *model_);
    training.trainer().run(nullptr);
  }

  static const AdapterMethod& method() { return GetParam().method; }
  static bool has_adapter() { return basis::has_adapter(method().kind); }

  Machine machine_;
  std::unique_ptr<SequenceClassifier> model_;
};

void expect_near(const std::vector<float>& some, const std::vector<float>& other,
                 double tolerance) {
  ASSERT_EQ(some.size(), other.size());
  for (std::size_t i = 0; i < some.size(); ++i) EXPECT_NEAR(some[i], other[i], tolerance) << i;
}

TEST_P(Reload, MergedAnswersAsUnmerged) {
  const std::vector<float> before = logits_of(machine_, *model_);
  const auto values = values_of(*model_);
  if (has_curvature(*model_)) {
    EXPECT_THROW(MergedAdapters(*machine_.backend, machine_.memory, *model_), Error);
    EXPECT_EQ(values_of(*model_), values);
    return;
  }
  MergedAdapters merged(*machine_.backend, machine_.memory, *model_);
  EXPECT_EQ(values_of(*model_) != values, has_adapter());
  // Roundings of W + F₁ ⋯ Fₙ, 6e-8 relative, through 2 layers, in logits below 10.
  expect_near(logits_of(machine_, *model_), before, 1e-5);
  merged.unmerge();
  EXPECT_EQ(values_of(*model_), values);
  EXPECT_EQ(logits_of(machine_, *model_), before);
}

TEST_P(Reload, TheModelFolderGivesTheSameBits) {
  if (has_curvature(*model_)) return;  // refused: MergedAnswersAsUnmerged
  const MergedAdapters merged(*machine_.backend, machine_.memory, *model_);
  save_model(folder_ / "model", *model_);
  Compute compute;
  const auto loaded = load_classifier(compute, folder_ / "model", std::nullopt);
  for (const auto& [name, value] : values_of(*loaded)) {
    EXPECT_EQ(value, values_of(*model_).at(name)) << name;
  }
  EXPECT_EQ(logits_of(machine_, *loaded), logits_of(machine_, *model_));
}

TEST_P(Reload, TheAdapterFolderGivesTheSameBits) {
  if (method().kind == AdapterMethod::Kind::Full) {
    EXPECT_THROW(save_adapter(folder_ / "adapter", *model_, method()), Error);  // save_model's part
    return;
  }
  save_adapter(folder_ / "adapter", *model_, method());
  Compute compute;
  const auto loaded = load_classifier(compute, folder_ / "base", folder_ / "adapter");
  EXPECT_EQ(values_of(*loaded), values_of(*model_));
  const std::vector<float> logits = logits_of(machine_, *loaded);
  if (has_adapter() && method().apply != AdapterMethod::Apply::SidePath) {
    expect_near(logits, logits_of(machine_, *model_), 1e-5);  // loaded as a side path; as above
  } else {
    EXPECT_EQ(logits, logits_of(machine_, *model_));
  }
}

TEST_P(Reload, ThePeftFolderAnswersAlike) {
  if (!has_adapter() || has_curvature(*model_))
    return;  // refused: PeftFolder.IsNotMadeOfAMethodWithoutAnAdapter
  save_peft(folder_ / "peft", *model_, method(), "");
  Compute compute;
  const auto loaded = load_classifier(compute, folder_ / "base", folder_ / "peft");
  expect_near(logits_of(machine_, *loaded), logits_of(machine_, *model_), 1e-5);
}

// With another method's adapter beside it, on one encoder.
TEST_P(Reload, SwitchesWithAnotherOnOneModel) {
  if (method().kind == AdapterMethod::Kind::Full) return;  // nothing is left to share
  const std::vector<float> own = logits_of(machine_, *model_);
  save_adapter(folder_ / "adapter", *model_, method());
  Compute compute;
  const auto shared = load_bare_classifier(compute, folder_ / "base", folder_ / "adapter");
  const std::vector<float> bare = logits_of(machine_, *shared);
  const auto values = values_of(*shared);
  AdapterSet adapters(*shared);
  AdapterMethod other;
  other.kind = AdapterMethod::Kind::Lora;
  attach(*machine_.backend, machine_.memory, *shared, other);
  TinyTraining(machine_, *shared).trainer().run(nullptr);
  const std::vector<float> others = logits_of(machine_, *shared);
  adapters.keep("other");
  EXPECT_EQ(values_of(*shared), values);
  load_adapter(*machine_.backend, machine_.memory, folder_ / "adapter", *shared);
  const std::vector<float> loaded = logits_of(machine_, *shared);
  adapters.keep("own");

  for (int round = 0; round < 2; ++round) {
    adapters.use("own");
    EXPECT_EQ(logits_of(machine_, *shared), loaded);
    adapters.use("other");
    EXPECT_EQ(logits_of(machine_, *shared), others);
    adapters.use_none();
    EXPECT_EQ(logits_of(machine_, *shared), bare);
    EXPECT_EQ(values_of(*shared), values);
  }
  expect_near(loaded, own, 1e-5);  // a side path now, as in TheAdapterFolderGivesTheSameBits
}

INSTANTIATE_TEST_SUITE_P(Methods, Reload, testing::ValuesIn(all_methods()), name_of_method);

}  // namespace
}  // namespace basis::behaviour
