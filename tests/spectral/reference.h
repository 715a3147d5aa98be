#pragma once

#include <string>
#include <vector>

#include "spectral/matrix.h"
#include "tensor/safetensors.h"
#include "tests/spectral/matrices.h"

namespace basis {

/// What NumPy computed for one case of spectral_make.py.
class Reference {
 public:
  explicit Reference(std::string name)
      : name_(std::move(name)),
        file_(SafeTensors::open(BASIS_TEST_FILES "/spectral_reference.safetensors")) {}

  Matrix matrix(const std::string& quantity) const {
    return to_matrix(file_.tensor(name_ + "." + quantity).view());
  }
  std::vector<double> values(const std::string& quantity) const {
    return matrix(quantity).elements();
  }

 private:
  std::string name_;
  SafeTensors file_;
};

inline const std::vector<std::string>& reference_cases() {
  static const std::vector<std::string> cases = {"square", "wide", "tall", "row", "column"};
  return cases;
}

}  // namespace basis
