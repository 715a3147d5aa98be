#include "experiments/emergence.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "data/metrics.h"
#include "experiments/compute.h"
#include "experiments/input_moments.h"
#include "experiments/model_folder.h"
#include "experiments/pretrain_corpus.h"
#include "experiments/snapshots.h"
#include "experiments/trainer.h"
#include "nn/checkpoint.h"
#include "spectral/drift.h"
#include "spectral/matrix_parallel.h"
#include "spectral/stability.h"
#include "spectral/statistics.h"
#include "tensor/file.h"
#include "tensor/philox.h"

namespace basis {

std::vector<WeightMoment> weight_moments(std::span<const Matrix> weights,
                                         const MomentOptions& options) {
  const Matrix& final = weights.back();
  const double norm = frobenius_norm(final);
  WeightDrifts drifts(final, options.k, options.device);
  for (const Matrix& weight : weights) drifts.add(weight);
  std::vector<WeightMoment> moments;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    WeightMoment moment;
    moment.from_final = moment.gaussian = drifts.rotation(i);
    const bool is_final = i + 1 == weights.size();
    if (!is_final) moment.gaussian = drifts.rotation(drifts.add_gaussian(i, options.seed, i));
    if (options.has_initial) moment.from_initial = drifts.compare(0, i).rotation;
    moment.change_to_final = frobenius_norm(subtract(weights[i], final)) / norm;
    moments.push_back(std::move(moment));
  }
  return moments;
}

DirectionUse direction_use(const Matrix& weight, const Matrix& second_moment,
                           Decompositions* device) {
  Svd decomposition = svd(weight, device);
  DirectionUse use;
  use.sigma = decomposition.sigma;
  // The functional spectrum of equal singular values: what the text does to v_i alone.
  std::fill(decomposition.sigma.begin(), decomposition.sigma.end(), 1.0);
  use.input_rms = functional_spectrum(decomposition, second_moment);
  return use;
}

namespace {

std::string cell(double value) {
  return std::isfinite(value) ? fmt::format("{:.12g}", value) : "";
}

double spearman(const std::vector<double>& a, const std::vector<double>& b) {
  return score(Metric::Spearman, Answers{{}, a}, Answers{{}, b});
}

/// The snapshots of a finished pretraining in order of tokens, its end the last one. What its best
/// model was is a matter of the loss, and no moment of its own.
std::vector<Snapshot> moments_of(const std::filesystem::path& pretrain_folder) {
  std::vector<Snapshot> moments = read_snapshots(pretrain_folder);
  const auto end = std::find_if(moments.begin(), moments.end(),
                                [](const Snapshot& one) { return one.name == "final"; });
  if (end == moments.end()) {
    throw Error(fmt::format("{}: snapshots.json names no final model; run its stage anew",
                            pretrain_folder.string()));
  }
  const Snapshot final = *end;
  std::erase_if(moments, [&](const Snapshot& one) {
    return one.name == "final" || one.name == "best" || one.tokens >= final.tokens;
  });
  if (moments.empty()) {
    throw Error(fmt::format(
        "emergence: the pretraining kept nothing before its end at {} tokens; \"snapshots\" in "
        "[pretrain] names token counts below that (0: the initial weights)",
        final.tokens));
  }
  moments.push_back(final);
  return moments;
}

/// One emergence stage from its inputs to its result.
class Emergence {
 public:
  explicit Emergence(StageContext& stage)
      : stage_(stage),
        config_(stage.plan.config),
        folder_(stage.inputs.at(0).folder),
        moments_(moments_of(folder_)),
        means_(moments_.size()) {
    for (const Snapshot& moment : moments_) {
      const std::filesystem::path model = folder_ / moment.folder();
      weights_.push_back(encoder_matrices(model, model));
    }
    works_ = std::ssize(weights_.back()) * (has_initial() ? 3 : 2);
  }

