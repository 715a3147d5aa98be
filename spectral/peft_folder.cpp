#include "spectral/peft_folder.h"

#include <algorithm>
#include <cstring>
#include <map>

#include <fmt/format.h>

#include "spectral/adapter_basis_file.h"
#include "spectral/adapter_file_tensors.h"
#include "spectral/adapter_plan.h"
#include "spectral/curvature_tuning.h"
#include "spectral/equal_lora.h"
#include "spectral/peft_config.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

// In the tensors' metadata, where PEFT does not look: it warns of unknown keys in its config.
constexpr const char* labels_key = "basis_labels";
constexpr const char* problem_type_key = "basis_problem_type";

/// "encoder.layer.0.attention.self.query.lora_A" ->
/// "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight";
/// "encoder.shared.vera_A_384" -> "base_model.vera_A".
std::string peft_name(const std::string& name) {
  for (const char* shared : {"vera_A", "vera_B"}) {
    if (name.starts_with(fmt::format("encoder.shared.{}_", shared))) {
      return fmt::format("base_model.{}", shared);
    }
  }
  std::string own = name;
  if (const std::size_t at = own.rfind(".pissa_"); at != std::string::npos) {
    own.replace(at, std::string_view(".pissa_").size(), ".lora_");
  }
  if (own.ends_with(".lora_A") || own.ends_with(".lora_B")) own += ".weight";
  if (name.ends_with(".vera_b") || name.ends_with(".vera_d")) {
    own.insert(own.size() - 1, "lambda_");
  }
  return fmt::format("base_model.model.{}{}", name.starts_with("classifier.") ? "" : "bert.", own);
}

// ---- VeRA's projections, of which PEFT has the largest alone -----------------------------------

/// A corner's name, and the name of the projection that it is cut from.
std::map<std::string, std::string> smaller_corners(const SequenceClassifier& model,
                                                   const AdapterMethod& method) {
  std::map<std::string, std::string> corners, wholes;
  for (const AdaptedWeight& weight : adapted_weights(model, method)) {
    for (const FactorPlan& factor : plan_adapter(method, weight).parameters()) {
      if (factor.start != FactorStart::Shared) continue;
      (factor.shape == factor.whole ? wholes[peft_name(factor.name)] : corners[factor.name]) =
          factor.name;
    }
  }
  for (auto& [corner, whole] : corners) whole = wholes.at(peft_name(corner));
  return corners;
}

/// What PEFT's file holds of an adapter's parameters, under our names.
std::vector<NamedShape> tensors_in_peft(const std::filesystem::path& folder,
                                        const SequenceClassifier& model,
                                        const AdapterMethod& method) {
  std::vector<NamedShape> tensors = adapter_tensors_in(folder, model, method);
  const auto corners = smaller_corners(model, method);
  std::erase_if(tensors, [&](const NamedShape& tensor) {
    const std::string& name = tensor.first;
    return corners.contains(name) || name.ends_with("pissa_A0") || name.ends_with("pissa_B0");
  });
  return tensors;
}

void cut_corners(Backend& backend, Allocator& allocator, SequenceClassifier& model,
                 const AdapterMethod& method) {
  for (const auto& [corner, whole] : smaller_corners(model, method)) {
    Parameter& parameter = model.parameters().at(corner);
    const Tensor source = to_host(backend, model.parameters().at(whole).value());
    const Tensor cut = Tensor::on_host(parameter.shape(), source.dtype());
    const auto row = [](const Tensor& tensor, std::int64_t i) {
      return tensor.bytes_begin() + i * (tensor.bytes() / tensor.shape()[0]);
    };
    for (std::int64_t i = 0; i < parameter.shape()[0]; ++i) {
      std::memcpy(row(cut, i), row(source, i), cut.bytes() / cut.shape()[0]);
    }
    Tensor value = Tensor::allocate(allocator, parameter.shape(), source.dtype(), backend.device());
    copy_to_device(backend, cut, value);
    parameter.set_value(std::move(value));
  }
}

// ---- The tensors' metadata ----------------------------------------------------------------------

std::map<std::string, std::string> metadata_of(const BertConfig& config) {
  std::map<std::string, std::string> metadata{{"format", "pt"}};
  if (!config.labels.empty())
    metadata[labels_key] = Json::texts(config.labels).dump(2, labels_key) + "\n";
  if (!config.problem_type.empty()) metadata[problem_type_key] = config.problem_type;
  return metadata;
}

