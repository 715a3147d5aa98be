#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace basis {

/// What a key of a config can hold.
using ConfigValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>,
                                 std::vector<std::string>, std::vector<double>>;

/// Keys of a table that another one sets otherwise: of [train] in [task.NAME] and [method.NAME], of
/// [pretrain] in [model.NAME].
using Overrides = std::map<std::string, ConfigValue>;

// The structs below are the tables of a config file with their defaults. What each key means and
// which values it takes stands once, in config_fields.cpp, whence `basis config` prints it.

/// [model]: what is fine-tuned; [model.NAME]: one of several.
struct ModelSettings {
  std::string name;  // empty: the only one
  std::string path = "weights/minilm-l6-h384-uncased";
  std::string head = "mean";
  std::string checkpoint = "final";
  Overrides overrides;  // of [pretrain]

  bool is_pretrained_here() const { return path == "pretrain"; }
  /// Of `checkpoint`, "matching NAME": the model whose final held-out loss is matched; else empty.
  std::string matched_model() const;
  bool operator==(const ModelSettings&) const = default;
};

/// Sizes of a BERT: a row of google-research/bert's table.
struct BertSize {
  std::int64_t hidden_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t intermediate_size = 0;
  bool operator==(const BertSize&) const = default;
};

/// "tiny" 2x128, "mini" 4x256, "small" 4x512, "medium" 8x512, "base" 12x768.
BertSize bert_size_named(std::string_view name);

/// [pretrain]: a BERT of our own by masked language modelling, or on a task of images. Present or
/// absent as a whole.
struct PretrainSettings {
  std::string task;
  std::string corpus = "synthetic";
  std::string vocabulary;
  std::int64_t vocabulary_size = 8192;
  std::vector<std::string> vocabulary_corpora;
  std::int64_t documents = 20000;
  std::int64_t held_out_documents = 500;
  double data_share = 1;
  std::vector<std::int64_t> seeds = {0};
  std::string architecture = "transformer";
  std::string size = "tiny";
  std::int64_t hidden_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t intermediate_size = 0;
  std::string hidden_act = "gelu";
  double initializer_range = 0.02;
  std::string positions = "random";
  std::int64_t max_length = 128;
  std::int64_t steps = 0;
  std::int64_t tokens = 0;
  double minutes = 0;
  std::int64_t batch_size = 32;
  std::int64_t micro_batch = 0;
  double mask_share = 0.15;
  bool whole_words = false;
  double learning_rate = 1e-3;
  std::string schedule = "linear";
  double warmup_share = 0.06;
  double beta1 = 0.9;
  double beta2 = 0.98;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  double clip_norm = 1.0;
  std::string perturbation = "none";
  double perturbation_size = 0;
  bool perturbation_relative = false;
  double dropout = 0;
  std::int64_t evaluate_every = 0;
  std::vector<std::int64_t> snapshots;
  bool keeps_best = false;
  std::int64_t checkpoint_every = 200;

  /// `size`, where numbers do not say otherwise.
  BertSize bert_size() const;
  std::int64_t tokens_per_step() const { return batch_size * max_length; }
  /// By `steps`, or `tokens` rounded up to whole steps; 0 where only `minutes` tell.
  std::int64_t planned_steps() const;
  /// Sizes and steps in numbers, and the corpora of a vocabulary that is learned.
  PretrainSettings resolved() const;
  bool is_images() const { return !task.empty(); }
  bool is_perceptron() const { return architecture == "perceptron"; }
  bool learns_vocabulary() const {
    return !is_images() && vocabulary.empty() && corpus != "synthetic";
  }
  bool operator==(const PretrainSettings&) const = default;
};

/// [data]: rows of the tasks.
struct DataSettings {
  std::int64_t language_seed = 0;
  std::int64_t rows_seed = 0;
  std::int64_t synthetic_train_rows = 2000;
  std::int64_t synthetic_dev_rows = 500;
  bool operator==(const DataSettings&) const = default;
};

/// [train]: every fine-tuning, unless its task or its method says otherwise.
struct TrainSettings {
  std::int64_t epochs = 3;
  std::int64_t steps = 0;
  std::int64_t train_rows = 0;
  std::int64_t batch_size = 32;
  std::int64_t tokens_per_batch = 0;
  std::int64_t micro_batch = 0;
  std::int64_t max_length = 128;
  bool grouped = false;
  double learning_rate = 2e-5;
  double head_learning_rate = 0;
  std::string schedule = "linear";
  double warmup_share = 0.06;
  std::string optimizer = "adamw";
  double momentum = 0.9;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  double clip_norm = 1.0;
  std::string perturbation = "none";
  double perturbation_size = 0;
  bool perturbation_relative = false;
  double dropout = -1;
  std::int64_t evaluate_every = 0;
  std::int64_t checkpoint_every = 200;
  bool operator==(const TrainSettings&) const = default;
};