  StageResult run() {
    reset_peak_memory();
    Compute compute(config_.device, config_.threads, config_.tf32);
    const auto device = compute.backend().make_decompositions();
    write_overlaps(device.get());
    write_functional(compute, device.get());
    if (device) stage_.remark(device->remark());
    StageResult result;
    result.metrics = {{"overlap_quarter", after(0.25, &Overlaps::overlap)},
                      {"overlap_half", after(0.5, &Overlaps::overlap)},
                      {"gaussian_quarter", after(0.25, &Overlaps::gaussian)},
                      {"gaussian_half", after(0.5, &Overlaps::gaussian)},
                      {"functional_spearman", functional_order_.value()},
                      {"use_spearman", use_order_.value()}};
    // For the report, beside the losses of the snapshots.
    for (const auto& [name, value] : stage_.inputs[0].result.metrics) {
      if (name == "unigram_loss") result.metrics.emplace_back(name, value);
    }
    result.peak_mib = peak_memory_mib();
    return result;
  }

 private:
  bool has_initial() const { return moments_.front().tokens == 0; }

  /// Calls work(i) for every matrix, in threads, and writes the rows that it returns in order.
  void write_by_matrix(AtomicFile& out, const std::function<std::string(std::size_t)>& work) {
    std::vector<std::string> rows(weights_.back().size());
    for_each_on_threads(rows.size(), static_cast<int>(config_.threads), [&](std::size_t i) {
      rows[i] = work(i);
      finish_one();
    });
    for (const std::string& text : rows) out.write(std::string_view(text));
  }

  void finish_one() {
    const std::lock_guard lock(mutex_);
    if (stage_.report_progress) stage_.report_progress({++done_, works_, std::nan(""), 0});
    check_stop();
  }

  void check_stop() const {
    if (stage_.should_stop()) throw Cancelled("stopped between two matrices");
  }

  void write_overlaps(Decompositions* device) {
    AtomicFile out(stage_.folder / "emergence.csv");
    out.write(
        std::string_view("tokens,held_out_loss,matrix,side,k,overlap_final,overlap_initial,chance,"
                         "change_to_final,overlap_gaussian\n"));
    const std::vector<std::int64_t>& ranks = config_.emergence.ranks;
    const std::int64_t most = *std::max_element(ranks.begin(), ranks.end());
    write_by_matrix(out, [&](std::size_t matrix) {
      std::vector<Matrix> weights;
      for (const auto& of_moment : weights_) {
        weights.push_back(to_matrix(of_moment.at(matrix).value.view()));
      }
      const std::uint64_t seed =
          hash_of_name(weights_.back()[matrix].name, static_cast<std::uint64_t>(stage_.stage.seed));
      const auto moments = weight_moments(weights, {has_initial(), most, seed, device});
      std::string rows;
      for (std::size_t i = 0; i < moments.size(); ++i) {
        add_rows(rows, matrix, i, moments[i]);
      }
      return rows;
    });
    out.commit();
  }

  void add_rows(std::string& rows, std::size_t matrix, std::size_t moment,
                const WeightMoment& weight) {
    const EncoderMatrix& of = weights_.back()[matrix];
    for (const auto& [side, curve, d] : {std::tuple{"u", &SidedCurves::u, of.value.shape()[0]},
                                         std::tuple{"v", &SidedCurves::v, of.value.shape()[1]}}) {
      const Curve &to_final = weight.from_final.*curve, &to_initial = weight.from_initial.*curve;
      for (const std::int64_t k : config_.emergence.ranks) {
        const auto at = static_cast<std::size_t>(k - 1);
        if (at >= to_final.size()) continue;
        const double overlap = 1 - to_final[at];
        const double chance = static_cast<double>(k) / static_cast<double>(d);
        const double gaussian = 1 - (weight.gaussian.*curve)[at];
        rows += fmt::format("{},{},{},{},{},{},{},{},{},{}\n", moments_[moment].tokens,
                            cell(moments_[moment].held_out_loss), of.name, side, k, cell(overlap),
                            to_initial.empty() ? "" : cell(1 - to_initial[at]), cell(chance),
                            cell(weight.change_to_final), cell(gaussian));
        if (k != summary_rank(config_.emergence.ranks) || k == d) continue;
        const std::lock_guard lock(mutex_);
        means_[moment].overlap.add((overlap - chance) / (1 - chance));
        means_[moment].gaussian.add((gaussian - chance) / (1 - chance));
      }
    }
  }

