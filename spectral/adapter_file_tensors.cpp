#include "spectral/adapter_file_tensors.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "spectral/adapter_basis_file.h"
#include "spectral/adapter_plan.h"
#include "spectral/curvature_tuning.h"
#include "tensor/file.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

constexpr const char* tensors_file = "adapter_model.safetensors";
constexpr const char* config_file = "adapter_config.json";

void check_stored(const std::vector<NamedShape>& wanted, const SafeTensors& file,
                  const NameInFile& name_in_file) {
  std::set<std::string> known;
  for (const auto& [name, shape] : wanted) {
    const std::string stored = name_in_file(name);
    known.insert(stored);
    if (!file.contains(stored)) {
      throw Error(fmt::format("{}: lacks {}, {} by the adapter's settings", file.path().string(),
                              stored, shape.to_string()));
    }
    if (file.shape(stored) != shape) {
      throw Error(fmt::format("{}: {} is {}, the adapter's settings and the model want {}",
                              file.path().string(), stored, file.shape(stored).to_string(),
                              shape.to_string()));
    }
  }
  for (const std::string& stored : file.names()) {
    if (!known.contains(stored)) {
      throw Error(fmt::format("{}: {} has no place in this adapter on this model",
                              file.path().string(), stored));
    }
  }
}

/// Factors to be filled from the file: no SVD, whose bits differ between processors.
BasisSource blank_basis() {
  return [](const HostWeight& weight, BasisKind, std::int64_t k, std::uint64_t) {
    return Basis{Matrix(weight.value.shape()[0], k), Matrix(weight.value.shape()[1], k),
                 std::vector<double>(static_cast<std::size_t>(k))};
  };
}

}  // namespace

std::vector<NamedShape> adapter_tensors(const SequenceClassifier& model,
                                        const AdapterMethod& method) {
  if (method.kind == AdapterMethod::Kind::Full) {
    throw Error("full fine-tuning has no adapter: save the model instead");
  }
  std::vector<NamedShape> tensors;
  std::set<std::string> names;  // what weights share stands there once
  for (const AdaptedWeight& weight : adapted_weights(model, method)) {
    for (const FactorPlan& factor : plan_adapter(method, weight).parameters()) {
      if (names.insert(factor.name).second) tensors.emplace_back(factor.name, factor.shape);
    }
  }
  for (const NamedShape& tensor : curvature_tensors(model, method)) tensors.push_back(tensor);
  for (const auto& parameter : model.parameters().all()) {
    const bool is_trained_itself = parameter->role() == ParameterRole::Encoder &&
                                   trains_of_encoder(method.kind, parameter->name()) &&
                                   !parameter->name().starts_with("pooler.");
    if (parameter->role() == ParameterRole::Head || is_trained_itself) {
      tensors.emplace_back(parameter->name(), parameter->shape());
    }
  }
  return tensors;
}

std::vector<NamedShape> adapter_tensors_in(const std::filesystem::path& folder,
                                           const SequenceClassifier& model,
                                           const AdapterMethod& method) {
  try {
    return adapter_tensors(model, method);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", folder.string(), error.what()));
  }
}

void check_attached(const SequenceClassifier& model, const AdapterMethod& method) {
  const std::vector<NamedShape> wanted = adapter_tensors(model, method);
  std::set<std::string> names;
  for (const auto& [name, shape] : wanted) {
    names.insert(name);
    const Parameter* parameter = model.parameters().find(name);
    if (parameter == nullptr || parameter->shape() != shape) {
      throw Error(
          fmt::format("a {} adapter has {} {}, the model has {}: save with the method that "
                      "was attached",
                      name_of(method.kind), name, shape.to_string(),
                      parameter == nullptr ? "none" : parameter->shape().to_string()));
    }
  }
  for (const auto& parameter : model.parameters().all()) {
    if (parameter->role() == ParameterRole::Adapter && !names.contains(parameter->name())) {
      throw Error(
          fmt::format("{} is no part of a {} adapter: save with the method that was attached",
                      parameter->name(), name_of(method.kind)));
    }
  }
  for (const AdaptedWeight& weight : adapted_weights(model, method)) {
    EncoderLayer layer = model.layers()[static_cast<std::size_t>(weight.layer)];
    if (layer.matrix(weight.kind).adapter() != nullptr) continue;
    throw Error(fmt::format("{} has no adapter in its slot: unmerge before saving", weight.name));
  }
}

void write_adapter_folder(const std::filesystem::path& folder, Backend& backend,
                          const std::vector<std::pair<std::string, Tensor>>& tensors,
                          const std::map<std::string, std::string>& metadata, const Json& config,
                          const BasisFile& basis) {
  const std::filesystem::path config_path = folder / config_file;
  // First: a label that is not UTF-8 must not cost the adapter that stood here.
  const std::string config_text = config.dump(2, config_path.string()) + "\n";
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) throw Error(fmt::format("{}: {}", folder.string(), failure.message()));
  // An adapter that stood here must not lend its config to our tensors.
  std::filesystem::remove(config_path, failure);
  if (failure) throw Error(fmt::format("{}: {}", folder.string(), failure.message()));
  write_safetensors(folder / tensors_file, backend, tensors, metadata);
  write_basis_file(folder, basis);
  write_file_atomically(config_path, config_text);
}

JsonKeys read_adapter_config(const std::filesystem::path& folder) {
  return JsonKeys::read(folder / config_file);
}

void check_fits_head(const std::filesystem::path& folder, const AdapterInfo& info,
                     const SequenceClassifier& model) {
  if (info.head == model.config().head && info.outputs == model.outputs()) return;
  throw Error(
      fmt::format("{}: the adapter has a {} head with {} outputs, the model a {} head with "
                  "{}: build the model as the adapter says",
                  folder.string(), info.head, info.outputs, model.config().head, model.outputs()));
}

SafeTensors open_adapter_tensors(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / tensors_file;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored) &&
      std::filesystem::exists(folder / "adapter_model.bin", ignored)) {
    throw Error(
        fmt::format("{} is missing; adapter_model.bin is not read: save the adapter again "
                    "as safetensors",
                    path.string()));
  }
  return SafeTensors::open(path);
}

void attach_stored(Backend& backend, Allocator& allocator, SequenceClassifier& model,
                   const AdapterMethod& method, const std::vector<NamedShape>& wanted,
                   const SafeTensors& file, const NameInFile& name_in_file,
                   const std::optional<SafeTensors>& basis, const BasisSource& basis_source) {
  if (model.parameters().has(ParameterRole::Adapter)) {
    throw Error("the model has an adapter already: load another copy of the model");
  }
  const auto is_beside = [&](const std::string& name) {
    return basis && stands_in_basis_file(method, name);
  };
  std::vector<NamedShape> own, beside;
  for (const NamedShape& tensor : wanted) {
    (is_beside(tensor.first) ? beside : own).push_back(tensor);
  }
  check_stored(own, file, name_in_file);
  if (basis) check_stored(beside, *basis, name_in_file);
  const DType dtype = model.parameters().at("classifier.weight").value().dtype();
  std::vector<Tensor> values;
  for (const auto& [name, shape] : wanted) {
    const Tensor stored = (is_beside(name) ? *basis : file).real_tensor(name_in_file(name), dtype);
    values.push_back(Tensor::allocate(allocator, shape, dtype, backend.device()));
    copy_to_device(backend, stored, values.back());
  }
  attach(backend, allocator, model, method, basis_source ? basis_source : blank_basis());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    model.parameters().at(wanted[i].first).set_value(values[i]);
  }
}

}  // namespace basis
