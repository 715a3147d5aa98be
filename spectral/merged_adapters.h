#pragma once

#include <vector>

#include "nn/sequence_classifier.h"

namespace basis {

/// Adapters folded into their weights, with the originals kept: unmerging puts those back, never a
/// subtraction.
class MergedAdapters {
 public:
  /// Of Curvature Tuning, which no weight can hold: refuse it, or leave it in the activations, for
  /// who looks at weights alone.
  enum class Activations : std::uint8_t { Refuse, Leave };

  /// W <- W + Σ s F₁ ⋯ Fₙ for every filled slot, with its scale on W's rows or columns, and on b
  /// where it scales that; the slots are emptied. Throws Error as refuse_curvature does.
  MergedAdapters(Backend&, Allocator&, SequenceClassifier& model,
                 Activations activations = Activations::Refuse);
  MergedAdapters(const MergedAdapters&) = delete;
  MergedAdapters& operator=(const MergedAdapters&) = delete;

  /// Puts the original weights and the adapters back.
  void unmerge();

 private:
  struct Original {
    Linear* linear;
    Tensor weight;
    Tensor bias;  // empty where it stays as it is
    std::shared_ptr<const Adapter> adapter;
  };
  std::vector<Original> originals_;
};

}  // namespace basis
