// What an Optimizer does where gradients are taken beside its values (optim/perturbation.h).
#include "optim/optimizer.h"

namespace basis {

int Optimizer::passes() const {
  return perturbation_->kind() == PerturbationOptions::Kind::Sam ? 2 : 1;
}

void Optimizer::begin_pass(int pass, const StepState* state) {
  using Kind = PerturbationOptions::Kind;
  if (perturbation_->kind() == Kind::Go) {
    move_aside();
    perturbation_->add_noise(moved_parts_, state);
  } else if (perturbation_->kind() == Kind::Sam && pass == 1) {
    move_along_gradients();
    forget_gradients();
  }
}

void Optimizer::move_aside() {
  perturbation_->keep();
  for (const Slice& slice : slices_) {
    if (slice.table != nullptr) slice.table->move_aside();
  }
  is_moved_ = true;
  touch_all();
}

void Optimizer::put_back() {
  if (!is_moved_) return;
  perturbation_->put_back();
  for (const Slice& slice : slices_) {
    if (slice.table != nullptr) slice.table->put_back();
  }
  is_moved_ = false;
  touch_all();
}

void Optimizer::touch_all() {
  for (Parameter* parameter : parameters_) parameter->touch();
}

/// A parameter's noise is its name's, whatever else is trained.
void Optimizer::make_moved_parts() {
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    const Parameter& parameter = *parameters_[i];
    const Slice& slice = slices_[i];
    MovedPart part{{}, parameter.count() - parameter.padding(), hash_of_name(parameter.name())};
    part.values = slice.table != nullptr
                      ? slice.table->value().reshape({1, parameter.count()}).view()
                      : values_.columns(slice.begin, slice.begin + parameter.count());
    moved_parts_.push_back(part);
  }
}

/// Parameters without a gradient stay, as do rows without one.
void Optimizer::move_along_gradients() {
  const std::vector<OptimizerRange> ranges = written_ranges();
  const std::vector<ConstMatrixView> gradients = written_gradients(ranges);
  if (gradients.empty()) return;
  perturbation_->measure(gradients);
  move_aside();
  for (const OptimizerRange& range : ranges) {
    perturbation_->add_gradient(range.gradient, {}, range.value);
  }
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    if (slices_[i].table == nullptr || !is_written(i)) continue;
    RowTable& table = *slices_[i].table;
    perturbation_->add_gradient(table.gradient().view(), table.rows_with_gradient().view(),
                                table.value().view());
  }
}

}  // namespace basis
