// The same settings give the same bytes, wherever and however often.
#include <gmock/gmock.h>

#include "experiments/cache.h"
#include "experiments/data_root.h"
#include "experiments/runner.h"
#include "experiments/stage_functions.h"
#include "tensor/file.h"
#include "tests/behaviour/run_files.h"
#include "tests/experiments/fixture.h"

namespace basis::behaviour {
namespace {

class SameBits : public FolderTest {
 protected:
  static const Plan& plan() {
    static const Plan one = make_plan(parse_config(tiny_run, "tiny.toml"), named_inputs());
    return one;
  }

  /// Runs every stage into a folder and reads what they left.
  std::map<std::string, std::string> run_into(const std::string& name, Cache* cache) {
    const StageStore store(folder_ / name);
    const DataRoot data(folder_ / "data");
    RunServices services;
    services.data = &data;
    services.cache = cache;
    const RunSummary summary =
        run_stages(plan(), select_stages(plan(), ""), store, stage_functions(), services);
    EXPECT_EQ(summary.exit_status(), 0);
    return stage_files(folder_ / name);
  }
};

TEST_F(SameBits, ComeFromEveryRun) {
  Cache cache(folder_ / "cache");
  const auto without_cache = run_into("one", nullptr);
  EXPECT_THAT(without_cache, testing::SizeIs(testing::Gt(40u)));
  expect_same_files(without_cache, run_into("filling the cache", &cache));
  expect_same_files(without_cache, run_into("deeper/out of the cache", &cache));
}

/// What a process leaves that is killed while it writes a file.
void leave_partial_file(const std::filesystem::path& path) {
  std::filesystem::create_directories(path.parent_path());
  std::filesystem::path partial;
  {
    const AtomicFile file(path);
    for (const auto& entry : std::filesystem::directory_iterator(path.parent_path())) {
      const std::string name = entry.path().filename().string();
      if (name != path.filename() && name.starts_with(path.filename().string())) {
        partial = entry.path();
      }
    }
  }
  ASSERT_FALSE(partial.empty());
  write_file_atomically(partial, "cut");
}

TEST_F(SameBits, AreAllThatIsLeftAfterKilledProcesses) {
  const auto expected = run_into("clean", nullptr);
  const StageStore store(folder_ / "killed");
  for (const Stage& stage : plan().stages) {
    const std::filesystem::path folder = store.folder_of(stage);
    leave_partial_file(folder / "model" / "model.safetensors");
    leave_partial_file(folder / "checkpoints" / "step-7.safetensors");
    leave_partial_file(folder / "result.json");
  }
  run_into("killed", nullptr);
  // One that was killed between the result and the checkpoints' removal.
  for (const Stage& stage : plan().stages) {
    make_folder(store.folder_of(stage) / "checkpoints");
    write_file_atomically(store.folder_of(stage) / "checkpoints" / "step-35.safetensors", "old");
  }
  expect_same_files(expected, run_into("killed", nullptr));
}

}  // namespace
}  // namespace basis::behaviour
