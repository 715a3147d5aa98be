#pragma once

#include <functional>
#include <string>
#include <vector>

#include "nn/parameter.h"

namespace basis {

struct OptimizerOptions {
  enum class Kind : std::uint8_t { AdamW, Sgd };
  Kind kind = Kind::AdamW;
  AdamWConstants adamw;
  SgdConstants sgd;
  double weight_decay = 0.01;       // decoupled in AdamW, added to the gradient in SGD
  double adapter_weight_decay = 0;  // the same for factors of adapters
  double clip_norm = 1;             // of the global gradient norm; 0: no clipping
};

/// A parameter and the root mean square of its values.
struct ParameterSize {
  std::string name;
  double root_mean_square = 0;
};

/// AdamW (arXiv 1711.05101) and SGD with PyTorch's semantics, over flat memory: values, gradients
/// and moments of all trained parameters are slices of one buffer each, in order of creation.
class Optimizer {
 public:
  /// Moves the parameters' values into the flat buffer and gives each its slice of gradients.
  /// `group_of` names the learning rate, an index into StepState::learning_rate.
  Optimizer(Backend&, Allocator&, std::vector<Parameter*> parameters,
            const std::function<int(const Parameter&)>& group_of, const OptimizerOptions&);

  /// Before the first micro-batch of a step: no gradient is written yet.
  void begin_step();
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
  /// Flat state by name ("values", "moment1", "moment2"), for checkpoints: read and written in
  /// place.
  std::vector<std::pair<std::string, Tensor>> state() const;
  /// After state() was overwritten: prepared weights are stale.
  void state_was_loaded();

 private:
  struct Slice {
    std::int64_t begin, end;  // in the flat buffers, end rounded up to the next slice
    int group;
    double weight_decay;
  };
  Tensor flat(Allocator& allocator) const;
  std::vector<OptimizerRange> written_ranges() const;
  /// The sum of squares of a slice of one of the flat buffers.
  double squared_norm_of(const Tensor& buffer, const Slice& slice) const;

  Backend& backend_;
  OptimizerOptions options_;
  std::vector<Parameter*> parameters_;
  std::vector<Slice> slices_;
  std::int64_t size_ = 0;
  Tensor values_, gradients_, moment1_, moment2_;
  Tensor squared_sum_;  // (1, 1) f64
};

}  // namespace basis
