#pragma once

#include "spectral/adapter_file.h"

namespace basis {

/// Adapters in the folder format of Hugging Face PEFT (github.com/huggingface/peft, 0.21):
/// `adapter_config.json` and `adapter_model.safetensors`, on transformers'
/// BertForSequenceClassification.

/// Whether `folder`'s adapter_config.json has a "peft_type". Throws Error when it cannot be read.
bool is_peft_folder(const std::filesystem::path& folder);

/// Whether PEFT has the method itself: LoRA, rsLoRA, VeRA, DoRA, IA3.
bool is_native_to_peft(AdapterMethod::Kind kind);

/// Writes an adapter that is attached to `model` with its head: those that PEFT has as its own,
/// the other products as the LoRA of the same ΔW (spectral/equal_lora.h). `base_model_name` is
/// what PEFT loads the base by; may be empty. A mean-pooling head has no class in transformers:
/// "basis_head" in the config says so, and PEFT's logits then differ. Throws Error for a method
/// without an adapter, and as save_adapter does.
void save_peft(const std::filesystem::path& folder, const SequenceClassifier& model,
               const AdapterMethod& method, const std::string& base_model_name);

/// What a PEFT folder says. Throws Error with the path and the key for what is none of these
/// methods, or PiSSA, on a sequence classifier (spectral/peft_config.h).
AdapterInfo read_peft_info(const std::filesystem::path& folder);

/// load_adapter of a PEFT folder. A pooler that the folder does not hold stays the base's. Of a
/// PiSSA that was not converted to LoRA the SVD is computed that PEFT computes then, too.
AdapterMethod load_peft(Backend&, Allocator&, const std::filesystem::path& folder,
                        SequenceClassifier& model);

}  // namespace basis
