#include "nn/pixel_attack.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "autograd/losses.h"
#include "autograd/tape.h"
#include "tensor/error.h"
#include "tensor/philox.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

void check_size(const char* what, double size) {
  if (size >= 0 && std::isfinite(size)) return;
  throw Error(fmt::format("{}: {} asked, expected a finite size of 0 or more", what, size));
}

void check_images(const LabelledImages& images, const PixelScale& scale) {
  const auto count = images.inputs.layout.sequences();
  if (images.inputs.patches.is_absent()) {
    throw Error("changed pixels: the batch is text, expected patches of images");
  }
  if (std::ssize(images.examples) != count) {
    throw Error(fmt::format("changed pixels: {} examples for {} images, expected one each",
                            images.examples.size(), count));
  }
  if (!(scale.deviation > 0) || !std::isfinite(scale.deviation) || !std::isfinite(scale.mean)) {
    throw Error(fmt::format("changed pixels: a scale of mean {} and deviation {}", scale.mean,
                            scale.deviation));
  }
}

void check_stands_still(const SequenceClassifier& model) {
  for (const auto& parameter : model.parameters().all()) {
    if (!parameter->is_trainable()) continue;
    throw Error(fmt::format(
        "pixel attack: {} may train: set_trainable(false) on every parameter, or the attack's "
        "gradients stay there",
        parameter->name()));
  }
}

/// Patches on the host and where each pixel may go. An image that is given lies within, whatever
/// rounding says.
template <class T>
struct Pixels {
  std::vector<T> values, low, high;

  void put(std::size_t i, T value) { values[i] = std::clamp(value, low[i], high[i]); }
};

/// `radius`: of the ball, in the model's units.
template <class T>
Pixels<T> pixels_of(Backend& backend, const Tensor& patches, const PixelScale& scale, T radius) {
  const auto black = static_cast<T>((0 - scale.mean) / scale.deviation),
             white = static_cast<T>((1 - scale.mean) / scale.deviation);
  Pixels<T> pixels;
  pixels.values = to_host<T>(backend, patches);
  for (const T x : pixels.values) {
    pixels.low.push_back(std::min(x, std::max(x - radius, black)));
    pixels.high.push_back(std::max(x, std::min(x + radius, white)));
  }
  return pixels;
}

/// Adds draw(stream) to every pixel; an image has a stream of its own.
template <class T, class Draw>
void add_drawn(Pixels<T>& pixels, const LabelledImages& images, std::uint64_t seed,
               const char* purpose, Draw draw) {
  const auto offsets = images.inputs.layout.host_offsets();
  const std::int64_t width = images.inputs.patches.shape().column_count();
  for (std::size_t image = 0; image < images.examples.size(); ++image) {
    const auto example = static_cast<std::uint64_t>(images.examples[image]);
    RandomStream stream(seed, hash_of_name(purpose, example));
    const auto end = static_cast<std::size_t>(offsets[image + 1] * width);
    for (auto i = static_cast<std::size_t>(offsets[image] * width); i < end; ++i) {
      pixels.put(i, pixels.values[i] + static_cast<T>(draw(stream)));
    }
  }
}

/// Of the cross-entropy, summed over the images: an image's is its own.
template <class T>
std::vector<T> pixel_gradient(const Context& context, const SequenceClassifier& model,
                              const LabelledImages& images, const Tensor& patches) {
  Gradient gradient;
  BertInputs inputs = images.inputs;
  inputs.patches = Variable{patches, &gradient};
  Tape tape;
  Context recording = context;
  recording.tape = &tape;
  const Variable loss = cross_entropy(recording, model.logits(recording, inputs), images.labels, 1);
  tape.backward(recording, loss);
  return to_host<T>(context.backend, gradient.tensor);
}

template <class T>
Tensor attacked(const Context& context, Allocator& memory, const SequenceClassifier& model,
                const LabelledImages& images, const PixelScale& scale, const PixelAttack& attack) {
  const Tensor& clean = images.inputs.patches.value;
  const auto radius = static_cast<T>(attack.epsilon / scale.deviation),
             step = static_cast<T>(attack.step / scale.deviation);
  Pixels<T> pixels = pixels_of<T>(context.backend, clean, scale, radius);
  add_drawn(pixels, images, attack.seed, "pixel attack",
            [&](RandomStream& stream) { return radius * (2 * stream.uniform() - 1); });
  const Tensor patches = to_device<T>(context.backend, memory, pixels.values, clean.shape());
  const std::int64_t count = images.inputs.layout.tokens() * clean.shape().column_count();
  for (std::int64_t i = 0; i < attack.steps; ++i) {
    const std::vector<T> gradient = pixel_gradient<T>(context, model, images, patches);
    for (std::size_t j = 0; j < static_cast<std::size_t>(count); ++j) {
      const T slope = gradient[j];
      if (!std::isfinite(slope)) {
        throw Error(fmt::format("pixel attack: a pixel's gradient is not finite in step {}", i));
      }
      const T sign = static_cast<T>((slope > 0) - (slope < 0));
      pixels.put(j, pixels.values[j] + step * sign);
    }
    copy_to_device<T>(context.backend, pixels.values, patches);
  }
  return patches;
}

template <class T>
Tensor noisy(const Context& context, Allocator& memory, const LabelledImages& images,
             const PixelScale& scale, double deviation, std::uint64_t seed) {
  const Tensor& clean = images.inputs.patches.value;
  // No ball: as far as the whole range.
  Pixels<T> pixels =
      pixels_of<T>(context.backend, clean, scale, static_cast<T>(1 / scale.deviation));
  add_drawn(pixels, images, seed, "pixel noise",
            [&](RandomStream& stream) { return deviation / scale.deviation * stream.normal(); });
  return to_device<T>(context.backend, memory, pixels.values, clean.shape());
}

}  // namespace

Tensor attacked_patches(const Context& context, Allocator& memory, const SequenceClassifier& model,
                        const LabelledImages& images, const PixelScale& scale,
                        const PixelAttack& attack) {
  check_images(images, scale);
  check_size("pixel attack, epsilon", attack.epsilon);
  check_size("pixel attack, step", attack.step);
  check_stands_still(model);
  return images.inputs.patches.value.dtype() == DType::F64
             ? attacked<double>(context, memory, model, images, scale, attack)
             : attacked<float>(context, memory, model, images, scale, attack);
}

Tensor noisy_patches(const Context& context, Allocator& memory, const LabelledImages& images,
                     const PixelScale& scale, double deviation, std::uint64_t seed) {
  check_images(images, scale);
  check_size("pixel noise, deviation", deviation);
  return images.inputs.patches.value.dtype() == DType::F64
             ? noisy<double>(context, memory, images, scale, deviation, seed)
             : noisy<float>(context, memory, images, scale, deviation, seed);
}

}  // namespace basis
