#include "spectral/adapter_file.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "spectral/adapter_basis_file.h"
#include "spectral/adapter_file_tensors.h"
#include "spectral/fingerprint.h"
#include "spectral/peft_folder.h"

namespace basis {
namespace {

using Kind = AdapterMethod::Kind;
using Form = AdapterMethod::Form;
using Curvature = AdapterMethod::Curvature;

constexpr const char* curvature_key = "curvature";
constexpr const char* format_key = "basis_adapter";
constexpr std::int64_t format_version = 1;
constexpr const char* basis_file_key = "basis_file";
constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

std::string same_name(const std::string& name) {
  return name;
}

/// "6 layers of width 384, 12 heads, feed-forward 1536".
std::string sizes_text(std::int64_t layers, std::int64_t width, std::int64_t heads,
                       std::int64_t feed_forward) {
  return fmt::format("{} layers of width {}, {} heads, feed-forward {}", layers, width, heads,
                     feed_forward);
}

std::string sizes_of(const BertConfig& config) {
  return sizes_text(config.num_hidden_layers, config.hidden_size, config.num_attention_heads,
                    config.intermediate_size);
}

void write_method(Json& config, const AdapterMethod& method) {
  config.set("kind", name_of(method.kind));
  if (method.curvature != Curvature::None) {
    config.set(curvature_key, name_of(method.curvature));
    config.set("curvature_beta", method.curvature_beta);
    config.set("curvature_c", method.curvature_c);
  }
  if (!has_adapter(method.kind)) return;
  Json targets = Json::list();
  for (const MatrixKind kind : targets_of(method)) targets.append(name_of(kind));
  config.set("targets", std::move(targets));
  if (!has_factors(method.kind)) return;
  config.set("rank", method.rank);
  if (has_alpha(method.kind)) config.set("alpha", method.alpha);
  if (method.kind == Kind::Spectral) {
    config.set("form", name_of(method.form));
    if (method.form == Form::Band) config.set("bandwidth", method.bandwidth);
  }
  if (has_basis_choice(method.kind)) config.set("basis", name_of(method.basis));
  if (method.kind == Kind::Pica) config.set("shares_factors", method.shares_factors);
  config.set("dropout", method.dropout);
  config.set("seed", method.seed);
}

Json config_of(const SequenceClassifier& model, const AdapterMethod& method,
               const std::string& basis_file) {
  const BertConfig& base = model.config();
  Json config = Json::object({{format_key, format_version}});
  write_method(config, method);
  if (!basis_file.empty()) config.set(basis_file_key, basis_file);
  config.set("head", base.head);
  config.set("outputs", model.outputs());
  config.set("labels", Json::texts(base.labels));
  config.set("problem_type", base.problem_type);
  config.set("base", Json::object({{"fingerprint", fingerprint_under(model, method.kind)},
                                   {"num_hidden_layers", base.num_hidden_layers},
                                   {"hidden_size", base.hidden_size},
                                   {"num_attention_heads", base.num_attention_heads},
                                   {"intermediate_size", base.intermediate_size}}));
  return config;
}

/// The value of `values` whose name is the text of `key`.
template <class Value, std::size_t size>
Value named(const JsonKeys& keys, const char* key, const std::string& text,
            const Value (&values)[size]) {
  std::string known;
  for (const Value value : values) {
    if (text == name_of(value)) return value;
    known += fmt::format("{}\"{}\"", known.empty() ? "" : ", ", name_of(value));
  }
  keys.fail(key, fmt::format("has \"{}\"; known are {}", text.substr(0, 80), known));
}

void read_spectral(const JsonKeys& keys, AdapterMethod& method) {
  constexpr Form forms[] = {Form::Diagonal, Form::Band, Form::Core};
  method.form = named(keys, "form", keys.text("form"), forms);
  if (method.form == Form::Band) {
    const std::int64_t most = method.rank == 0 ? 1 << 20 : method.rank - 1;
    method.bandwidth = keys.integer("bandwidth", 0, most);
  }
}

double read_alpha(const JsonKeys& keys) {
  const double alpha = keys.number("alpha");
  if (alpha < 0) keys.fail("alpha", "is negative");
  if (alpha > std::numeric_limits<float>::max()) keys.fail("alpha", "makes a scale beyond f32");
  return alpha;
}

void read_curvature(const JsonKeys& keys, AdapterMethod& method) {
  constexpr Curvature forms[] = {Curvature::None, Curvature::Steered, Curvature::Trained};
  method.curvature = named(keys, curvature_key, keys.text(curvature_key), forms);
  method.curvature_beta = keys.number("curvature_beta");
  method.curvature_c = keys.number("curvature_c");
}

AdapterMethod read_method(const JsonKeys& keys) {
  AdapterMethod method;
  method.kind = named(keys, "kind", keys.text("kind"), all_method_kinds);
  if (method.kind == Kind::Full) keys.fail("kind", "is \"full\", which has no adapter");
  if (keys.has(curvature_key)) read_curvature(keys, method);
  if (!has_adapter(method.kind)) return method;
  for (const std::string& target : keys.texts("targets")) {
    method.targets.push_back(named(keys, "targets", target, all_matrix_kinds));
  }
  if (method.targets.empty()) keys.fail("targets", "is empty");
  if (!has_factors(method.kind)) return method;
  method.rank = keys.integer("rank", method.kind == Kind::Spectral ? 0 : 1, 1 << 20);
  if (has_alpha(method.kind)) method.alpha = read_alpha(keys);
  if (method.kind == Kind::Spectral) read_spectral(keys, method);
  if (has_basis_choice(method.kind)) {
    method.basis = named(keys, "basis", keys.text("basis"), all_basis_kinds);
  }
  if (method.kind == Kind::Pica) method.shares_factors = keys.is_true("shares_factors");
  method.dropout = keys.number("dropout");
  if (method.dropout < 0 || method.dropout >= 1) keys.fail("dropout", "is outside [0, 1)");
  method.seed = keys.unsigned_integer("seed");
  return method;
}

AdapterInfo read_own_info(const JsonKeys& keys) {
  if (!keys.has(format_key)) {
    throw Error(
        fmt::format("{}: is no adapter's config: it has neither our \"{}\" nor PEFT's "
                    "\"peft_type\"",
                    keys.source(), format_key));
  }
  keys.integer(format_key, format_version, format_version);
  AdapterInfo info;
  info.method = read_method(keys);
  const bool is_full_rank = info.method.kind == Kind::Spectral && info.method.rank == 0;
  if (is_full_rank) info.basis_file = keys.text(basis_file_key);
  if (info.basis_file.find('/') != std::string::npos) {
    keys.fail(basis_file_key, "is a path, not the name of a file");
  }
  info.head = keys.text("head");
  if (info.head != "mean" && info.head != "pooler") {
    keys.fail("head", "is neither \"mean\" nor \"pooler\"");
  }
  info.outputs = keys.integer("outputs", 1, 1 << 20);
  info.labels = keys.texts("labels");
  if (!info.labels.empty() && std::ssize(info.labels) != info.outputs) {
    keys.fail("labels",
              fmt::format("names {} labels for {} outputs", info.labels.size(), info.outputs));
  }
  info.problem_type = keys.text("problem_type");
  const JsonKeys base = keys.object("base");
  info.base_fingerprint = base.text("fingerprint");
  info.base_sizes = sizes_text(base.integer("num_hidden_layers", 0, no_limit),
                               base.integer("hidden_size", 1, no_limit),
                               base.integer("num_attention_heads", 0, no_limit),
                               base.integer("intermediate_size", 0, no_limit));
  return info;
}

void check_base(const std::filesystem::path& folder, const AdapterInfo& info,
                const SequenceClassifier& model) {
  const std::string found = fingerprint_under(model, info.method.kind);
  if (found == info.base_fingerprint) return;
  throw Error(fmt::format(
      "{}: the adapter was made on the encoder {} ({}), the model's is {} ({}): "
      "load it on the weights that it was trained on",
      folder.string(), info.base_fingerprint, info.base_sizes, found, sizes_of(model.config())));
}

}  // namespace

void save_adapter(const std::filesystem::path& folder, const SequenceClassifier& model,
                  const AdapterMethod& method) {
  check_attached(model, method);
  const BasisFile basis = basis_file_of(model, method);
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& [name, shape] : adapter_tensors(model, method)) {
    if (stands_in_basis_file(method, name)) continue;
    tensors.emplace_back(name, model.parameters().at(name).value());
  }
  write_adapter_folder(folder, model.backend(), tensors, {}, config_of(model, method, basis.name),
                       basis);
}

AdapterInfo read_adapter_info(const std::filesystem::path& folder) {
  if (is_peft_folder(folder)) return read_peft_info(folder);
  return read_own_info(read_adapter_config(folder));
}

AdapterMethod load_adapter(Backend& backend, Allocator& allocator,
                           const std::filesystem::path& folder, SequenceClassifier& model) {
  if (is_peft_folder(folder)) return load_peft(backend, allocator, folder, model);
  const AdapterInfo info = read_adapter_info(folder);
  check_fits_head(folder, info, model);
  check_base(folder, info, model);
  attach_stored(backend, allocator, model, info.method,
                adapter_tensors_in(folder, model, info.method), open_adapter_tensors(folder),
                same_name, open_basis_file(folder, info.basis_file));
  return info.method;
}

}  // namespace basis
