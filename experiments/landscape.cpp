#include "experiments/landscape.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "autograd/losses.h"
#include "autograd/tape.h"
#include "data/batch.h"
#include "data/metrics.h"
#include "experiments/compute.h"
#include "experiments/contains.h"
#include "experiments/model_folder.h"
#include "experiments/row_encoder.h"
#include "experiments/stage_model.h"
#include "experiments/start_weights.h"
#include "experiments/task_data.h"
#include "experiments/task_scores.h"
#include "experiments/trainer.h"
#include "spectral/adapter_file.h"
#include "spectral/landscape.h"
#include "spectral/matrix_parallel.h"
#include "spectral/matrix_transfer.h"
#include "tensor/file.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

constexpr const char* header = "kind,place,alpha,beta,score\n";
constexpr double path_shares[] = {0.25, 0.5, 0.75, 1};
constexpr std::int64_t plane_points = 15;  // a side

/// Rows of finished pieces, a piece a kind and a place; written after each.
class Pieces {
 public:
  explicit Pieces(const std::filesystem::path& folder) : path_(folder / "landscape.csv") {
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

  static std::string name(const std::string& kind, std::int64_t place) {
    return fmt::format("{},{}", kind, place);
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

class Landscape {
 public:
  explicit Landscape(StageContext& stage)
      : stage_(stage),
        config_(stage.plan.config),
        settings_(config_.landscape),
        compute_(config_.device, config_.threads, config_.tf32),
        dtype_(compute_dtype(compute_.backend(), config_.dtype)),
        pieces_(stage.checkpoint_folder()) {
    stage_.remark(dtype_.remark);
    load_rows();
    load_model();
  }

  StageResult run() {
    const double centre = score();
    plan();
    for (std::size_t i = 0; i < todo_.size(); ++i) {
      todo_[i]();
      if (stage_.report_progress) {
        stage_.report_progress({static_cast<std::int64_t>(i + 1),
                                static_cast<std::int64_t>(todo_.size()), std::nan(""), 0});
      }
      if (stage_.should_stop()) throw Cancelled("stopped between two directions");
    }
    write_file_atomically(
        stage_.folder / "landscape.csv",
        header + pieces_.rows() +
            fmt::format("chance,0,,,{}\n", accuracy(majority_answers(data_.dev, data_.task))) +
            fmt::format("norm,0,{:.9g},,{}\n", norm(), centre) +
            fmt::format("centre,0,{},{:.9g},{}\n", element_count(moved_), distance_, centre));
    StageResult result;
    result.metrics = {{"score", centre},
                      {"moved_parameters", static_cast<double>(element_count(moved_))},
                      {"distance", distance_}};
    result.peak_mib = compute_.peak_memory_mib();
    return result;
  }

 private:
  void load_rows() {
    const TrainSettings train = config_.train_for(stage_.stage.task, stage_.stage.method);
    data_ = load_task(config_, stage_.stage.task, train, *stage_.data);
    if (data_.task.is_regression) {
      throw Error(fmt::format("{} is a regression: a landscape is of a score of right and wrong",
                              stage_.stage.task));
    }
    const auto cut = [](std::vector<Example>& rows, std::int64_t most) {
      if (most > 0) rows.resize(std::min(rows.size(), static_cast<std::size_t>(most)));
    };
    cut(data_.dev, settings_.dev_rows);
    cut(data_.train, settings_.worst_rows);
    const RowEncoder encoder(start_model_folder(stage_), config_.task.at(stage_.stage.task),
                             train.max_length, stage_.cache);
    dev_ = encoder.encode(data_.dev, data_);
    train_ = encoder.encode(data_.train, data_);
  }

  void load_model() {
    const std::filesystem::path base = start_model_folder(stage_);
    const std::filesystem::path after = finetuned_folder(stage_.inputs.back());
    const bool is_adapter = after.filename() == "adapter";
    model_ = load_finetuned(compute_, stage_);
    const bool is_head_alone = config_.method.at(stage_.stage.method).kind == "head";
    for (const auto& parameter : model_->parameters().all()) {
      const bool is_head = parameter->role() == ParameterRole::Head;
      const bool is_trained = parameter->is_trainable() && (is_head_alone || !is_head);
      const bool is_read =
          model_->config().head == "pooler" || !parameter->name().starts_with("pooler.");
      if (is_read && (is_adapter ? is_trained : true)) moved_.push_back(parameter.get());
    }
    for (const auto& parameter : model_->parameters().all()) parameter->set_trainable(false);
    if (has_way()) find_start(base, after, is_adapter);
  }

  bool wants(const char* kind) const { return contains(settings_.kinds, kind); }
  bool has_way() const { return wants("sft-case") || wants("path") || wants("plane"); }

  /// The moved parameters as the fine-tuning began; the head, which is new then, stays.
  void find_start(const std::filesystem::path& base, const std::filesystem::path& after,
                  bool is_adapter) {
    const MethodSettings& method = config_.method.at(stage_.stage.method);
    const auto seed = static_cast<std::uint64_t>(stage_.stage.seed);
    std::unique_ptr<SequenceClassifier> start;
    if (is_adapter) {
      const AdapterMethod attached = read_adapter_info(after).method;
      start = load_bare_classifier(compute_, base, after);
      alter_start(compute_.backend(), compute_.memory(), *start, method, seed);
      attach(compute_.backend(), compute_.memory(), *start, attached);
    } else {
      start = load_classifier(compute_, base, std::nullopt, model_->outputs());
      alter_start(compute_.backend(), compute_.memory(), *start, method, seed);
    }
    std::vector<Tensor> values;
    for (const Parameter* parameter : moved_) {
      const bool is_head = parameter->role() == ParameterRole::Head;
      values.push_back(is_head ? parameter->value()
                               : start->parameters().at(parameter->name()).value());
    }
    way_ = difference_to(compute_.backend(), compute_.memory(), moved_, values);
    distance_ = norm_of(compute_.backend(), compute_.memory(), way_);
    if (distance_ == 0) {
      throw Error(
          fmt::format("{} moved nothing: there is no way to its start", stage_.stage.method));
    }
    scale(compute_.backend(), way_, 1 / length());
  }

  /// How far along `way_` its end is.
  double length() const {
    return distance_ / std::sqrt(static_cast<double>(element_count(moved_)));
  }

  /// The share of dev that is answered right.
  double score() {
    const std::vector<float> logits =
        classifier_outputs(compute_, *model_, dev_, dtype_.activations);
    return accuracy(answers_of(logits, data_.task));
  }
  double accuracy(const Answers& predicted) const {
    return basis::score(Metric::Accuracy, predicted, answers_of(data_.dev, data_.task));
  }

  /// ‖θ‖ of what is moved.
  double norm() {
    Direction values;
    for (const Parameter* parameter : moved_) values.push_back(parameter->value());
    return norm_of(compute_.backend(), compute_.memory(), values);
  }

  // ---- Pieces -----------------------------------------------------------------------------------

  void plan() {
    for (const char* kind : {"most-case", "most-case-scaled"}) {
      for (std::int64_t i = 0; wants(kind) && i < settings_.directions; ++i) add_slice(kind, i);
    }
    for (const char* kind : {"sft-case", "worst-case"}) {
      if (wants(kind)) add_slice(kind, 0);
    }
    if (wants("plane")) add_piece("plane", 0, [this] { return plane(); });
    for (const char* kind : {"noise", "noise-relative"}) {
      for (std::int64_t i = 0; wants(kind) && i < settings_.draws; ++i) {
        add_piece(kind, i, [this, kind, i] { return noise(kind, i); });
      }
    }
    for (const char* kind : {"noise-leading", "noise-trailing", "noise-random"}) {
      for (std::int64_t i = 0; wants(kind) && i < settings_.path_draws; ++i) {
        add_piece(kind, i, [this, kind, i] { return noise_in_directions(kind, i); });
      }
    }
    for (std::int64_t i = 0; wants("path") && i < settings_.path_draws; ++i) {
      add_piece("path", i, [this, i] { return path(i); });
    }
  }

  void add_piece(const std::string& kind, std::int64_t place,
                 const std::function<std::string()>& rows) {
    const std::string piece = Pieces::name(kind, place);
    todo_.push_back([this, piece, rows] {
      if (!pieces_.has(piece)) pieces_.add(piece, rows());
    });
  }
  void add_slice(const std::string& kind, std::int64_t place) {
    add_piece(kind, place, [this, kind, place] { return slice(kind, place); });
  }

  std::uint64_t seed() const { return static_cast<std::uint64_t>(stage_.stage.seed); }
  Direction gaussian(std::int64_t place) {
    return gaussian_direction(compute_.backend(), compute_.memory(), moved_, seed(),
                              static_cast<std::uint64_t>(place));
  }

  Direction direction_of(const std::string& kind, std::int64_t place) {
    if (kind == "sft-case") return way_;
    if (kind == "worst-case") {
      constexpr double alpha = 0.005, rate = 0.2;
      return worst_direction(
          compute_.backend(), compute_.memory(), moved_, [this] { return loss_gradient(); }, alpha,
          static_cast<int>(settings_.worst_steps), rate, seed());
    }
    Direction direction = gaussian(place);
    if (kind == "most-case-scaled") {
      scale_by_tensor(compute_.backend(), compute_.memory(), moved_, direction);
    }
    return direction;
  }

  /// METHODS 3: α in [-span, span) in equal steps.
  std::string slice(const std::string& kind, std::int64_t place) {
    const Direction direction = direction_of(kind, place);
    const double span = kind == "most-case-scaled" ? settings_.scaled_span : settings_.span;
    Displacement displacement(compute_.backend(), compute_.memory(), moved_);
    std::string rows;
    for (std::int64_t i = 0; i < settings_.points; ++i) {
      const double alpha =
          span * (2 * static_cast<double>(i) / static_cast<double>(settings_.points) - 1);
      displacement.move(alpha, direction);
      rows += fmt::format("{},{},{:.9g},,{}\n", kind, place, alpha, score());
    }
    return rows;
  }

  /// The way to the start, as far again behind it and twice as far the other way, and a Gaussian
  /// direction across it.
  std::string plane() {
    const Direction across = gaussian(0);
    Displacement displacement(compute_.backend(), compute_.memory(), moved_);
    std::string rows;
    constexpr double middle = (plane_points - 1) / 2.0;
    for (std::int64_t i = 0; i < plane_points; ++i) {
      for (std::int64_t j = 0; j < plane_points; ++j) {
        const double alpha = 2 * length() * (static_cast<double>(i) - middle) / middle;
        const double beta = settings_.span * (static_cast<double>(j) - middle) / middle;
        const Displacement::Move moves[] = {{alpha, &way_}, {beta, &across}};
        displacement.move(moves);
        rows += fmt::format("plane,0,{:.9g},{:.9g},{}\n", alpha, beta, score());
      }
    }
    return rows;
  }

  std::string noise(const std::string& kind, std::int64_t place) {
    const bool is_relative = kind == "noise-relative";
    Direction epsilon = gaussian(place);
    if (is_relative) {
      scale_by_root_mean_square(compute_.backend(), compute_.memory(), moved_, epsilon);
    }
    Displacement displacement(compute_.backend(), compute_.memory(), moved_);
    std::string rows;
    for (const double sigma : is_relative ? settings_.relative_sigmas : settings_.sigmas) {
      displacement.move(sigma, epsilon);
      rows += fmt::format("{},{},{:.9g},,{}\n", kind, place, sigma, score());
    }
    return rows;
  }

  /// Of every encoder matrix that is moved, in its leading, trailing or random directions; each
  /// gets noise of σ ‖W‖_F, all else none.
  std::string noise_in_directions(const std::string& kind, std::int64_t place) {
    const std::vector<Basis>& bases = bases_in(kind);
    Direction epsilon;
    for (std::size_t i = 0; i < moved_.size(); ++i) {
      Tensor tensor = Tensor::allocate(compute_.memory(), moved_[i]->shape(),
                                       moved_[i]->value().dtype(), compute_.backend().device());
      compute_.backend().fill(0, tensor.view());
      if (!bases[i].u.is_empty()) {
        const double norm = norm_of(compute_.backend(), compute_.memory(), {moved_[i]->value()});
        tensor = device_matrix(compute_.backend(), compute_.memory(),
                               noise_in_basis(bases[i], norm, seed(),
                                              static_cast<std::uint64_t>(place), moved_[i]->name()),
                               tensor.dtype());
      }
      epsilon.push_back(std::move(tensor));
    }
    Displacement displacement(compute_.backend(), compute_.memory(), moved_);
    std::string rows;
    for (const double sigma : settings_.relative_sigmas) {
      displacement.move(sigma, epsilon);
      rows += fmt::format("{},{},{:.9g},,{}\n", kind, place, sigma, score());
    }
    return rows;
  }

  /// A basis of every moved encoder matrix, empty ones of the rest; made when first asked for.
  const std::vector<Basis>& bases_in(const std::string& kind) {
    std::vector<Basis>& bases = bases_[kind];
    if (!bases.empty()) return bases;
    bases.resize(moved_.size());
    const BasisKind which = kind == "noise-leading"    ? BasisKind::Leading
                            : kind == "noise-trailing" ? BasisKind::Trailing
                                                       : BasisKind::Random;
    const std::vector<Parameter*> matrices = encoder_weights(*model_);
    std::vector<HostWeight> weights(moved_.size());
    for (std::size_t i = 0; i < moved_.size(); ++i) {
      if (!contains(matrices, moved_[i])) continue;
      weights[i] = {moved_[i]->name(), to_host(compute_.backend(), moved_[i]->value())};
    }
    for_each_on_threads(moved_.size(), static_cast<int>(config_.threads), [&](std::size_t i) {
      if (weights[i].name.empty()) return;
      const Shape& shape = weights[i].value.shape();
      const std::int64_t k = std::min({settings_.basis_rank, shape[0], shape[1]});
      bases[i] = basis_of_weight(weights[i], which, k, seed());
    });
    return bases;
  }

  std::string path(std::int64_t place) {
    const Direction epsilon = gaussian(place);
    Displacement displacement(compute_.backend(), compute_.memory(), moved_);
    std::string rows;
    for (const double share : path_shares) {
      for (const double sigma : settings_.sigmas) {
        const Displacement::Move moves[] = {{share * length(), &way_}, {sigma, &epsilon}};
        displacement.move(moves);
        rows += fmt::format("path,{},{},{:.9g},{}\n", place, share, sigma, score());
      }
    }
    return rows;
  }

  /// Of the mean cross-entropy of some training rows, where the parameters stand.
  Direction loss_gradient() {
    std::vector<std::int32_t> all(data_.train.size());
    std::iota(all.begin(), all.end(), 0);
    const Batch batch =
        make_batch(compute_.backend(), compute_.memory(), train_, all, 0, dtype_.activations);
    for (Parameter* parameter : moved_) parameter->set_trainable(true);
    Direction gradients;
    {
      Tape tape;
      Context context{compute_.backend(), compute_.arena(), &tape, false, nullptr,
                      dtype_.activations};
      const Variable loss =
          cross_entropy(context, model_->logits(context, inputs_of(batch)), batch.labels,
                        1.0 / static_cast<double>(batch.loss_count));
      tape.backward(context, loss);
      for (Parameter* parameter : moved_) {
        gradients.push_back(kept_gradient(*parameter));
        parameter->gradient() = Gradient{};
      }
    }
    for (Parameter* parameter : moved_) parameter->set_trainable(false);
    return gradients;
  }

  /// Out of the step's memory; zeros where the loss does not read the parameter.
  Tensor kept_gradient(Parameter& parameter) {
    Backend& backend = compute_.backend();
    const Tensor kept = Tensor::allocate(compute_.memory(), parameter.shape(),
                                         parameter.value().dtype(), backend.device());
    if (parameter.gradient().is_written) {
      backend.convert(parameter.gradient().tensor.view(), kept.view());
    } else {
      backend.fill(0, kept.view());
    }
    return kept;
  }

  StageContext& stage_;
  const Config& config_;
  const LandscapeSettings& settings_;
  Compute compute_;
  ComputeDType dtype_;
  Pieces pieces_;
  TaskData data_;
  EncodedDataset dev_, train_;
  std::unique_ptr<SequenceClassifier> model_;
  ParameterList moved_;
  std::map<std::string, std::vector<Basis>> bases_;  // by kind of noise
  Direction way_;        // to the start, of norm √n; empty where no kind wants it
  double distance_ = 0;  // ‖start - θ‖
  std::vector<std::function<void()>> todo_;
};

}  // namespace

StageResult run_landscape(StageContext& stage) {
  reset_peak_memory();
  return Landscape(stage).run();
}

}  // namespace basis
