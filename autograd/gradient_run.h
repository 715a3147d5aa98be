#pragma once

#include <vector>

#include "autograd/variable.h"

namespace basis {

struct Context;

/// The gradients of parameters that are neighbours in the optimiser's memory: neighbours too, so
/// that one product writes several of them and one update reads them all. The step's arena gives
/// the memory at the first write, when backward has freed most of what forward kept, and gets it
/// back after the update: a step never holds all activations and all gradients at once.
class GradientRun {
 public:
  explicit GradientRun(DType dtype) : dtype_(dtype) {}
  /// The gradients are then nobody's.
  ~GradientRun();
  GradientRun(const GradientRun&) = delete;
  GradientRun& operator=(const GradientRun&) = delete;

  /// The next `size` elements are the gradient of a parameter of that shape and zeros behind it.
  void add(Gradient& gradient, const Shape& shape, std::int64_t size);

  /// Memory for all, one behind the other; none is written.
  void allocate(const Context& context);
  /// Nothing is written any more, and nothing kept.
  void forget();

 private:
  struct Slice {
    Gradient* gradient;
    Shape shape;
    std::int64_t begin, end;
  };
  DType dtype_;
  std::int64_t size_ = 0;
  std::vector<Slice> slices_;
};

}  // namespace basis