void read_metadata(const SafeTensors& file, AdapterInfo& info) {
  const auto& metadata = file.metadata();
  if (const auto found = metadata.find(problem_type_key); found != metadata.end()) {
    info.problem_type = found->second;
  }
  const auto found = metadata.find(labels_key);
  if (found == metadata.end()) return;
  const Json labels = Json::parse(found->second, file.path().string() + ": " + labels_key);
  const auto is_text = [](const Json& label) { return label.is_text(); };
  if (!labels.is_list() || std::ssize(labels.items()) != info.outputs ||
      !std::all_of(labels.items().begin(), labels.items().end(), is_text)) {
    throw Error(fmt::format("{}: {} is not a list of {} strings", file.path().string(), labels_key,
                            info.outputs));
  }
  for (const Json& label : labels.items()) info.labels.push_back(label.text());
}

}  // namespace

bool is_peft_folder(const std::filesystem::path& folder) {
  return read_adapter_config(folder).has("peft_type");
}

bool is_native_to_peft(AdapterMethod::Kind kind) {
  using Kind = AdapterMethod::Kind;
  return kind == Kind::Lora || kind == Kind::RsLora || kind == Kind::Vera || kind == Kind::Dora ||
         kind == Kind::Ia3;
}

void save_peft(const std::filesystem::path& folder, const SequenceClassifier& model,
               const AdapterMethod& method, const std::string& base_model_name) {
  if (!has_adapter(method.kind)) {
    throw Error(
        fmt::format("PEFT has no folder format for a {} adapter: save it as ours, or merge "
                    "it and save the model",
                    name_of(method.kind)));
  }
  check_attached(model, method);
  refuse_curvature(model, "exported for PEFT, which lacks it");
  EqualLora equal;
  if (is_native_to_peft(method.kind)) {
    equal.method = method;
    for (const auto& [name, shape] : tensors_in_peft(folder, model, method)) {
      equal.tensors.emplace_back(name, model.parameters().at(name).value());
    }
  } else {
    equal = equal_lora(model, method);
  }
  for (auto& [name, tensor] : equal.tensors) name = peft_name(name);
  write_adapter_folder(folder, model.backend(), equal.tensors, metadata_of(model.config()),
                       peft_config_of(model, equal.method, base_model_name), BasisFile{});
}

AdapterInfo read_peft_info(const std::filesystem::path& folder) {
  const JsonKeys keys = read_adapter_config(folder);
  AdapterInfo info;
  info.method = read_peft_method(keys);
  info.head = keys.has(peft_head_key) ? keys.text(peft_head_key) : "pooler";
  if (info.head != "mean" && info.head != "pooler") {
    keys.fail(peft_head_key, "is neither \"mean\" nor \"pooler\"");
  }
  const SafeTensors file = open_adapter_tensors(folder);
  const std::string classifier = peft_name("classifier.weight");
  if (!file.contains(classifier) || file.shape(classifier).rank() != 2) {
    throw Error(fmt::format("{}: has no matrix {}; only adapters of sequence classifiers are read",
                            file.path().string(), classifier));
  }
  info.outputs = file.shape(classifier)[0];
  read_metadata(file, info);
  return info;
}

AdapterMethod load_peft(Backend& backend, Allocator& allocator, const std::filesystem::path& folder,
                        SequenceClassifier& model) {
  const AdapterInfo info = read_peft_info(folder);
  check_fits_head(folder, info, model);
  check_peft_targets(read_adapter_config(folder), info.method, model.config().num_hidden_layers);
  const SafeTensors file = open_adapter_tensors(folder);
  if (info.method.kind == AdapterMethod::Kind::Vera && !file.contains("base_model.vera_A")) {
    throw Error(
        fmt::format("{}: has no base_model.vera_A: PEFT would draw VeRA's projections by "
                    "PyTorch's generator, which gives other numbers elsewhere; save the adapter "
                    "again with save_projection = true",
                    file.path().string()));
  }
  std::vector<NamedShape> wanted = tensors_in_peft(folder, model, info.method);
  std::erase_if(wanted, [&](const NamedShape& tensor) {
    return tensor.first.starts_with("pooler.") && !file.contains(peft_name(tensor.first));
  });
  attach_stored(backend, allocator, model, info.method, wanted, file, peft_name, std::nullopt,
                info.method.kind == AdapterMethod::Kind::Pissa ? basis_by_svd() : nullptr);
  cut_corners(backend, allocator, model, info.method);
  return info.method;
}

}  // namespace basis
