#include "experiments/sharing.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <set>

#include <fmt/format.h>

#include "experiments/compute.h"
#include "experiments/model_folder.h"
#include "experiments/stage_model.h"
#include "experiments/start_weights.h"
#include "experiments/trainer.h"
#include "spectral/drift.h"
#include "spectral/matrix_parallel.h"
#include "tensor/file.h"
#include "tensor/philox.h"

namespace basis {

const char* name_of(Relation relation) {
  switch (relation) {
    case Relation::Tasks:
      return "tasks";
    case Relation::Seeds:
      return "seeds";
    case Relation::Shuffled:
      return "shuffled";
    case Relation::ShuffledTasks:
      return "shuffled_tasks";
    case Relation::SameSeed:
      return "same_seed";
    case Relation::Gaussian:
      return "gaussian";
  }
  return "?";
}

namespace {

/// How two runs of different seeds are related, if they are to be compared.
std::optional<Relation> relation_of(const DriftRun& first, const DriftRun& second) {
  const bool is_same_task = first.task == second.task;
  if (first.is_shuffled && second.is_shuffled) return std::nullopt;
  if (first.is_shuffled || second.is_shuffled) {
    return is_same_task ? Relation::Shuffled : Relation::ShuffledTasks;
  }
  if (first.method != second.method) return std::nullopt;
  return is_same_task ? Relation::Seeds : Relation::Tasks;
}

std::map<std::int64_t, std::int64_t> next_seeds(std::span<const DriftRun> runs) {
  std::set<std::int64_t> seeds;
  for (const DriftRun& run : runs) seeds.insert(run.seed);
  std::map<std::int64_t, std::int64_t> next;
  for (auto seed = seeds.begin(); seed != seeds.end(); ++seed) {
    const auto after = std::next(seed);
    next[*seed] = after == seeds.end() ? *seeds.begin() : *after;
  }
  return next;
}

}  // namespace

std::vector<DriftPair> drift_pairs(std::span<const DriftRun> runs) {
  const std::map<std::int64_t, std::int64_t> next = next_seeds(runs);
  std::vector<DriftPair> pairs;
  const auto has_reverse = [&](std::size_t i, std::size_t j) {
    return std::any_of(pairs.begin(), pairs.end(),
                       [&](const DriftPair& pair) { return pair.first == j && pair.second == i; });
  };
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (std::size_t j = 0; j < runs.size(); ++j) {
      if (i == j || runs[i].start != "pretrained" || runs[j].start != "pretrained") continue;
      const auto relation = relation_of(runs[i], runs[j]);
      if (!relation) continue;
      if (runs[i].seed == runs[j].seed) {
        if (*relation == Relation::Tasks && i < j) {
          pairs.push_back({i, j, Relation::SameSeed, runs[i].seed});
          pairs.push_back({i, j, Relation::Gaussian, runs[i].seed});
        }
      } else if (runs[j].seed == next.at(runs[i].seed) && !has_reverse(i, j)) {
        pairs.push_back({i, j, *relation, runs[i].seed});
      }
    }
  }
  return pairs;
}

namespace {

/// One sharing stage from its inputs to its result.
class Sharing {
 public:
  explicit Sharing(StageContext& stage)
      : stage_(stage), config_(stage.plan.config), out_(stage.folder / "sharing.csv") {
    const std::filesystem::path model = start_model_folder(stage);
    start_ = encoder_matrices(model, model);
    for (const StageInput& input : stage.inputs) {
      if (input.stage->kind != StageKind::Finetune) continue;
      const MethodSettings& method = config_.method.at(input.stage->method);
      runs_.push_back({input.stage->task, input.stage->method, input.stage->seed, method.start,
                       method.labels == "shuffled"});
      weights_.push_back(encoder_matrices(finetuned_folder(input), model));
    }
    pairs_ = drift_pairs(runs_);
    if (pairs_.empty()) {
      throw Error(
          "sharing: no two fine-tunings to compare: [sharing] needs two tasks or two seeds of a "
          "method that starts from the pretrained weights");
    }
  }

  StageResult run() {
    reset_peak_memory();
    const DeviceDecompositions device(config_.device, config_.threads, config_.tf32);
    out_.write(std::string_view(
        "matrix,side,k,relation,replicate,first,second,co_drift,rotation_first,rotation_second,"
        "rotation_between,cosine\n"));
    rows_.resize(start_.size());
    for_each_on_threads(start_.size(), static_cast<int>(config_.threads), [&](std::size_t i) {
      rows_[i] = compare(i, device.get());
      finish_one();
    });
    for (const std::string& rows : rows_) out_.write(std::string_view(rows));
    out_.commit();
    StageResult result;
    result.metrics = summary();
    result.peak_mib = peak_memory_mib();
    return result;
  }

