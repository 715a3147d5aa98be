#include "experiments/surgery.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <mutex>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "experiments/compute.h"
#include "experiments/model_folder.h"
#include "experiments/row_encoder.h"
#include "experiments/stage_model.h"
#include "experiments/start_weights.h"
#include "experiments/task_data.h"
#include "experiments/task_scores.h"
#include "experiments/trainer.h"
#include "spectral/adapter_method.h"
#include "spectral/matrix_parallel.h"
#include "spectral/merged_adapters.h"
#include "spectral/surgery.h"
#include "tensor/file.h"
#include "tensor/philox.h"

namespace basis {
namespace {

/// What of ΔW is put on W₀.
struct Cut {
  enum class Kind : std::uint8_t { Nothing, Everything, Part, NormOfPart };
  Kind kind = Kind::Part;
  BasisKind basis = BasisKind::Leading;
  ChangePart part = ChangePart::Core;
  std::int64_t k = 0;

  std::string basis_name() const {
    if (kind == Kind::NormOfPart) return "norm";
    return kind == Kind::Part ? name_of(basis) : "";
  }
  std::string part_name() const {
    if (kind == Kind::Nothing) return "nothing";
    return kind == Kind::Everything ? "everything" : name_of(part);
  }
};

std::vector<Cut> cuts_at(const std::vector<std::int64_t>& ranks) {
  const Cut whole{Cut::Kind::Everything, BasisKind::Leading, ChangePart::Core, 0};
  Cut nothing = whole;
  nothing.kind = Cut::Kind::Nothing;
  std::vector<Cut> cuts = {nothing, whole};
  for (const std::int64_t k : ranks) {
    for (const ChangePart part : {ChangePart::Diagonal, ChangePart::Core, ChangePart::Left,
                                  ChangePart::Right, ChangePart::Outside}) {
      cuts.push_back({Cut::Kind::Part, BasisKind::Leading, part, k});
      cuts.push_back({Cut::Kind::Part, BasisKind::Random, part, k});
      cuts.push_back({Cut::Kind::NormOfPart, BasisKind::Leading, part, k});
    }
  }
  return cuts;
}

/// One surgery stage from its inputs to its result.
class Surgery {
 public:
  explicit Surgery(StageContext& stage)
      : stage_(stage),
        config_(stage.plan.config),
        compute_(config_.device, config_.threads, config_.tf32),
        dtype_(compute_dtype(compute_.backend(), config_.dtype)),
        out_(stage.folder / "surgery.csv") {
    load_model();
    load_dev();
  }

  StageResult run() {
    decompose();
    out_.write(std::string_view("basis,part,k,energy,metric,score\n"));
    const std::vector<Cut> cuts = cuts_at(config_.surgery.ranks);
    StageResult result;
    std::int64_t done = 0;
    for (const Cut& cut : cuts) {
      const double energy = put(cut);
      const auto [metric, score] =
          scores_of(classifier_outputs(compute_, *model_, dev_, dtype_.activations), rows_, task_)
              .front();
      out_.write(std::string_view(
          fmt::format("{},{},{},{:.12g},{},{}\n", cut.basis_name(), cut.part_name(),
                      cut.k == 0 ? "" : std::to_string(cut.k), energy, metric, score)));
      keep(result, cut, score);
      if (stage_.report_progress) {
        stage_.report_progress({++done, std::ssize(cuts), std::nan(""), 0});
      }
      if (stage_.should_stop()) throw Cancelled("stopped between two parts");
    }
    out_.commit();
    result.peak_mib = compute_.peak_memory_mib();
    return result;
  }

 private:
  void load_model() {
    const std::filesystem::path base = start_model_folder(stage_);
    model_ = load_finetuned(compute_, stage_);
    merged_.emplace(compute_.backend(), compute_.memory(), *model_);
    weights_ = encoder_weights(*model_);
    const MethodSettings& method = config_.method.at(stage_.stage.method);
    const auto seed = static_cast<std::uint64_t>(stage_.stage.seed);
    start_ = start_matrices(base, method, seed);
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      after_.push_back(to_host(compute_.backend(), weights_[i]->value()));
      const Matrix change = change_of(i);
      energy_ += inner_product(change, change);
    }
  }

  Matrix start_of(std::size_t i) const { return to_matrix(start_[i].value.view()); }
  Matrix change_of(std::size_t i) const {
    return subtract(to_matrix(after_[i].view()), start_of(i));
  }

