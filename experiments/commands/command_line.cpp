#include <algorithm>
#include <cstdio>
#include <functional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "experiments/bench_step.h"
#include "experiments/build_info.h"
#include "experiments/commands/commands.h"
#include "experiments/contains.h"
#include "experiments/nearest.h"
#include "tensor/error.h"

namespace basis {
namespace {

/// What the chosen subcommand does, once the whole line is understood.
using Command = std::function<int()>;

void add_run(CLI::App& app, RunOptions& options, Command& command) {
  CLI::App* const run = app.add_subcommand(
      "run", "Run an experiment: what is finished is reused, what was interrupted goes on");
  run->add_option("config", options.config, "The experiment (`basis config` lists its keys)")
      ->required();
  run->add_option("--set", options.overrides,
                  "key=value: set a key of the config, dotted, with a TOML value; repeatable")
      ->allow_extra_args(false)
      ->take_all();
  run->add_option("--out", options.out, "Folder of the run (default: runs/NAME)");
  run->add_option("--data", options.data,
                  "Root of data and weights (default: $BASIS_DATA, else ~/.local/share/basis)");
  run->add_option("--only", options.only,
                  "Only stages whose label contains this (* and ? as in a shell), with what they "
                  "need");
  run->add_option("--reuse", options.reuse,
                  "Folder of another run: stages that it has finished are linked, not computed "
                  "again; repeatable")
      ->allow_extra_args(false)
      ->take_all();
  run->add_flag("--reduced", options.is_reduced,
                "The config's small form, which shows in a minute that all of it runs");
  run->add_option("--jobs", options.jobs,
                  "Stages at a time, each in a process of its own; they divide the processor's "
                  "cores, unless the config sets threads (default: 1; on a GPU always 1)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1024}));
  run->add_option("--stage", options.stage)->group("");  // hidden: what --jobs starts
  run->add_option("--keep", options.keep,
                  "What stays of a finished stage once no selected one needs it: all (default); "
                  "adapters: without the models of full fine-tunings; results: neither models nor "
                  "adapters. The stage counts as finished; one that needs its files later says "
                  "which folder to remove, so that it is computed again")
      ->check(CLI::IsMember({"all", "adapters", "results"}));
  run->add_flag("--list", options.lists, "List the stages with their state and do nothing");
  run->add_flag("--dry-run", options.is_dry, "Print the plan and do nothing");
  run->footer(
      "Examples:\n"
      "  basis run experiments/configs/quickstart.toml\n"
      "  basis run glue.toml --set train.epochs=1 --set 'seeds=[0, 1, 2]' --out runs/short\n"
      "  basis run glue.toml --only 'mrpc lora'\n"
      "  basis run glue.toml --jobs 4 --keep results\n"
      "Ctrl-C saves a checkpoint and stops; the same command goes on from there.");
  run->callback([&] { command = [&] { return run_command(options); }; });
}

void add_status(CLI::App& app, std::filesystem::path& folder, Command& command) {
  CLI::App* const status =
      app.add_subcommand("status", "Tell what of a run is done, running and left");
  status->add_option("run", folder, "Folder of the run")->required();
  status->footer("Example:\n  basis status runs/quickstart");
  status->callback([&] { command = [&] { return status_command(folder); }; });
}

void add_config(CLI::App& app, Command& command) {
  CLI::App* const config = app.add_subcommand(
      "config", "Print every key of an experiment file with its default, type and meaning");
  config->footer("Example:\n  basis config | grep learning_rate");
  config->callback([&] { command = config_command; });
}

void add_info(CLI::App& app, Command& command) {
  CLI::App* const info = app.add_subcommand(
      "info", "Print version, processor, instruction sets, threads, libraries and folders");
  info->footer("Example:\n  basis info");
  info->callback([&] { command = info_command; });
}

void add_tokenize(CLI::App& app, TokenizeOptions& options, Command& command) {
  CLI::App* const tokenize = app.add_subcommand(
      "tokenize", "Turn each line of standard input into token ids, a JSON line each");
  tokenize->add_option("--model", options.model, "Model folder with vocab.txt")->required();
  tokenize->add_flag("--pairs", options.is_pairs, "A line holds two texts with a tab between");
  tokenize
      ->add_option("--max-length", options.max_length,
                   "Cut to so many ids, special ones included (default: what the model takes)")
      ->check(CLI::Range(std::int64_t{3}, std::int64_t{1'000'000}));
  tokenize->footer(
      "Example:\n"
      "  echo 'a text' | basis tokenize --model ~/.local/share/basis/weights/my-bert\n"
      "  {\"input_ids\": [101, 1037, 3793, 102], \"token_type_ids\": [0, 0, 0, 0]}");
  tokenize->callback([&] { command = [&] { return tokenize_command(options); }; });
}

const auto length_range = CLI::Range(std::int64_t{3}, std::int64_t{1'000'000});

void add_predict(CLI::App& app, PredictOptions& options, Command& command) {
  CLI::App* const predict = app.add_subcommand(
      "predict", "Score each line of standard input with a fine-tuned model, a JSON line each");
  predict->add_option("--model", options.model, "Model folder")->required();
  predict->add_option(
      "--adapter", options.adapters,
      "Adapter folder, ours or PEFT's; several, on one encoder, answer each line in "
      "one object");
  predict->add_flag("--pairs", options.is_pairs, "A line holds two texts with a tab between");
  predict
      ->add_option("--max-length", options.max_length,
                   "Cut to so many ids, special ones included (default: what the model takes)")
      ->check(length_range);
  predict->footer(
      "Example:\n"
      "  echo 'a fine film' | basis predict --model MODEL --adapter runs/x/stages/y/adapter\n"
      "  {\"logits\": [-1.52, 1.61], \"label\": \"positive\"}\n"
      "  echo 'a fine film' | basis predict --model MODEL --adapter mood --adapter topic\n"
      "  {\"mood\": {\"logits\": [-1.52, 1.61], \"label\": \"positive\"}, \"topic\": ...}");
  predict->callback([&] { command = [&] { return predict_command(options); }; });
}

void add_encode(CLI::App& app, EncodeOptions& options, Command& command) {
  CLI::App* const encode =
      app.add_subcommand("encode", "Embed each line of standard input, a JSON line each");
  encode->add_option("--model", options.model, "Model folder")->required();
  encode->add_option("--pool", options.pool, "cls, mean or pooler (default: mean)")
      ->check(CLI::IsMember({"cls", "mean", "pooler"}));
  encode
      ->add_option("--max-length", options.max_length,
                   "Cut to so many ids, special ones included (default: what the model takes)")
      ->check(length_range);
  encode->footer("Example:\n  echo 'a text' | basis encode --model MODEL --pool mean");
  encode->callback([&] { command = [&] { return encode_command(options); }; });
}

void add_vocab(CLI::App& app, VocabOptions& options, Command& command) {
  CLI::App* const vocab = app.add_subcommand(
      "vocab", "Learn a WordPiece vocabulary from text: the same text gives the same one");
  vocab
      ->add_option("corpus", options.corpora,
                   "Text (.txt or .zst), a paragraph a line; several are one text")
      ->required();
  vocab->add_option("--size", options.size, "Tokens, special ones included (default: 8192)")
      ->check(CLI::Range(std::int64_t{6}, std::int64_t{1} << 24));
  vocab->add_flag("--cased", options.is_cased, "Keep capitals and accents");
  vocab->add_option("--out", options.out, "Folder for vocab.txt and tokenizer_config.json")
      ->required();
  vocab->footer("Example:\n  basis vocab wikipedia.txt.zst novels.txt.zst --size 8192 --out vocab");
  vocab->callback([&] { command = [&] { return vocab_command(options); }; });
}

void add_merge(CLI::App& app, MergeOptions& options, Command& command) {
  CLI::App* const merge = app.add_subcommand("merge", "Fold an adapter into its model's weights");
  merge->add_option("--model", options.model, "Model folder that the adapter stands on")
      ->required();
  merge->add_option("--adapter", options.adapter, "Adapter folder")->required();
  merge->add_option("--out", options.out, "Folder for the merged model")->required();
  merge->footer("Example:\n  basis merge --model MODEL --adapter ADAPTER --out merged");
  merge->callback([&] { command = [&] { return merge_command(options); }; });
}

void add_export(CLI::App& app, ExportOptions& options, Command& command) {
  CLI::App* const exported =
      app.add_subcommand("export", "Write an adapter as a folder that Hugging Face PEFT loads");
  exported->add_option("--model", options.model, "Model folder that the adapter stands on")
      ->required();
  exported->add_option("--adapter", options.adapter, "Adapter folder")->required();
  exported->add_option("--out", options.out, "Folder for the PEFT adapter")->required();
  exported->add_option("--base-name", options.base_name,
                       "Name or path that PEFT finds the base model by");
  exported->footer(
      "LoRA, rsLoRA and VeRA stay what they are; every other product of factors becomes the\n"
      "LoRA of the same change.\n\n"
      "Example:\n  basis export --model MODEL --adapter ADAPTER --out peft --base-name MODEL");
  exported->callback([&] { command = [&] { return export_command(options); }; });
}

void add_spectrum(CLI::App& app, SpectrumOptions& options, Command& command) {
  CLI::App* const spectrum = app.add_subcommand(
      "spectrum", "Compare the singular bases of two models: spectrum.csv and vectors.csv");
  spectrum->add_option("before", options.before, "Model folder")->required();
  spectrum->add_option("after", options.after, "Model folder, or an adapter on the first")
      ->required();
  spectrum->add_option("--out", options.out, "Folder for the tables")->required();
  spectrum
      ->add_option("--gaussian-draws", options.gaussian_draws,
                   "Random changes of equal size to simulate for each matrix (default: 1; 0: the "
                   "first-order formula alone)")
      ->check(CLI::Range(0, 1000));
  spectrum->footer("Example:\n  basis spectrum bert-base my-finetuned-bert --out spectrum");
  spectrum->callback([&] { command = [&] { return spectrum_command(options); }; });
}

void add_report(CLI::App& app, std::filesystem::path& folder, Command& command) {
  CLI::App* const report =
      app.add_subcommand("report", "Write a run's report.html anew from what is finished");
  report->add_option("run", folder, "Folder of the run")->required();
  report->footer("Example:\n  basis report runs/quickstart");
  report->callback([&] { command = [&] { return report_command(folder); }; });
}

const auto positive = CLI::Range(std::int64_t{1}, std::int64_t{1} << 40);

void add_bench(CLI::App& app, BenchOptions& options, Command& command) {
  CLI::App* const bench = app.add_subcommand("bench", "Measure this machine");
  bench->require_subcommand(1);
  CLI::App* const step = bench->add_subcommand("step", "Time training steps; prints one JSON line");
  CLI::Option* const model = step->add_option("--model", options.model, "Model folder");
  step->add_option("--size", options.size,
                   "Random weights in place of a folder (layers x width): " + bench_sizes_text())
      ->excludes(model);
  step->add_option("--task", options.task, "GLUE task (default: mrpc)");
  step->add_option("--glue", options.glue,
                   "Folder with GLUE's files (without: random tokens in MRPC's lengths)");
  step->add_option("--batches", options.batches, "Batches as JSON lines, in place of --glue");
  step->add_option("--write-batches", options.kept_batches,
                   "Write the batches there as --batches reads them, and measure nothing");
  step->add_option("--method", options.method,
                   "full, head, bitfit, lora, spectral-core, spectral-diagonal, spectral-band");
  step->add_option("--rank", options.rank,
                   "r of lora, k of spectral; 0: full rank (default: 8 and 32)")
      ->check(CLI::Range(0, 65536));
  step->add_option("--dtype", options.dtype, "f32, bf16 or f64");
  step->add_option("--head", options.head, "mean or pooler (default: as the folder says)");
  step->add_option("--device", options.device, "cpu or cuda (default: cpu)");
  step->add_option("--batch", options.batch, "Examples a step (default: 32)")->check(positive);
  step->add_option("--max-length", options.max_length, "Tokens of a row at most (default: 128)");
  step->add_option("--steps", options.steps, "Steps, --warmup of them not counted (default: 23)")
      ->check(positive);
  step->add_option("--warmup", options.warmup, "Default: 3")->check(CLI::NonNegativeNumber);
  step->add_option("--threads", options.threads, "0: all");
  step->add_flag("--recompute", options.recomputes_layers,
                 "Keep a layer's input alone and run the layer again in backward");
  step->add_flag("--grouped", options.is_grouped, "Batches of similar lengths");
  step->add_flag("--eval", options.is_evaluation, "Forward passes over dev");
  step->add_flag("--no-floor", options.skips_floor,
                 "Leave out the roofs, which are measured after the steps");
  step->add_flag("--full-length", options.has_full_length,
                 "Random tokens in sequences of --max-length, all of them");
  step->add_flag("--no-graphs{false}", options.has_graphs,
                 "Queue every kernel anew in place of CUDA graphs");
  step->add_option("--settings", options.settings, "A whole training (benchmarks/peers)");
  step->add_option("--losses", options.losses, "Write the losses there");
  step->add_option("--dev-batches", options.dev_batches, "Score these after the last step");
  step->add_option("--predictions", options.predictions, "Write their logits there");
  step->footer(
      "Examples:\n"
      "  basis bench step --size minilm --dtype bf16\n"
      "  basis bench step --model MODEL --task mrpc --glue DATA/glue --method lora\n"
      "floor_s: executed FLOPs by the roof of their dtype, and compulsory bytes by a copy's rate.");
  step->callback([&] { command = [&] { return bench_step_command(options); }; });
}

/// The library would only say that a subcommand is missing.
void check_command(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  const bool is_known = contains(names, word);
  if (is_known || word.empty() || word.front() == '-') return;
  throw Error(fmt::format("no command \"{}\"{}; there are {}", word, did_you_mean(word, names),
                          fmt::join(names, ", ")));
}

}  // namespace

int run_command_line(int count, const char* const* arguments) {
  CLI::App app(
      "Fine-tune pretrained BERTs on a frozen spectral basis, and study that basis, from config "
      "files.");
  app.name("basis");
  app.set_version_flag("--version", std::string("basis ") + build_info::version);
  app.require_subcommand(1);
  app.footer("`basis COMMAND --help` tells more of each.");

  Command command;
  RunOptions run;
  std::filesystem::path status_folder;
  TokenizeOptions tokenize;
  add_run(app, run, command);
  add_status(app, status_folder, command);
  add_config(app, command);
  add_info(app, command);
  add_tokenize(app, tokenize, command);
  PredictOptions predict;
  EncodeOptions encode;
  VocabOptions vocab;
  MergeOptions merge;
  ExportOptions exported;
  SpectrumOptions spectrum;
  std::filesystem::path report_folder;
  BenchOptions bench;
  add_predict(app, predict, command);
  add_encode(app, encode, command);
  add_vocab(app, vocab, command);
  add_merge(app, merge, command);
  add_export(app, exported, command);
  add_spectrum(app, spectrum, command);
  add_report(app, report_folder, command);
  add_bench(app, bench, command);
  if (count > 1) check_command(app, arguments[1]);
  try {
    app.parse(count, arguments);
  } catch (const CLI::Success& help) {
    return app.exit(help);  // --help and --version
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "basis: {}\nRun `basis --help` or `basis COMMAND --help`.\n", error.what());
    return 2;
  }
  return command();
}

}  // namespace basis
