#include "spectral/fingerprint.h"

#include <algorithm>

#include "tensor/hash.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

template <class Counts>
std::string fingerprint(const SequenceClassifier& model, const Counts& counts) {
  std::vector<const Parameter*> parameters;
  for (const auto& parameter : model.parameters().all()) {
    const bool is_pooler = parameter->name().starts_with("pooler.");
    if (parameter->role() == ParameterRole::Encoder && !is_pooler && counts(*parameter)) {
      parameters.push_back(parameter.get());
    }
  }
  // By name: the order of creation is the code's affair.
  std::sort(parameters.begin(), parameters.end(),
            [](const Parameter* a, const Parameter* b) { return a->name() < b->name(); });
  Hasher hasher;
  for (const Parameter* parameter : parameters) {
    hasher.add(parameter->name()).add(to_host(model.backend(), parameter->value()));
  }
  return hasher.hex();
}

}  // namespace

std::string fingerprint_of_encoder(const SequenceClassifier& model) {
  return fingerprint(model, [](const Parameter&) { return true; });
}

std::string fingerprint_under(const SequenceClassifier& model, AdapterMethod::Kind kind) {
  return fingerprint(model, [kind](const Parameter& parameter) {
    return !trains_of_encoder(kind, parameter.name());
  });
}

}  // namespace basis
