// not installed
#pragma once

#include <cstdint>
#include <string>

#include "spectral/adapter_method.h"
#include "tensor/json_keys.h"

namespace basis {

/// adapter_config.json of Hugging Face PEFT (0.21) and our methods: LORA is Lora, RsLora, Dora or
/// Pissa, VERA is Vera, IA3 is Ia3.

/// Our word for the head, in PEFT's config where it is not transformers' pooler.
inline constexpr const char* peft_head_key = "basis_head";

/// The method that a config describes, its targets those of the first layer. Throws Error with the
/// path and the key for what would make another sum than that method's: another peft_type, ranks or
/// alphas by pattern, trained biases, starts that change the base weights other than PiSSA's, an
/// IA3 that scales inputs where ours scales outputs (scales_input) or the other way round.
AdapterMethod read_peft_method(const JsonKeys& keys);

/// Throws Error unless every layer has the targets of the first.
void check_peft_targets(const JsonKeys& keys, const AdapterMethod& method, std::int64_t layers);

/// The config of a method of these kinds; `base_model_name` may be empty.
Json peft_config_of(const SequenceClassifier& model, const AdapterMethod& method,
                    const std::string& base_model_name);

}  // namespace basis