/// [task.NAME]: a task of the user's own (`train` names its file, `images` a set), or keys of
/// [train] for a known one.
struct TaskSettings {
  std::string name;
  std::string format = "tsv";
  std::string train;
  std::string dev;
  std::string test;
  std::string first;
  std::string second;
  std::string label;
  std::vector<std::string> labels;
  bool regression = false;
  std::vector<std::string> metrics;
  std::string corpus;
  std::string images;
  std::vector<std::string> transforms;
  std::int64_t patch = 7;
  std::vector<std::string> models;
  Overrides overrides;

  bool is_own() const { return !train.empty() || is_text() || is_images(); }
  /// Plain text: masked language modelling goes on there.
  bool is_text() const { return !corpus.empty(); }
  bool is_images() const { return !images.empty(); }
  bool operator==(const TaskSettings&) const = default;
};

/// [method.NAME]: what is trained (METHODS.md 1).
struct MethodSettings {
  std::string name;
  std::string kind;
  std::string start = "pretrained";
  double lesion_energy = 0.1;
  std::string labels = "true";
  std::int64_t rank = 8;
  double alpha = 0;
  std::string form = "core";
  std::int64_t bandwidth = 1;
  std::string basis = "leading";
  bool shared = false;
  std::vector<std::string> targets;
  std::string apply = "auto";
  double adapter_dropout = 0;
  std::string curvature = "none";
  double curvature_beta = -1;
  double curvature_c = -1;
  double curvature_learning_rate = 0;
  std::int64_t max_seeds = 0;
  std::vector<double> learning_rates;
  std::vector<std::string> models;
  std::string family;
  Overrides overrides;

  /// A classifier of pixels in the model's place: a floor.
  bool reads_pixels() const { return start.starts_with("pixels"); }
  /// Whether the head alone trains, at the head's rate.
  bool trains_head_alone() const {
    return (kind == "head" && curvature != "trained") || start == "pixels-linear";
  }
  bool operator==(const MethodSettings&) const = default;
};

/// [grid]: how a learning rate is chosen among a method's `learning_rates`.
struct GridSettings {
  std::vector<std::int64_t> seeds = {100, 101};
  std::int64_t rows = 1000;
  std::string head;
  bool operator==(const GridSettings&) const = default;
};

/// [spectrum]: the weights before against after fine-tuning (METHODS.md 2).
struct SpectrumSettings {
  bool enabled = true;
  std::vector<std::string> methods;
  std::vector<std::int64_t> ranks = {8, 32};
  bool operator==(const SpectrumSettings&) const = default;
};

/// [sharing]: do fine-tunings of different tasks turn the weights' bases alike? (METHODS.md 2)
struct SharingSettings {
  std::vector<std::string> methods;
  std::vector<std::int64_t> ranks = {1, 2, 4, 8, 16, 32, 64, 128};
  bool operator==(const SharingSettings&) const = default;
};

/// [emergence]: when in a pretraining does the final singular basis emerge? (METHODS.md 2)
struct EmergenceSettings {
  bool enabled = false;
  std::vector<std::int64_t> ranks = {1, 2, 4, 8, 16, 32, 64, 128};
  std::int64_t text_rows = 64;
  bool operator==(const EmergenceSettings&) const = default;
};

/// [surgery]: which part of a full fine-tuning's change carries the task? (METHODS.md 2)
struct SurgerySettings {
  std::vector<std::string> methods;
  std::vector<std::int64_t> ranks = {1, 8, 32, 128};
  std::int64_t dev_rows = 1000;
  bool operator==(const SurgerySettings&) const = default;
};

/// [landscape]: the score of fine-tunings and pretrainings around their parameters (METHODS.md 3).
struct LandscapeSettings {
  std::vector<std::string> methods;
  bool pretrained = false;
  std::vector<std::string> kinds = {"most-case", "most-case-scaled", "sft-case", "noise-relative"};
  std::int64_t directions = 20;
  std::int64_t points = 40;
  double span = 0.02;
  double scaled_span = 1;
  std::int64_t dev_rows = 0;
  std::vector<double> sigmas = {0.001, 0.002, 0.005, 0.01, 0.02};
  std::vector<double> relative_sigmas = {0.05, 0.1, 0.2, 0.3, 0.5};
  std::int64_t draws = 400;
  std::int64_t path_draws = 50;
  std::int64_t basis_rank = 32;
  std::int64_t worst_rows = 64;
  std::int64_t worst_steps = 20;
  bool operator==(const LandscapeSettings&) const = default;
};

