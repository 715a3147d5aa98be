#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "experiments/runner.h"

namespace basis {

/// How two fine-tunings of one model are related. All pairs but SameSeed are of different seeds:
/// one seed gives different tasks the same new head and the same order of rows, which alone would
/// turn the weights alike.
enum class Relation : std::uint8_t {
  Tasks,          // two tasks
  Seeds,          // one task twice: the ceiling
  Shuffled,       // one task, true labels and shuffled ones: what the inputs alone share
  ShuffledTasks,  // a task and another one on shuffled labels
  SameSeed,       // two tasks of one seed
  Gaussian        // random changes of the norms of two tasks' changes: 0
};

/// "tasks", "seeds", "shuffled", "shuffled_tasks", "same_seed", "gaussian".
const char* name_of(Relation relation);

/// A fine-tuning whose drift is compared.
struct DriftRun {
  std::string task;
  std::string method;
  std::int64_t seed = 0;
  std::string start;  // weights that it starts from, "pretrained"
  bool is_shuffled = false;
};

struct DriftPair {
  std::size_t first = 0;  // of the runs; of Gaussian pairs: whose norms they have
  std::size_t second = 0;
  Relation relation = Relation::Tasks;
  std::int64_t replicate = 0;  // the first one's seed: the unit of replication
};

/// The pairs that are compared: every seed with the next one, cyclically, so that their number
/// grows as the runs do. Only runs from equal starts are paired; random and scrambled starts, which
/// every seed draws anew, never.
std::vector<DriftPair> drift_pairs(std::span<const DriftRun> runs);

/// The sharing stage: drifts of all fine-tunings of [sharing] on one model against each other.
/// Leaves sharing.csv, a row for every matrix, side (u, v), k and pair:
///   matrix, side, k, relation, replicate, first, second, co_drift, rotation_first,
///   rotation_second, rotation_between, cosine
StageResult run_sharing(StageContext& stage);

}  // namespace basis
