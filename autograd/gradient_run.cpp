#include "autograd/gradient_run.h"

#include "autograd/context.h"

namespace basis {

GradientRun::~GradientRun() {
  for (const Slice& slice : slices_) *slice.gradient = {};
}

void GradientRun::add(Gradient& gradient, const Shape& shape, std::int64_t size) {
  ensure(shape.element_count() <= size, "a gradient fits its place");
  gradient = {};
  gradient.run = this;
  slices_.push_back({&gradient, shape, size_, size_ + size});
  size_ += size;
}

void GradientRun::allocate(const Context& context) {
  const Tensor flat = context.allocate({1, size_}, dtype_);
  for (const Slice& slice : slices_) {
    const std::int64_t filled = slice.begin + slice.shape.element_count();
    slice.gradient->tensor = flat.reshape({size_}).rows(slice.begin, filled).reshape(slice.shape);
    if (filled < slice.end) context.backend.fill(0, flat.columns(filled, slice.end));
  }
}

void GradientRun::forget() {
  for (const Slice& slice : slices_) {
    slice.gradient->tensor = Tensor();
    slice.gradient->is_written = false;
  }
}

}  // namespace basis