 private:
  /// All pairs of one matrix, as lines of the table.
  std::string compare(std::size_t matrix, Decompositions* device) {
    const auto of = [&](const std::vector<EncoderMatrix>& matrices) {
      return to_matrix(matrices.at(matrix).value.view());
    };
    const std::vector<std::int64_t>& ranks = config_.sharing.ranks;
    WeightDrifts drifts(of(start_), *std::max_element(ranks.begin(), ranks.end()), device);
    for (const auto& weights : weights_) drifts.add(of(weights));
    std::string rows;
    for (const DriftPair& pair : pairs_) {
      std::size_t first = pair.first, second = pair.second;
      if (pair.relation == Relation::Gaussian) {
        const std::uint64_t purpose = hash_of_name(start_[matrix].name + label(pair.second),
                                                   static_cast<std::uint64_t>(pair.replicate));
        first = drifts.add_gaussian(pair.first, purpose, 0);
        second = drifts.add_gaussian(pair.second, purpose, 1);
      }
      add_rows(rows, start_[matrix].name, pair, drifts.rotation(first), drifts.rotation(second),
               drifts.compare(first, second));
    }
    return rows;
  }

  void add_rows(std::string& rows, const std::string& name, const DriftPair& pair,
                const SidedCurves& first, const SidedCurves& second,
                const WeightDrifts::Pair& both) {
    for (const auto& [side, curve] :
         {std::pair{"u", &SidedCurves::u}, std::pair{"v", &SidedCurves::v}}) {
      for (const std::int64_t k : config_.sharing.ranks) {
        const auto at = static_cast<std::size_t>(k - 1);
        const Curve& shared = both.co_drift.*curve;
        if (at >= shared.size()) continue;
        const std::string value =
            std::isfinite(shared[at]) ? fmt::format("{:.12g}", shared[at]) : "";
        rows += fmt::format("{},{},{},{},{},{},{},{},{:.12g},{:.12g},{:.12g},{:.12g}\n", name, side,
                            k, name_of(pair.relation), pair.replicate, label(pair.first),
                            label(pair.second), value, (first.*curve)[at], (second.*curve)[at],
                            (both.rotation.*curve)[at], both.cosine);
        if (k == summary_rank(config_.sharing.ranks) && std::isfinite(shared[at]))
          add(pair, shared[at], both.cosine);
      }
    }
  }

  std::string label(std::size_t run) const {
    return fmt::format("{}/{}/{}", runs_[run].task, runs_[run].method, runs_[run].seed);
  }

  struct Sum {
    double co_drift = 0, cosine = 0;
    std::int64_t count = 0;
  };

  void add(const DriftPair& pair, double co_drift, double cosine) {
    const std::lock_guard lock(mutex_);
    Sum& sum = sums_[pair.relation];
    sum.co_drift += co_drift;
    sum.cosine += cosine;
    ++sum.count;
  }

  void finish_one() {
    const std::lock_guard lock(mutex_);
    if (stage_.report_progress) {
      stage_.report_progress({++done_, std::ssize(start_), std::nan(""), 0});
    }
    if (stage_.should_stop()) throw Cancelled("stopped between two matrices");
  }

  /// Means over matrices, sides and pairs.
  std::vector<std::pair<std::string, double>> summary() const {
    std::vector<std::pair<std::string, double>> metrics;
    for (const auto& [relation, sum] : sums_) {
      const auto count = static_cast<double>(sum.count);
      metrics.emplace_back(fmt::format("co_drift_{}", name_of(relation)), sum.co_drift / count);
      metrics.emplace_back(fmt::format("cosine_{}", name_of(relation)), sum.cosine / count);
    }
    return metrics;
  }

  StageContext& stage_;
  const Config& config_;
  AtomicFile out_;
  std::vector<EncoderMatrix> start_;
  std::vector<DriftRun> runs_;
  std::vector<std::vector<EncoderMatrix>> weights_;  // of the runs
  std::vector<DriftPair> pairs_;
  std::vector<std::string> rows_;  // by matrix
  std::mutex mutex_;
  std::map<Relation, Sum> sums_;
  std::int64_t done_ = 0;
};

}  // namespace

StageResult run_sharing(StageContext& stage) {
  return Sharing(stage).run();
}

}  // namespace basis
