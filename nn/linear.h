#pragma once

#include <functional>
#include <memory>
#include <span>

#include "nn/adapter.h"
#include "nn/parameter.h"

namespace basis {

/// Sees a layer's input in every forward: x (rows, in), of which the first `tokens` rows are real.
using InputObserver = std::function<void(const Tensor& x, std::int64_t tokens)>;

/// y = x Wᵀ + b, with one slot for an adapter on W.
class Linear {
 public:
  Linear() = default;
  /// weight: (out, in)   bias: (out) or null
  Linear(Parameter& weight, Parameter* bias) : weight_(&weight), bias_(bias) {}

  /// x: (T, in), returns (T, out). `sequences` places the rows for an adapter's dropout.
  Variable forward(Context&, const Variable& x, const SequenceView& sequences) const;
  /// x Wᵀ with the adapter's part, for who adds b in a pass of its own.
  Variable forward_without_bias(Context&, const Variable& x, const SequenceView& sequences) const;
  /// The b of forward_without_bias, absent where there is none.
  Variable bias_variable(Context&) const;

  Parameter& weight() const { return *weight_; }
  Parameter* bias() const { return bias_; }
  std::int64_t outputs() const { return weight_->shape()[0]; }
  std::int64_t inputs() const { return weight_->shape()[1]; }

  const Adapter* adapter() const { return adapter_.get(); }
  std::shared_ptr<const Adapter> shared_adapter() const { return adapter_; }
  /// Fills or (null) empties the slot. What trains is set by who attaches.
  void set_adapter(std::shared_ptr<const Adapter> adapter) { adapter_ = std::move(adapter); }
  const InputObserver& observer() const { return observer_; }
  /// For analyses; null: nobody looks.
  void set_observer(InputObserver observer) { observer_ = std::move(observer); }

 private:
  Parameter* weight_ = nullptr;
  Parameter* bias_ = nullptr;
  std::shared_ptr<const Adapter> adapter_;
  InputObserver observer_;
};

/// Layers of one input side by side: [x W₀ᵀ + b₀ | x W₁ᵀ + b₁ | …].
///   x: (T, in)   returns (T, sum of out)
Variable forward_side_by_side(Context&, std::span<const Linear* const> layers, const Variable& x,
                              const SequenceView& sequences);

}  // namespace basis
