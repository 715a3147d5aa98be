// not installed
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "spectral/adapter_method.h"

namespace basis {

/// An adapter as the LoRA of the same ΔW: what PEFT can load of a method that it lacks.
struct EqualLora {
  AdapterMethod method;  // Lora, of rank and alpha as below
  std::vector<std::pair<std::string, Tensor>>
      tensors;  // lora_A, lora_B, then the head, on the host
};

/// Σ s · F₁ ⋯ Fₙ of every slot as s · B A: A has the last factor of every term, one below the
/// other, B the product of the others side by side, in f64. PiSSA's is [B, -B₀][A; A₀], of rank 2 r
/// and with α doubled; a core's B is U_k R. `method` is what is attached; all its terms end dense.
EqualLora equal_lora(const SequenceClassifier& model, const AdapterMethod& method);

}  // namespace basis