  void load_dev() {
    const TrainSettings train = config_.train_for(stage_.stage.task, stage_.stage.method);
    TaskData data = load_task(config_, stage_.stage.task, train, *stage_.data);
    task_ = data.task;
    rows_ = data.dev;
    rows_.resize(std::min(rows_.size(), static_cast<std::size_t>(config_.surgery.dev_rows)));
    const RowEncoder encoder(start_model_folder(stage_), config_.task.at(stage_.stage.task),
                             train.max_length, stage_.cache);
    dev_ = encoder.encode(rows_, data);
  }

  void for_each(const std::function<void(std::size_t)>& work) const {
    for_each_on_threads(start_.size(), static_cast<int>(config_.threads), work);
  }

  /// Keeps of each decomposition what the largest rank needs.
  void decompose() {
    const DeviceDecompositions device(config_.device, config_.threads, config_.tf32);
    const std::vector<std::int64_t>& ranks = config_.surgery.ranks;
    const std::int64_t most = *std::max_element(ranks.begin(), ranks.end());
    leading_.resize(start_.size());
    for_each([&](std::size_t i) {
      const Svd whole = svd(start_of(i), device.get());
      leading_[i] = select_basis(whole, BasisKind::Leading, std::min(most, whole.rank()), 0);
    });
    stage_.remark(device.remark());
  }

  /// The model gets W₀ and the part; returns its share of the energy.
  double put(const Cut& cut) {
    std::vector<double> energies(start_.size());
    std::mutex mutex;  // of the model and its memory
    for_each([&](std::size_t i) {
      const Matrix part = part_of(cut, i);
      energies[i] = inner_product(part, part);
      const Matrix weight = add(start_of(i), part);
      const std::lock_guard lock(mutex);
      set_weight(compute_.backend(), compute_.memory(), *weights_[i], weight);
    });
    const double energy = std::accumulate(energies.begin(), energies.end(), 0.0);
    return energy_ > 0 ? energy / energy_ : 0;
  }

  Matrix part_of(const Cut& cut, std::size_t i) const {
    const Matrix change = change_of(i);
    if (cut.kind == Cut::Kind::Everything) return change;
    if (cut.kind == Cut::Kind::Nothing) return Matrix(change.rows(), change.columns());
    const std::uint64_t seed =
        hash_of_name(weights_[i]->name(), static_cast<std::uint64_t>(stage_.stage.seed));
    const std::int64_t k = std::min(cut.k, leading_[i].u.columns());
    const Basis basis =
        cut.basis == BasisKind::Leading
            ? Basis{columns_of(leading_[i].u, 0, k), columns_of(leading_[i].v, 0, k), {}}
            : random_basis(change.rows(), change.columns(), k, seed);
    const Matrix part = part_of_change(change, basis, cut.part);
    if (cut.kind == Cut::Kind::Part) return part;
    return random_of_norm(change.rows(), change.columns(), frobenius_norm(part), seed,
                          static_cast<std::uint64_t>(cut.part));
  }

  /// Of the result the two ends, and what the core reaches.
  static void keep(StageResult& result, const Cut& cut, double score) {
    if (cut.kind == Cut::Kind::Nothing || cut.kind == Cut::Kind::Everything) {
      result.metrics.emplace_back("score_" + cut.part_name(), score);
    } else if (cut.part == ChangePart::Core && cut.basis_name() == "leading") {
      result.metrics.emplace_back(fmt::format("score_core_{}", cut.k), score);
    }
  }

  StageContext& stage_;
  const Config& config_;
  Compute compute_;
  ComputeDType dtype_;
  AtomicFile out_;
  std::unique_ptr<SequenceClassifier> model_;
  std::optional<MergedAdapters> merged_;
  std::vector<Parameter*> weights_;
  // By matrix, in f32: f64 copies live while a matrix is worked on.
  std::vector<EncoderMatrix> start_;
  std::vector<Tensor> after_;
  std::vector<Basis> leading_;  // of W₀, up to the largest rank
  double energy_ = 0;           // Σ‖ΔW‖²_F
  Task task_;
  std::vector<Example> rows_;  // of dev
  EncodedDataset dev_;
};

}  // namespace

StageResult run_surgery(StageContext& stage) {
  reset_peak_memory();
  return Surgery(stage).run();
}

}  // namespace basis
