#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "experiments/config.h"
#include "experiments/stage_result.h"
#include "experiments/trainer.h"
#include "tensor/caching_allocator.h"
#include "tensor/cpu/cpu_backend.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/packed.h"
#include "tensor/safetensors.h"
#include "tests/fuzz/fuzz_files.h"
#include "tests/fuzz/fuzz_targets.h"

namespace basis::fuzz {
namespace {

// ---- Configs ------------------------------------------------------------------------------------

std::vector<std::string> config_seeds() {
  return {
      "name = \"a\"\nquestion = '''Is it\nso?'''\nseeds = [0, 1]\ntasks = [\"mrpc\", \"mine\"]\n"
      "methods = [\"full\", \"lora\", \"wide\"]\n[train]\nlearning_rate = 1e-3\nepochs = 2\n"
      "[task.mine]\nformat = \"csv\"\ntrain = \"t.csv\"\ndev = \"d.csv\"\nfirst = \"a\"\n"
      "label = \"l\"\nlabels = [\"0\", \"m\u00fcde\"]\nmetrics = [\"accuracy\"]\n"
      "[method.wide]\nkind = \"spectral\"\nrank = 16\nform = \"band\"\nbandwidth = 2\n"
      "learning_rate = 5e-4\n",
      "tasks = [\"synthetic-sentiment\"]\nmethods = [\"lora\"]\nmodel.path = \"pretrain\"\n"
      "[pretrain]\nsteps = 10\nhidden_act = \"relu\"\ncorpus = \"c.zst\"\nvocabulary = \"v\"\n"
      "[method.lora]\nrank = 2\ntargets = [\"query\"]\n[spectrum]\nranks = [1, 2]\n",
      "[pretrain]\ndocuments = 20 # few\n"};
}

bool run_config(std::string_view input) {
  Config config;
  try {
    config = parse_config(input, "fuzz.toml");
  } catch (const Error&) {
    return false;
  }
  try {
    demand(parse_config(to_toml(config), "fuzz.toml") == config, "reads back what it wrote");
  } catch (const Error& error) {
    throw std::logic_error(error.what());
  }
  return true;
}

// ---- Checkpoints of a training ------------------------------------------------------------------

/// A trainer of four numbers whose checkpoints lie in a folder of its own.
class Resumable {
 public:
  Resumable()
      : backend_(make_cpu_backend(1)),
        memory_(*backend_),
        arena_(*backend_, std::size_t{1} << 20),
        folder_({"step-5.safetensors"}),
        weight_("w", to_device<float>(*backend_, memory_, std::vector<float>{1, 2, 3, 4}, {2, 2}),
                ParameterRole::Encoder, true),
        optimizer_(*backend_, memory_, {&weight_}, [](const Parameter&) { return 0; }, {}) {}

  /// A checkpoint as the trainer writes it.
  std::string written() {
    const std::filesystem::path path = folder_.path() / "written";
    write_safetensors(path, optimizer_.state(), {{"steps_done", "5"}, {"threads", "2 threads"}});
    return read_file(path);
  }

  /// Whether the checkpoint is taken; its values must then be the optimiser's.
  bool resume(std::string_view content) {
    folder_.set("step-5.safetensors", content);
    TrainerOptions options;
    options.folder = folder_.path();
    Trainer trainer(*backend_, arena_, optimizer_, task_, options);
    try {
      demand(trainer.resume() == 5, "goes on from step 5");
    } catch (const Error&) {
      return false;
    }
    const SafeTensors file = SafeTensors::open(folder_.path() / "step-5.safetensors");
    for (const auto& [name, tensor] : optimizer_.state()) {
      const Tensor stored = file.tensor(name, DType::F32);
      demand(std::memcmp(stored.bytes_begin(), tensor.bytes_begin(), tensor.bytes()) == 0,
             "the optimiser has what the file holds");
    }
    return true;
  }

 private:
  std::unique_ptr<Backend> backend_;
  CachingAllocator memory_;
  Arena arena_;
  MemoryFolder folder_;
  Parameter weight_;
  Optimizer optimizer_;
  TrainingTask task_;
};

Resumable& resumable() {
  static Resumable one;
  return one;
}

std::vector<std::string> checkpoint_seeds() {
  return {resumable().written()};
}

bool run_checkpoint(std::string_view input) {
  return resumable().resume(input);
}

// ---- What a run keeps of itself -----------------------------------------------------------------

Stage example_stage() {
  Stage stage;
  stage.kind = StageKind::Finetune;
  stage.label = "finetune mrpc lora seed 0";
  stage.folder = "finetune-mrpc-lora-0-1a2b3c4d";
  stage.identity = "0123456789abcdef0123456789abcdef";
  stage.task = "mrpc";
  stage.method = "lora";
  return stage;
}

/// What `write(folder)` leaves in the file `name`.
template <class Write>
std::string text_of(const std::string& name, const Write& write) {
  const MemoryFolder folder({});
  write(folder.path());
  return read_file(folder.path() / name);
}

std::vector<std::string> plan_seeds() {
  Plan plan;
  plan.config.name = "example";
  plan.stages = {example_stage(), example_stage()};
  plan.stages[1].kind = StageKind::Spectrum;
  plan.stages[1].inputs = {0};
  return {text_of("plan.json", [&](const auto& path) { write_plan(path / "plan.json", plan); })};
}

bool run_plan(std::string_view input) {
  static const MemoryFolder folder({"plan.json"});
  folder.set("plan.json", input);
  try {
    const Plan plan = read_plan(folder.path());
    for (std::size_t i = 0; i < plan.stages.size(); ++i) {
      for (const std::size_t before : plan.stages[i].inputs) {
        demand(before < i, "a stage needs earlier ones");
      }
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::vector<std::string> result_seeds() {
  StageResult result;
  result.metrics = {{"accuracy", 0.75}, {"f1", std::nan("")}};
  result.trainable = 41400;
  result.seconds = 12.5;
  return {text_of("result.json", [&](const auto& path) {
    write_result(path / "result.json", example_stage(), result);
  })};
}

bool is_same(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

bool is_same(const StageResult& a, const StageResult& b) {
  return a.trainable == b.trainable && a.head_parameters == b.head_parameters &&
         is_same(a.trainable_share, b.trainable_share) &&
         is_same(a.adapted_share, b.adapted_share) && is_same(a.tokens_per_s, b.tokens_per_s) &&
         is_same(a.peak_mib, b.peak_mib) && is_same(a.seconds, b.seconds) &&
         std::equal(a.metrics.begin(), a.metrics.end(), b.metrics.begin(), b.metrics.end(),
                    [](const auto& one, const auto& other) {
                      return one.first == other.first && is_same(one.second, other.second);
                    });
}

bool run_result(std::string_view input) {
  static const MemoryFolder folder({"result.json"});
  folder.set("result.json", input);
  try {
    const StageResult result = read_result(folder.path() / "result.json", example_stage());
    folder.set("result.json", text_of("r", [&](const auto& path) {
                 write_result(path / "r", example_stage(), result);
               }));
    const StageResult again = read_result(folder.path() / "result.json", example_stage());
    demand(is_same(result, again), "reads back what it wrote");
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

const Target config_target{"config", config_seeds, run_config};
const Target checkpoint_target{"checkpoint", checkpoint_seeds, run_checkpoint};
const Target plan_target{"plan", plan_seeds, run_plan};
const Target result_target{"result", result_seeds, run_result};

}  // namespace basis::fuzz
