#pragma once

#include <cstdint>
#include <span>

#include "nn/sequence_classifier.h"

namespace basis {

// Images that are changed to mislead a classifier. All sizes are in units of the pixels' range,
// where black is 0 and white is 1, however the model's input is normalised.

/// How a brightness of 0 to 1 enters a model: (brightness - mean) / deviation.
struct PixelScale {
  double mean = 0;
  double deviation = 1;
};

/// A batch of images with what they show.
struct LabelledImages {
  const BertInputs& inputs;                // of patches, f32 or f64
  Tensor labels;                           // (B) i32
  std::span<const std::int32_t> examples;  // (B): rows of the set, by which numbers are drawn
};

/// Projected gradient ascent on the cross-entropy in the pixels within an l-infinity ball (Madry et
/// al., arXiv 1706.06083, section 2.1): from x + U(-epsilon, epsilon), `steps` times
/// x' <- clip(x' + step · sign(gradient)) to the ball about x and to the pixels' range.
struct PixelAttack {
  double epsilon = 0;
  double step = 0;
  std::int64_t steps = 20;
  std::uint64_t seed = 0;
};

/// The patches after the attack's last step, (rows, pixels of a patch) in `memory`, of the dtype of
/// those that are given, within the ball up to rounding; rows beyond T stay as they are. Where an
/// image starts depends on the seed and its example alone, not on the batch.
/// Throws Error where a parameter may train (its gradient would be left behind), for sizes that are
/// negative or not finite, without an example for each image, and where a gradient is not finite.
Tensor attacked_patches(const Context&, Allocator& memory, const SequenceClassifier&,
                        const LabelledImages&, const PixelScale&, const PixelAttack&);

/// The patches with Gaussian noise of standard deviation `deviation` on every pixel, clipped to the
/// pixels' range; drawn, returned and refused likewise.
Tensor noisy_patches(const Context&, Allocator& memory, const LabelledImages&, const PixelScale&,
                     double deviation, std::uint64_t seed);

}  // namespace basis