  /// Corrected overlaps at the summary's rank.
  struct Overlaps {
    RunningMean overlap;   // with the final basis
    RunningMean gaussian;  // of the control
  };

  /// The mean once that share of the tokens was seen, on the line between the snapshots beside it;
  /// NaN before the first one.
  double after(double share, RunningMean Overlaps::*mean) const {
    const double tokens = share * static_cast<double>(moments_.back().tokens);
    for (std::size_t i = 1; i < moments_.size(); ++i) {
      const auto begin = static_cast<double>(moments_[i - 1].tokens);
      const auto end = static_cast<double>(moments_[i].tokens);
      if (tokens < begin || tokens > end) continue;
      const double way = (tokens - begin) / (end - begin);
      return (1 - way) * (means_[i - 1].*mean).value() + way * (means_[i].*mean).value();
    }
    return std::nan("");
  }

  void write_functional(Compute& compute, Decompositions* device) {
    const ComputeDType dtype = compute_dtype(compute.backend(), config_.dtype);
    stage_.remark(dtype.remark);
    const PretrainSettings settings = config_.pretrain_for(stage_.stage.model);
    const WordPieceTokenizer tokenizer = load_tokenizer(folder_ / moments_.back().folder());
    const EncodedDataset text =
        read_pretrain_corpus(settings, stage_.stage.seed, config_.data.language_seed, tokenizer,
                             *stage_.data, [this] { check_stop(); })
            .held_out;
    AtomicFile out(stage_.folder / "functional.csv");
    out.write(std::string_view("tokens,matrix,i,sigma,input_rms,functional\n"));
    if (has_initial()) write_functional_of(0, out, compute, dtype, text, device);
    write_functional_of(moments_.size() - 1, out, compute, dtype, text, device);
    out.commit();
  }

  void write_functional_of(std::size_t moment, AtomicFile& out, Compute& compute,
                           const ComputeDType& dtype, const EncodedDataset& text,
                           Decompositions* device) {
    const auto inputs = second_moments(folder_ / moments_[moment].folder(), compute, dtype, text);
    const bool is_final = moment + 1 == moments_.size();
    write_by_matrix(out, [&](std::size_t matrix) {
      const EncoderMatrix& weight = weights_[moment][matrix];
      const DirectionUse use =
          direction_use(to_matrix(weight.value.view()), inputs.at(weight.name), device);
      std::vector<double> functional;
      std::string rows;
      for (std::size_t i = 0; i < use.sigma.size(); ++i) {
        functional.push_back(use.sigma[i] * use.input_rms[i]);
        rows += fmt::format("{},{},{},{},{},{}\n", moments_[moment].tokens, weight.name, i + 1,
                            cell(use.sigma[i]), cell(use.input_rms[i]), cell(functional[i]));
      }
      if (is_final) {
        const std::lock_guard lock(mutex_);
        functional_order_.add(spearman(use.sigma, functional));
        use_order_.add(spearman(use.sigma, use.input_rms));
      }
      return rows;
    });
  }

  std::map<std::string, Matrix> second_moments(const std::filesystem::path& folder,
                                               Compute& compute, const ComputeDType& dtype,
                                               const EncodedDataset& text) const {
    Checkpoint checkpoint(folder);
    MaskedLanguageModel model(compute.backend(), compute.memory(), BertConfig::read(folder),
                              &checkpoint, ModelOptions{0, dtype.master()});
    return input_moments(compute, model, text, config_.emergence.text_rows, dtype.activations,
                         [this] { check_stop(); });
  }

  StageContext& stage_;
  const Config& config_;
  const std::filesystem::path folder_;               // of the pretrain stage
  const std::vector<Snapshot> moments_;              // the last one is final
  std::vector<std::vector<EncoderMatrix>> weights_;  // of the moments
  std::mutex mutex_;
  std::vector<Overlaps> means_;  // by moment
  RunningMean functional_order_, use_order_;
  std::int64_t done_ = 0, works_ = 0;
};

}  // namespace

StageResult run_emergence(StageContext& stage) {
  return Emergence(stage).run();
}

}  // namespace basis