/// [robustness]: fine-tunings on images under attacks on the pixels and under noise (METHODS.md 7).
struct RobustnessSettings {
  std::vector<std::string> methods;
  std::vector<double> epsilons = {0.01, 0.02, 0.04};
  std::int64_t steps = 20;
  double step_share = 0.1;
  std::vector<double> noise = {0.1, 0.2, 0.3};
  std::int64_t dev_rows = 500;

  /// The step of an attack of this size.
  double step_of(double epsilon) const {
    return epsilon * (step_share > 0 ? step_share : 2.5 / static_cast<double>(steps));
  }
  bool operator==(const RobustnessSettings&) const = default;
};

/// [retention]: what another task leaves of a fine-tuning's score.
struct RetentionSettings {
  std::vector<std::string> methods;
  std::string task;
  bool operator==(const RetentionSettings&) const = default;
};

/// [claim.NAME]: what the report answers, with its endpoint, written down before the run.
struct ClaimSettings {
  std::string name;
  std::string text;
  std::string endpoint;
  std::string method;
  std::string control;
  std::string ceiling;
  std::string floor;
  std::vector<std::string> models;
  std::vector<std::string> tasks;
  double margin = 0;
  std::int64_t k = 32;
  std::int64_t needs = 0;
  std::string attack = "pgd";
  double size = 0;
  bool operator==(const ClaimSettings&) const = default;
};

/// [report]
struct ReportSettings {
  bool enabled = true;
  std::string title;
  bool operator==(const ReportSettings&) const = default;
};

/// One experiment, typed and checked: what a config file says with its defaults filled in.
struct Config {
  std::string name;
  std::string question;
  std::vector<std::int64_t> seeds = {0};
  std::string device = "cpu";
  std::string dtype = "f32";
  bool tf32 = false;
  bool cuda_graphs = true;
  std::int64_t threads = 0;
  bool recompute = false;
  std::vector<std::string> models;
  std::vector<std::string> tasks;
  std::vector<std::string> methods;
  std::vector<std::string> reduced;

  ModelSettings model;
  std::map<std::string, ModelSettings> named_model;  // by name; every name of `models` has one
  bool has_pretrain = false;
  PretrainSettings pretrain;
  DataSettings data;
  TrainSettings train;
  std::map<std::string, TaskSettings> task;      // by name; every name of `tasks` has one
  std::map<std::string, MethodSettings> method;  // by name; every name of `methods` has one
  GridSettings grid;
  SpectrumSettings spectrum;
  SharingSettings sharing;
  EmergenceSettings emergence;
  SurgerySettings surgery;
  LandscapeSettings landscape;
  RobustnessSettings robustness;
  RetentionSettings retention;
  std::map<std::string, ClaimSettings> claim;  // by name
  ReportSettings report;

  /// Names of the models: `models`, or the one without a name.
  std::vector<std::string> model_names() const;
  /// [model] or [model.NAME].
  const ModelSettings& model_named(std::string_view model_name) const;
  /// [pretrain] as it holds for a model, resolved.
  PretrainSettings pretrain_for(std::string_view model_name) const;
  /// [train] as it holds for one fine-tuning: the method's keys lead, then the task's.
  TrainSettings train_for(std::string_view task_name, std::string_view method_name) const;
  /// Of the training on [retention]'s task: [train] and the task's own keys, whatever the method of
  /// the fine-tuning was, without a perturbation.
  TrainSettings retention_train() const;
  /// Does the program make this task's rows itself, as many as [data] says?
  bool makes_rows(std::string_view task_name) const;
  bool operator==(const Config&) const = default;
};

/// An experiment as its file has it, or in the small form that its key "reduced" makes of it.
enum class ConfigForm : bool { Full, Reduced };

/// Reads an experiment file. `overrides` are `key=value` texts with dotted keys and TOML values (a
/// value that is not TOML is taken as a string), applied in order before anything is checked, after
/// those of the reduced form, which is named NAME-reduced.
/// Throws Error with file and line (or `--set key=value`), the key and the nearest valid one.
Config load_config(const std::filesystem::path& path,
                   const std::vector<std::string>& overrides = {},
                   ConfigForm form = ConfigForm::Full);

/// The same from text; `file` is the name that messages give it, and its stem the default name.
Config parse_config(std::string_view text, const std::string& file,
                    const std::vector<std::string>& overrides = {},
                    ConfigForm form = ConfigForm::Full);

/// The config in full as TOML, defaults included. parse_config gives the same Config back.
std::string to_toml(const Config& config);

/// Every key with its type, range, default and meaning, as `basis config` prints it.
std::string describe_config();

/// Names that `tasks` takes without a table: GLUE's and the synthetic language's.
const std::vector<std::string>& known_tasks();

/// Names that `methods` takes without a table: "full", "head", "bitfit", "norms", "lora",
/// "spectral" and the forms of the last, "spectral-diagonal", "spectral-band", "spectral-core".
const std::vector<std::string>& known_methods();

}  // namespace basis
