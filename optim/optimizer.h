#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "autograd/gradient_run.h"
#include "nn/parameter.h"
#include "optim/perturbation.h"
#include "optim/row_table.h"

namespace basis {

struct OptimizerOptions {
  enum class Kind : std::uint8_t { AdamW, Sgd };
  Kind kind = Kind::AdamW;
  AdamWConstants adamw;
  SgdConstants sgd;
  double weight_decay = 0.01;       // decoupled in AdamW, added to the gradient in SGD
  double adapter_weight_decay = 0;  // the same for factors of adapters
  double clip_norm = 1;             // of the global gradient norm; 0: no clipping
  PerturbationOptions perturbation;
};

/// A parameter and the root mean square of its values.
struct ParameterSize {
  std::string name;
  double root_mean_square = 0;
};

/// AdamW (arXiv 1711.05101) and SGD with PyTorch's semantics, over flat memory: values and
/// moments of all trained parameters are slices of one buffer each, in order of creation; gradients
/// come and go with a step, by runs of neighbours (GradientRun). A
/// table that is read by rows stands apart (RowTable), except under SGD with momentum, where a row
/// without gradients gets momentum from its decay.
class Optimizer {
 public:
  /// Moves the parameters' values into the flat buffer and gives each its place among gradients.
  /// `group_of` names the learning rate, an index into StepState::learning_rate. The parameters
  /// must outlive the optimiser.
  Optimizer(Backend&, Allocator&, std::vector<Parameter*> parameters,
            const std::function<int(const Parameter&)>& group_of, const OptimizerOptions&);

  /// How often a step takes its gradients: twice under SAM.
  int passes() const;
  /// Before the passes of a step, each over all of its micro-batches: moves values to where this
  /// one's gradients are taken. Before the second, those of the first say whither and are
  /// forgotten.
  void begin_pass(int pass, const StepState* state);
  /// After the last of them, also where it breaks off: every value has its own bits again.
  void put_back();

  /// A step's end, also where it breaks off: no gradient is written any more, and their memory goes
  /// back to the arena.
  void forget_gradients();
  /// The bias corrections of step `state.step`; learning rates are the caller's.
  void set_bias_corrections(StepState& state) const;
  /// Norm, clip factor and update. A parameter without a gradient in this step is left out of all
  /// three. `state` is in the backend's memory. A gradient that is not finite changes nothing and
  /// sets state->skip_update.
  void step(StepState* state);

  /// After a step that was skipped: the parameter whose gradient is not finite.
  std::string parameter_not_finite() const;
  /// The parameter whose values are not finite, else the one with the largest: what a loss that is
  /// not finite most likely comes from.
  ParameterSize largest_parameter() const;

  const std::vector<Parameter*>& parameters() const { return parameters_; }
  /// All that a checkpoint must hold, by name: flat "values", "moment1", "moment2", and those of
  /// tables behind their names.
  std::vector<std::pair<std::string, Tensor>> state() const;
  /// Takes it back from a file. Throws Error, naming the tensor, for one of another training; what
  /// was trained is then lost.
  void load(const SafeTensors& file);

 private:
  /// A parameter's place in the flat buffers, or its table.
  struct Slice {
    std::int64_t begin = 0, end = 0;  // end rounded up to the next slice
    int group = 0;
    double weight_decay = 0;
    std::unique_ptr<RowTable> table = nullptr;
  };
  void make_slices(Allocator& allocator, const std::function<int(const Parameter&)>& group_of);
  void make_runs(DType dtype);
  Tensor flat(Allocator& allocator, DType dtype) const;
  std::vector<std::pair<std::string, Tensor>> flat_state() const;
  bool is_written(std::size_t i) const { return parameters_[i]->gradient().is_written; }
  std::vector<OptimizerRange> written_ranges() const;
  std::vector<ConstMatrixView> written_gradients(const std::vector<OptimizerRange>& ranges) const;
  void make_moved_parts();
  void move_aside();
  void move_along_gradients();
  void touch_all();
  Tensor gradient_of(std::size_t i) const;
  double squared_norm_of(const Tensor& tensor) const;

  Backend& backend_;
  OptimizerOptions options_;
  std::vector<Parameter*> parameters_;
  std::vector<Slice> slices_;
  std::int64_t size_ = 0;
  std::deque<GradientRun> runs_;
  Tensor values_, moment1_, moment2_;
  Tensor squared_sum_;  // (1, 1) f64
  std::unique_ptr<Perturbation> perturbation_;
  std::vector<MovedPart> moved_parts_;  // of all parameters, where noise moves them
  bool is_moved_ = false;
};

}  // namespace basis
