#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace basis::behaviour {

/// A run of ten stages: a BERT of width 32 pretrained for 40 steps, two tasks,
/// three methods, checkpoints every 7 steps, dropout on.
inline constexpr const char* tiny_run = R"(
threads = 2
tasks = ["synthetic-sentiment", "synthetic-similarity"]
methods = ["full", "lora", "spectral-core"]
[model]
path = "pretrain"
[pretrain]
documents = 60
held_out_documents = 5
hidden_size = 32
num_attention_heads = 2
intermediate_size = 64
max_length = 32
steps = 40
batch_size = 8
dropout = 0.1
evaluate_every = 10
checkpoint_every = 7
snapshots = [0, 3000, 8000]
keeps_best = true
whole_words = true
positions = "sinusoidal"
[data]
synthetic_train_rows = 64
synthetic_dev_rows = 20
[train]
learning_rate = 1e-3
epochs = 5
batch_size = 8
max_length = 32
evaluate_every = 9
checkpoint_every = 7
dropout = 0.1
[method.lora]
rank = 2
[method.spectral-core]
rank = 4
[spectrum]
ranks = [1, 2, 4]
[retention]
methods = ["full"]
task = "synthetic-entailment"
)";

/// What the stages of a run left, by path under the run's folder: every file, without what tells of
/// time, speed and memory.
std::map<std::string, std::string> stage_files(const std::filesystem::path& run);

/// Fails the test for every file that is missing, too many or different.
void expect_same_files(const std::map<std::string, std::string>& some,
                       const std::map<std::string, std::string>& other);

}  // namespace basis::behaviour
