#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace basis {

// One function a command, in the file of its name. Each prints to standard output, returns the
// exit status and throws Error for a user's mistake.

struct RunOptions {
  std::filesystem::path config;
  std::vector<std::string> overrides;         // --set key=value
  std::optional<std::filesystem::path> out;   // none: runs/NAME
  std::optional<std::filesystem::path> data;  // none: $BASIS_DATA, else ~/.local/share/basis
  std::vector<std::filesystem::path> reuse;   // --reuse: runs whose finished stages are taken
  std::string only;
  std::string keep = "all";  // all, adapters, results
  std::int64_t jobs = 1;     // stages at a time
  std::string stage;         // the one that a parent process asks for, by folder
  bool is_reduced = false;   // --reduced
  bool lists = false;        // --list
  bool is_dry = false;       // --dry-run
};
int run_command(const RunOptions& options);

int status_command(const std::filesystem::path& run_folder);

int config_command();

int info_command();

struct TokenizeOptions {
  std::filesystem::path model;
  bool is_pairs = false;
  std::int64_t max_length = 0;  // 0: what the model takes
};
int tokenize_command(const TokenizeOptions& options);

struct VocabOptions {
  std::vector<std::filesystem::path> corpora;
  std::filesystem::path out;
  std::int64_t size = 8192;
  bool is_cased = false;
};
int vocab_command(const VocabOptions& options);

struct PredictOptions {
  std::filesystem::path model;
  std::vector<std::filesystem::path> adapters;  // several: all on one encoder
  bool is_pairs = false;
  std::int64_t max_length = 0;  // 0: what the model takes
};
int predict_command(const PredictOptions& options);

struct EncodeOptions {
  std::filesystem::path model;
  std::string pool = "mean";    // cls, mean, pooler
  std::int64_t max_length = 0;  // 0: what the model takes
};
int encode_command(const EncodeOptions& options);

struct MergeOptions {
  std::filesystem::path model;
  std::filesystem::path adapter;
  std::filesystem::path out;
};
int merge_command(const MergeOptions& options);

struct ExportOptions {
  std::filesystem::path model;
  std::filesystem::path adapter;
  std::filesystem::path out;
  std::string base_name;  // what PEFT loads the base by
};
int export_command(const ExportOptions& options);

struct SpectrumOptions {
  std::filesystem::path before;
  std::filesystem::path after;
  std::filesystem::path out;
  int gaussian_draws = 1;
};
int spectrum_command(const SpectrumOptions& options);

int report_command(const std::filesystem::path& run_folder);

/// `bench step`; benchmarks/peers/README.md has the files' formats.
struct BenchOptions {
  std::filesystem::path model;
  std::string size;  // random weights in place of a folder
  std::string task = "mrpc";
  std::optional<std::filesystem::path> glue;          // folder of GLUE's files
  std::optional<std::filesystem::path> batches;       // JSON lines instead
  std::optional<std::filesystem::path> kept_batches;  // out: the batches, and nothing is measured
  std::optional<std::filesystem::path> settings;      // a whole training, as agreement.py says
  std::optional<std::filesystem::path> losses;        // out
  std::optional<std::filesystem::path> dev_batches;   // scored after the last step
  std::optional<std::filesystem::path> predictions;   // out
  std::string method = "full";
  std::optional<std::int64_t> rank;  // none: the method's
  std::string dtype = "f32";
  std::string device = "cpu";
  std::string head;
  std::int64_t batch = 32;
  std::int64_t max_length = 128;
  std::int64_t steps = 23;
  std::int64_t warmup = 3;  // of these steps, not counted
  std::int64_t threads = 0;
  bool recomputes_layers = false;
  bool is_grouped = false;
  bool is_evaluation = false;
  bool skips_floor = false;
  bool has_graphs = true;
  bool has_full_length = false;
};
int bench_step_command(const BenchOptions& options);

/// Reads the command line, runs its command and returns the exit status. `--help` prints, and a bad
/// command line says what is wrong and gives 2.
int run_command_line(int count, const char* const* arguments);

}  // namespace basis
