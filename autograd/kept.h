#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "autograd/context.h"

namespace basis {

/// A value that its operation makes again in backward, when it is replayed, so that nobody keeps it
/// from forward to backward: an activation's output from its input, a layer norm's from the
/// normalised rows. What needs the value until then waits for it.
class Remade {
 public:
  using Use = std::function<void(Context&, const Tensor& value)>;

  std::int64_t node = Gradient::leaf;  // place on the tape of the operation

  void wait(Use use) { uses_.push_back(std::move(use)); }
  bool is_awaited() const { return !uses_.empty(); }
  /// Runs all that waits, in order, and forgets it.
  void serve(Context& context, const Tensor& value) {
    for (const Use& use : std::exchange(uses_, {})) use(context, value);
  }

 private:
  std::vector<Use> uses_;
};

/// What an operation keeps of an input for the gradient of `target`: nothing where that is not
/// wanted; nothing but a place to wait where the input will be remade in time; else its value.
class Kept {
 public:
  Kept() = default;
  /// `target` is in time when it is complete later than `x` is remade: a parameter's is, or that of
  /// a value made before x.
  Kept(const Variable& x, const Gradient* target) {
    if (target == nullptr) return;
    if (x.remade != nullptr && target->node < x.remade->node) {
      remade_ = x.remade;
    } else {
      value_ = x.value;
    }
  }

  /// use(context, value), now or when the value has been remade.
  template <class Use>
  void with(Context& context, Use use) const {
    if (remade_ != nullptr) {
      remade_->wait(std::move(use));
    } else {
      use(context, value_);
    }
  }

 private:
  Tensor value_;
  std::shared_ptr<Remade> remade_;
};

}  // namespace basis
