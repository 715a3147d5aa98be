// The whole pipeline with device = "cuda", where the device is emulated: its memory crashes
// whoever touches it from the host.
#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>

#include "experiments/basis_cache.h"
#include "experiments/bench_step.h"
#include "experiments/config_fields.h"
#include "experiments/data_root.h"
#include "experiments/runner.h"
#include "experiments/stage_functions.h"
#include "tensor/caching_allocator.h"
#include "tensor/cpu/cpu_backend.h"
#include "tensor/cuda/cuda_backend.h"
#include "tensor/cuda/emulation/solved.h"
#include "tensor/transfer.h"
#include "tests/behaviour/run_files.h"
#include "tests/experiments/fixture.h"

#define BASIS_CUDA_SIDE emulated
#include "tensor/cuda/backend_of_side.h"

namespace basis {

// In the place of the library's, which need a GPU.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) {
  return cuda::emulated::make_backend(options);
}
std::string describe_cuda() {
  return "emulated";
}

namespace behaviour {
namespace {

/// Keeps what stages say that recorded their passes.
class GraphRemarks final : public RunObserver {
 public:
  void stage_started(const Stage&, std::size_t, std::size_t) override {}
  void stage_progressed(const Stage&, const Progress&, double) override {}
  void stage_remarked(const Stage& stage, const std::string& remark) override {
    if (remark.find("CUDA graphs") != std::string::npos) of_stage[stage.label] = remark;
  }
  void stage_ended(const Stage&, StageOutcome, const StageResult&, const std::string&) override {}

  std::map<std::string, std::string> of_stage;
};

class EmulatedProgram : public FolderTest {
 protected:
  /// What the stages say of themselves, by stage.
  std::map<std::string, StageResult> results(const std::string& device, const std::string& folder,
                                             const std::string& more = "",
                                             const std::vector<std::string>& overrides = {}) {
    const std::string text = "device = \"" + device + "\"\n" + more + tiny_run;
    std::vector<std::string> all = {"pretrain.steps=12", "train.epochs=2",
                                    "data.synthetic_dev_rows=10"};
    all.insert(all.end(), overrides.begin(), overrides.end());
    const Plan plan = make_plan(parse_config(text, "tiny.toml", all), named_inputs());
    const StageStore store(folder_ / folder);
    const DataRoot data(folder_ / "data");
    RunServices services;
    services.data = &data;
    remarks_ = {};
    services.observer = &remarks_;
    const RunSummary summary =
        run_stages(plan, select_stages(plan, ""), store, stage_functions(), services);
    EXPECT_EQ(summary.exit_status(), 0);
    std::map<std::string, StageResult> results;
    for (const Stage& stage : plan.stages) {
      if (const auto result = store.result_of(stage)) results[stage.label] = *result;
    }
    return results;
  }

