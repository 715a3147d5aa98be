#include <optional>

#include "experiments/config_fields.h"
#include "spectral/adapter_method.h"

namespace basis {
namespace {

std::optional<AdapterMethod::Kind> method_kind(std::string_view name) {
  for (const AdapterMethod::Kind kind : all_method_kinds) {
    if (name == name_of(kind)) return kind;
  }
  return std::nullopt;
}

}  // namespace

bool method_has(const MethodSettings& method, std::string_view key) {
  const std::optional<AdapterMethod::Kind> kind = method_kind(method.kind);
  if (!kind) return false;
  if (key == "kind" || key == "start" || key == "labels" || key == "learning_rates" ||
      key == "models" || key == "max_seeds" || key == "family")
    return true;
  if (key == "curvature") return kind != AdapterMethod::Kind::Full;
  if (key == "curvature_beta" || key == "curvature_c") return method.curvature != "none";
  if (key == "curvature_learning_rate") return method.curvature == "trained";
  if (key == "lesion_energy") return method.start.starts_with("lesion-");
  if (key == "alpha") return has_alpha(*kind);
  if (key == "basis") return has_basis_choice(*kind);
  if (key == "shared") return kind == AdapterMethod::Kind::Pica;
  if (key == "targets") return has_adapter(*kind);
  if (key == "form") return kind == AdapterMethod::Kind::Spectral;
  if (key == "bandwidth") return kind == AdapterMethod::Kind::Spectral && method.form == "band";
  return has_factors(*kind);
}

MethodSettings method_preset(std::string_view name_or_kind) {
  MethodSettings method;
  const std::size_t dash = name_or_kind.find('-');
  const bool is_kind = method_kind(name_or_kind).has_value();
  method.kind = std::string(is_kind ? name_or_kind : name_or_kind.substr(0, dash));
  const std::optional<AdapterMethod::Kind> kind = method_kind(method.kind);
  if (!kind || !has_adapter(*kind)) return method;
  // As published: LoRA's kin and VeRA on query and value, who works in a basis on all six.
  using Kind = AdapterMethod::Kind;
  if (kind == Kind::Ia3) method.targets = {"key", "value", "ffn_out"};
  if (!has_factors(*kind)) return method;
  const bool has_basis = kind == Kind::LoraXs || has_basis_choice(*kind);
  method.targets = has_basis ? find_field<MethodSettings>("targets")->constraint.choices
                             : std::vector<std::string>{"query", "value"};
  if (kind == Kind::Spectral || kind == Kind::LoraXs) method.rank = 32;
  if (kind == Kind::Vera) method.rank = 256;
  if (kind == Kind::Spectral && !is_kind) method.form = std::string(name_or_kind.substr(dash + 1));
  return method;
}

const std::vector<std::string>& known_methods() {
  static const std::vector<std::string> names = {"full",
                                                 "head",
                                                 "bitfit",
                                                 "norms",
                                                 "lora",
                                                 "rslora",
                                                 "pissa",
                                                 "spectral",
                                                 "spectral-diagonal",
                                                 "spectral-band",
                                                 "spectral-core",
                                                 "lora-xs",
                                                 "pica",
                                                 "vera",
                                                 "dora",
                                                 "ia3"};
  return names;
}

}  // namespace basis
