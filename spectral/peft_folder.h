#pragma once

#include "spectral/adapter_file.h"

namespace basis {

/// LoRA in the folder format of Hugging Face PEFT (github.com/huggingface/peft, 0.21):
/// `adapter_config.json` and `adapter_model.safetensors`, on transformers'
/// BertForSequenceClassification.

/// Whether `folder`'s adapter_config.json has a "peft_type". Throws Error when it cannot be read.
bool is_peft_folder(const std::filesystem::path& folder);

/// Writes a LoRA that is attached to `model` with its head. `base_model_name` is what PEFT loads
/// the base by; may be empty. A mean-pooling head has no class in transformers: "basis_head" in the
/// config says so, and PEFT's logits then differ. Throws Error for another kind of adapter, and as
/// save_adapter does.
void save_peft_lora(const std::filesystem::path& folder, const SequenceClassifier& model,
                    const AdapterMethod& method, const std::string& base_model_name);

/// What a PEFT folder says. `use_rslora` comes as the alpha of the same scale. Throws Error with
/// the path and the key for what is not a plain LoRA of a sequence classifier: another peft_type,
/// DoRA, ranks or alphas by pattern, trained biases, starts that change the base weights.
AdapterInfo read_peft_info(const std::filesystem::path& folder);

/// load_adapter of a PEFT folder. A pooler that the folder does not hold stays the base's.
AdapterMethod load_peft_lora(Backend&, Allocator&, const std::filesystem::path& folder,
                             SequenceClassifier& model);

}  // namespace basis
