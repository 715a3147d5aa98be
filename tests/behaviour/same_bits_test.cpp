// The same settings give the same bytes, wherever and however often.
#include <gmock/gmock.h>

#include "experiments/cache.h"
#include "experiments/data_root.h"
#include "experiments/runner.h"
#include "experiments/stage_functions.h"
#include "tests/behaviour/run_files.h"
#include "tests/experiments/fixture.h"

namespace basis::behaviour {
namespace {

class SameBits : public FolderTest {
 protected:
  /// Runs every stage into a folder and reads what they left.
  std::map<std::string, std::string> run_into(const std::string& name, Cache* cache) {
    const Plan plan = make_plan(parse_config(tiny_run, "tiny.toml"), named_inputs());
    const StageStore store(folder_ / name);
    const DataRoot data(folder_ / "data");
    RunServices services;
    services.data = &data;
    services.cache = cache;
    const RunSummary summary =
        run_stages(plan, select_stages(plan, ""), store, stage_functions(), services);
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

}  // namespace
}  // namespace basis::behaviour
