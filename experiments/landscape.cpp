#include "experiments/landscape.h"

#include <cmath>
#include <set>

#include <fmt/format.h>

#include "experiments/landscape_pieces.h"
#include "experiments/trainer.h"
#include "tensor/file.h"

namespace basis {
namespace {

constexpr const char* header = "kind,place,alpha,beta,score\n";

/// Rows of finished pieces, a piece a kind and a place; written after each.
class FinishedPieces {
 public:
  explicit FinishedPieces(const std::filesystem::path& folder) : path_(folder / "landscape.csv") {
    std::error_code none;
    std::filesystem::create_directories(folder);
    if (!std::filesystem::exists(path_, none)) return;
    rows_ = read_file(path_);
    for (std::size_t begin = 0, end = 0; (end = rows_.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      const std::string row = rows_.substr(begin, end - begin);
      const std::size_t comma = row.find(',', row.find(',') + 1);
      finished_.insert(row.substr(0, comma));
    }
  }

  bool has(const std::string& piece) const { return finished_.contains(piece); }
  void add(const std::string& piece, const std::string& rows) {
    rows_ += rows;
    finished_.insert(piece);
    write_file_atomically(path_, rows_);
  }
  const std::string& rows() const { return rows_; }

 private:
  std::filesystem::path path_;
  std::string rows_;
  std::set<std::string> finished_;
};

/// Computes what is not finished, a piece after the other.
void finish(StageContext& stage, const std::vector<LandscapePiece>& pieces,
            FinishedPieces& finished) {
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::string name = fmt::format("{},{}", pieces[i].kind, pieces[i].place);
    if (!finished.has(name)) finished.add(name, pieces[i].rows());
    if (stage.report_progress) {
      stage.report_progress({static_cast<std::int64_t>(i + 1),
                             static_cast<std::int64_t>(pieces.size()), std::nan(""), 0});
    }
    if (stage.should_stop()) throw Cancelled("stopped between two directions");
  }
}

/// Of a fine-tuning, or without a task of a pretraining.
LandscapeSubject subject_of(StageContext& stage, Compute& compute, const ComputeDType& dtype) {
  const std::string& task = stage.stage.task;
  const bool is_of_words = task.empty() || stage.plan.config.task.at(task).is_text();
  return is_of_words ? language_model_subject(stage, compute, dtype)
                     : classifier_subject(stage, compute, dtype);
}

}  // namespace

StageResult run_landscape(StageContext& stage) {
  reset_peak_memory();
  const Config& config = stage.plan.config;
  Compute compute(config.device, config.threads, config.tf32);
  const ComputeDType dtype = compute_dtype(compute.backend(), config.dtype);
  stage.remark(dtype.remark);
  const LandscapeSubject subject = subject_of(stage, compute, dtype);
  LandscapePieces pieces(config, stage.stage.seed, compute, subject);
  const double centre = subject.score();
  FinishedPieces finished(stage.checkpoint_folder());
  finish(stage, pieces.all(), finished);
  const std::int64_t count = element_count(subject.moved);
  write_file_atomically(
      stage.folder / "landscape.csv",
      header + finished.rows() + fmt::format("chance,0,,,{}\n", subject.chance) +
          fmt::format("norm,0,{:.9g},,{}\n", pieces.norm(), centre) +
          fmt::format("centre,0,{},{:.9g},{}\n", count, pieces.distance(), centre));
  StageResult result;
  result.metrics = {{"score", centre},
                    {"moved_parameters", static_cast<double>(count)},
                    {"distance", pieces.distance()}};
  result.peak_mib = compute.peak_memory_mib();
  return result;
}

}  // namespace basis