  GraphRemarks remarks_;  // of the last run
};

TEST_F(EmulatedProgram, DoesWhatTheCpuDoes) {
  const int before = cuda::emulated::solved_decompositions();
  const auto cpu = results("cpu", "cpu");
  ASSERT_EQ(cuda::emulated::solved_decompositions(), before);
  const auto cuda = results("cuda", "cuda");
  // Twelve matrices: a basis of each for two adapters, four decompositions for two spectra.
  EXPECT_EQ(cuda::emulated::solved_decompositions() - before, 12 * (2 * 1 + 2 * 4));
  ASSERT_EQ(cpu.size(), cuda.size());
  EXPECT_GE(cpu.size(), 9u);
  for (const auto& [name, wanted] : cpu) {
    ASSERT_TRUE(cuda.contains(name)) << name;
    const StageResult& got = cuda.at(name);
    EXPECT_EQ(got.trainable, wanted.trainable) << name;
    ASSERT_EQ(got.metrics.size(), wanted.metrics.size()) << name;
    for (std::size_t i = 0; i < wanted.metrics.size(); ++i) {
      EXPECT_EQ(got.metrics[i].first, wanted.metrics[i].first) << name;
      // What a score of chance keeps, or how it correlates, is no number on either.
      EXPECT_EQ(std::isnan(got.metrics[i].second), std::isnan(wanted.metrics[i].second)) << name;
      if (std::isnan(wanted.metrics[i].second)) continue;
      // The same masks and batches: numbers differ by the order of sums alone.
      EXPECT_NEAR(got.metrics[i].second, wanted.metrics[i].second,
                  0.02 * std::max(1.0, std::fabs(wanted.metrics[i].second)))
          << name << " " << wanted.metrics[i].first;
    }
  }
}

// A cache that had the bases of both under one key would give a run the bits of whoever ran first.
TEST_F(EmulatedProgram, KeepsBasesOfTheDeviceApartFromLapacks) {
  const auto backend = cuda::emulated::make_backend({});
  const auto cpu = make_cpu_backend();
  CachingAllocator memory(*cpu);
  std::vector<float> elements(20 * 30);
  RandomStream random(1, 1);
  for (float& element : elements) element = static_cast<float>(random.normal());
  const HostWeight weight{"w", to_device<float>(*cpu, memory, elements, {20, 30})};

  Cache cache(folder_ / "cache");
  const auto device = backend->make_decompositions();
  const auto basis_by = [&](Decompositions* by) {
    return cached_basis(&cache, by)(weight, BasisKind::Leading, 4, 0).u;
  };
  const int before = cuda::emulated::solved_decompositions();
  const Matrix by_lapack = basis_by(nullptr), by_device = basis_by(device.get());
  EXPECT_EQ(cuda::emulated::solved_decompositions(), before + 1);
  EXPECT_NE(by_lapack, by_device) << "the same bits: one of them was not computed";
  EXPECT_EQ(basis_by(nullptr), by_lapack);
  EXPECT_EQ(basis_by(device.get()), by_device);
  EXPECT_EQ(cuda::emulated::solved_decompositions(), before + 1) << "it was kept";
}

// Recorded passes are the same kernels on the same numbers.
TEST_F(EmulatedProgram, HasTheSameBitsWithAndWithoutGraphs) {
  results("cuda", "with");
  EXPECT_GE(remarks_.of_stage.size(), 7u);  // a pretraining, and two tasks by three methods
  for (const auto& [stage, remark] : remarks_.of_stage) {
    EXPECT_THAT(remark, testing::ContainsRegex("^[1-9][0-9]* of ")) << stage;
  }
  results("cuda", "without", "cuda_graphs = false\n");
  EXPECT_THAT(remarks_.of_stage, testing::IsEmpty());
  const auto with = stage_files(folder_ / "with"), without = stage_files(folder_ / "without");
  EXPECT_GE(with.size(), 20u);
  expect_same_files(with, without);
}

// Values move in place: one recording serves both passes of SAM, and GO's beside any noise.
TEST_F(EmulatedProgram, HasTheSameBitsWithAndWithoutGraphsBesideItsValues) {
  const std::vector<std::string> overrides = {
      "train.perturbation=sam", "train.perturbation_size=0.05", "pretrain.perturbation=go",
      "pretrain.perturbation_size=0.1", "pretrain.perturbation_relative=true"};
  results("cuda", "with", "", overrides);
  EXPECT_GE(remarks_.of_stage.size(), 7u);
  results("cuda", "without", "cuda_graphs = false\n", overrides);
  EXPECT_THAT(remarks_.of_stage, testing::IsEmpty());
  const auto with = stage_files(folder_ / "with"), without = stage_files(folder_ / "without");
  EXPECT_GE(with.size(), 20u);
  expect_same_files(with, without);
}

// Recorded passes have the bits and the work of those that are queued kernel by kernel.
TEST(BenchOnCuda, RecordsPassesAndCountsWhatTheyDo) {
  BenchStepOptions options;
  options.config = bench_size("tiny");
  options.config->vocab_size = 200;
  options.batches = draw_batches({5, 3, 40, 200, 2, false, true});
  options.method = method_preset("full");
  options.train.learning_rate = 1e-3;
  options.device = "cuda";
  options.warmup_steps = 3;  // the first alone, the second recorded
  options.measures_floor = false;
  const BenchStepResult replayed = bench_step(options);
  EXPECT_EQ(replayed.graphs, "3 of 5 passes replayed, from 1 CUDA graphs");
  options.has_graphs = false;
  const BenchStepResult queued = bench_step(options);
  EXPECT_EQ(queued.graphs, "");
  EXPECT_EQ(replayed.losses, queued.losses);
  EXPECT_EQ(replayed.work.flops_f32, queued.work.flops_f32);
  EXPECT_GT(replayed.work.flops_f32, 0);
  // A batch that stands in a fixed place has room for another id in every row.
  EXPECT_NEAR(replayed.work.bytes, queued.work.bytes, 0.01 * queued.work.bytes);
  EXPECT_GT(replayed.window_tokens_per_s, 0);
  EXPECT_GT(replayed.peak_mib, replayed.arena_mib);
}

}  // namespace
}  // namespace behaviour
}  // namespace basis
