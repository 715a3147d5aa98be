#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "experiments/report_data.h"

namespace basis {

/// Uniform numbers in [0, 1) that are the same on every machine; no statistics hang on them.
class FakeNoise {
 public:
  explicit FakeNoise(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15U + 1) {}
  double uniform() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state_ >> 11U) * 0x1p-53;
  }
  /// About normal: mean 0, standard deviation 1.
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }

 private:
  std::uint64_t state_;
};

inline constexpr const char* report_config = R"(
name = "five-methods"
question = "Does a frozen spectral basis of the pretrained weights carry GLUE as well as training everything?"
seeds = [0, 1, 2]
tasks = ["sst2", "mrpc", "stsb", "cola", "rte"]
methods = ["full", "lora", "spectral-core", "bitfit", "head", "full-random"]
[model]
path = "pretrain"
[pretrain]
steps = 2000
[spectrum]
methods = ["full", "lora", "spectral-core"]
[report]
title = "Five ways to fine-tune one encoder"
[method.lora]
rank = 5
targets = ["query", "value"]
[method.full-random]
kind = "full"
start = "random"
)";

namespace fake {

struct Method {
  const char* name;
  double loss_of_score;  // points below full
  std::int64_t trainable;
  double share, adapted, tokens_per_s, peak, seconds;
};

inline constexpr Method methods[] = {
    {"full", 0, 22713216, 1, 1, 9120, 812, 212},
    {"lora", 1.1, 46080, 0.00203, 0.0054, 13100, 498, 148},
    {"spectral-core", 1.6, 44100, 0.00194, 0.0042, 12650, 505, 151},
    {"bitfit", 2.9, 31104, 0.00137, 0, 12900, 470, 149},
    {"head", 9.5, 0, 0, 0, 24800, 301, 71},
    {"full-random", 12.5, 22713216, 1, 1, 9080, 812, 214},
};

struct Task {
  const char* name;
  const char* metric;
  const char* second;
  double full;
  double noise;
  std::int64_t steps;
};

inline constexpr Task tasks[] = {{"sst2", "accuracy", "", 91.2, 0.35, 470},
                                 {"mrpc", "f1", "accuracy", 89.6, 0.6, 345},
                                 {"stsb", "pearson", "spearman", 88.1, 0.3, 540},
                                 {"cola", "matthews", "", 47.5, 1.6, 802},
                                 {"rte", "accuracy", "", 55.1, 1.9, 234}};

inline ReportRun run_of(const Task& task, const Method& method, std::int64_t seed) {
  FakeNoise noise(static_cast<std::uint64_t>(131 * seed + 7 * task.steps + method.trainable) +
                  static_cast<std::uint64_t>(method.tokens_per_s));
  ReportRun run;
  run.task = task.name;
  run.method = method.name;
  run.seed = seed;
  const double lost = method.loss_of_score * (std::string(task.name) == "cola" ? 2.2 : 1);
  const double score = (task.full - lost + task.noise * noise.normal()) / 100;
  run.result.metrics = {{task.metric, score}};
  if (*task.second != 0) run.result.metrics.emplace_back(task.second, score - 0.031);
  if (std::string(task.name) == "rte") {
    run.result.metrics.emplace_back("majority_accuracy", 0.527);
    run.result.metrics.emplace_back("dev_rows", 277);
  }
  run.result.trainable = method.trainable;
  run.result.trainable_share = method.share;
  run.result.adapted_share = method.adapted;
  run.result.head_parameters = 770;
  run.result.tokens_per_s = method.tokens_per_s * (1 + 0.02 * noise.normal());
  run.result.peak_mib = method.peak;
  run.result.seconds = method.seconds * static_cast<double>(task.steps) / 300;
  const double floor = 0.08 + 0.03 * method.loss_of_score;
  for (std::int64_t step = 1; step <= task.steps; ++step) {
    const double done = static_cast<double>(step) / static_cast<double>(task.steps);
    run.curves["loss"].x.push_back(static_cast<double>(step));
    run.curves["loss"].y.push_back(
        std::max(0.01, floor + (0.69 - floor) * std::exp(-4 * done) + 0.07 * noise.normal()));
  }
  ReportCurve& dev = run.curves[std::string("dev_") + task.metric];
  for (int i = 1; i <= 6; ++i) {
    dev.x.push_back(static_cast<double>(task.steps * i / 6));
    dev.y.push_back(score * (1 - 0.25 * std::exp(-i / 1.5)) + 0.003 * noise.normal());
  }
  return run;
}

inline ReportSpectrum spectrum_of(const Task& task, const Method& method, std::int64_t seed) {
  constexpr int rank = 384;
  constexpr int layers = 6;
  FakeNoise noise(static_cast<std::uint64_t>(seed + task.steps + 31 * method.trainable));
  ReportSpectrum spectrum;
  spectrum.task = task.name;
  spectrum.method = method.name;
  spectrum.seed = seed;
  spectrum.change = (method.share == 1 ? 0.021 : 0.048) * std::exp(0.1 * noise.normal());
  spectrum.matrices = 6 * layers;
  spectrum.dose_rank = 32;
  const double level = std::exp(0.06 * noise.normal());
  const double relief = method.share == 1 ? 0.55 : (method.trainable == 46080 ? 1.9 : 1.3);
  for (int k = 1; k < rank; ++k) {
    const double chance = 1 - static_cast<double>(k) / rank;
    const double control =
        std::min(chance, spectrum.change * spectrum.change * 40 * std::pow(k, 0.62));
    const double ratio = level * (1 - (1 - relief) * std::exp(-k / 120.0));
    spectrum.chance.push_back(chance);
    spectrum.control.push_back(control);
    spectrum.ratio.push_back(ratio);
    spectrum.rotation.push_back(std::min(chance, control * ratio));
  }
  for (int i = 0; i < spectrum.matrices; ++i) {
    const double change = spectrum.change * std::exp(0.5 * noise.normal());
    const double control = std::min(0.9, change * change * 343);
    spectrum.doses.push_back({"encoder.layer." + std::to_string(i), change,
                              std::min(0.9, control * relief * std::exp(0.3 * noise.normal())),
                              control});
  }
  const char* kinds[] = {"1 query",  "2 key",    "3 value", "4 attention output",
                         "5 ffn in", "6 ffn out"};
  for (int kind = 0; kind < 6; ++kind) {
    ReportSigma& sigma = spectrum.sigma[kinds[kind]];
    for (int i = 1; i <= rank; ++i) {
      const double before = (3.5 + kind) * std::exp(-0.006 * i) / std::pow(i, 0.22);
      sigma.before.push_back(before);
      sigma.after.push_back(before * (1 + spectrum.change * (0.1 + 1.5 * i / rank)));
    }
  }
  for (int i = 1; i <= rank; ++i) {
    spectrum.shift.push_back(spectrum.change * (0.1 + 1.5 * i / rank) *
                             std::exp(0.15 * noise.normal()));
  }
  return spectrum;
}

inline ReportRun pretraining() {
  FakeNoise noise(5);
  ReportRun run;
  run.result.seconds = 2410;
  for (int step = 1; step <= 2000; ++step) {
    const double loss = 3.1 + 5.9 * std::exp(-step / 350.0);
    run.curves["loss"].x.push_back(step);
    run.curves["loss"].y.push_back(loss + 0.12 * noise.normal());
    if (step % 100 != 0) continue;
    for (const auto& [name, value] : {std::pair<const char*, double>{"held_out_loss", loss + 0.05},
                                      {"held_out_accuracy", 0.42 * (1 - std::exp(-step / 500.0))},
                                      {"unigram_loss", 6.21}}) {
      run.curves[name].x.push_back(step);
      run.curves[name].y.push_back(value);
    }
  }
  return run;
}

}  // namespace fake

/// What a run of five tasks, six methods and three seeds could have left. Made up.
inline ReportData example_report() {
  ReportData data;
  data.config = parse_config(report_config, "example.toml");
  data.machine = {{"version", "0.1.0"},
                  {"compiler", "GCC 12.2.0"},
                  {"build", "Release"},
                  {"commit", "1a2b3c4"},
                  {"processor", "Example 9000, 2 cores"},
                  {"instruction sets", "AVX-512, AVX2"},
                  {"threads", "2"}};
  for (const std::int64_t seed : data.config.seeds) {
    for (const fake::Task& task : fake::tasks) {
      for (const fake::Method& method : fake::methods) {
        data.runs.push_back(fake::run_of(task, method, seed));
        const bool has_spectrum = method.loss_of_score < 2;
        if (has_spectrum) data.spectra.push_back(fake::spectrum_of(task, method, seed));
      }
    }
  }
  data.pretrainings.push_back(fake::pretraining());
  data.stages = data.runs.size() + data.spectra.size() + 1;
  return data;
}

}  // namespace basis
