#pragma once

#include <deque>
#include <vector>

#include "tests/tensor/elements.h"

namespace basis {

/// f64 copies of views, so that a fused kernel's default body rounds nothing but its results.
class WideCopies {
 public:
  /// The copy of a view; the same for views of the same memory. Absent stays absent.
  MatrixView of(ConstMatrixView view) {
    if (view.is_absent()) return {};
    for (const Copy& copy : copies_) {
      if (copy.original.data == view.data) return copy.wide();
    }
    copies_.push_back({view, std::vector<double>(static_cast<std::size_t>(view.element_count()))});
    const MatrixView wide = copies_.back().wide();
    for (std::int64_t i = 0; i < view.rows; ++i) {
      for (std::int64_t j = 0; j < view.columns; ++j) set_element(wide, i, j, element(view, i, j));
    }
    return wide;
  }

  /// Writes the copy of `view` back, rounded once.
  void finish(MatrixView view) {
    if (view.is_absent()) return;
    const MatrixView wide = of(view);
    for (std::int64_t i = 0; i < view.rows; ++i) {
      for (std::int64_t j = 0; j < view.columns; ++j) set_element(view, i, j, element(wide, i, j));
    }
  }

 private:
  struct Copy {
    ConstMatrixView original;
    std::vector<double> elements;

    MatrixView wide() const {
      return {const_cast<double*>(elements.data()), DType::F64, original.rows, original.columns,
              original.columns};
    }
  };
  std::deque<Copy> copies_;  // addresses stay
};

}  // namespace basis
