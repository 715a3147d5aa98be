#pragma once

#include <vector>

#include "nn/activation_slot.h"
#include "nn/bert.h"

namespace basis {

/// A multilayer perceptron on the pixels of an image, in place of a transformer: h = f(W h + b),
/// layer by layer, from all pixels at once; without layers h is the pixels themselves. Its
/// parameters are "layers.0.weight", (H, pixels) with a patch's pixels behind each other, and so
/// on. Rows are few: it computes in the dtype of sums (Context::exact).
class Perceptron {
 public:
  struct Layer {
    Linear linear;
    ActivationSlot activation;
  };

  Perceptron(ModelBuilder& builder, const BertConfig& config);

  /// The last layer's output.   returns (B, H)
  /// Throws Error for text, patches of another size and images of another number of them.
  Variable hidden(Context&, const BertInputs&) const;

  std::vector<Layer>& layers() { return layers_; }

 private:
  BertConfig config_;
  std::vector<Layer> layers_;
};

}  // namespace basis
