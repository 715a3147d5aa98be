#include "spectral/adapter_set.h"

#include <fmt/format.h>

namespace basis {

/// Slots in the order of the matrices, parameters in that of the store.
struct AdapterSet::State {
  struct Value {
    Parameter* parameter;
    Tensor value;
    bool is_trainable;
  };

  std::vector<std::shared_ptr<const Adapter>> slots;
  std::vector<std::shared_ptr<const CurvatureFunction>> activations;
  std::vector<std::unique_ptr<Parameter>> factors;
  std::vector<Value> values;  // of all other parameters
};

namespace {

template <class Visit>
void for_each_matrix(SequenceClassifier& model, const Visit& visit) {
  for (EncoderLayer& layer : model.layers()) {
    for (const MatrixKind kind : all_matrix_kinds) visit(layer.matrix(kind));
  }
}

}  // namespace

AdapterSet::AdapterSet(SequenceClassifier& model) : model_(model) {
  if (model.parameters().has(ParameterRole::Adapter)) {
    throw Error("the model has an adapter: begin without one");
  }
  bare_ = take();
}

AdapterSet::~AdapterSet() = default;

std::unique_ptr<AdapterSet::State> AdapterSet::take() {
  auto state = std::make_unique<State>();
  for_each_matrix(model_, [&](Linear& linear) {
    state->slots.push_back(linear.shared_adapter());
    linear.set_adapter(nullptr);
  });
  for (const auto& activation : model_.activations()) {
    state->activations.push_back(std::move(activation.slot->curvature));
  }
  state->factors = model_.parameters().take(ParameterRole::Adapter);
  for (const auto& parameter : model_.parameters().all()) {
    state->values.push_back({parameter.get(), parameter->value(), parameter->is_trainable()});
  }
  return state;
}

void AdapterSet::put(State& state) {
  std::size_t slot = 0;
  for_each_matrix(model_, [&](Linear& linear) { linear.set_adapter(state.slots[slot++]); });
  std::size_t layer = 0;
  for (const auto& activation : model_.activations()) {
    activation.slot->curvature = state.activations[layer++];
  }
  model_.parameters().add(std::move(state.factors));
  for (const State::Value& value : state.values) {
    // A weight that none of them trains keeps its prepared copies.
    if (value.parameter->value().bytes_begin() != value.value.bytes_begin()) {
      value.parameter->set_value(value.value);
    }
    value.parameter->set_trainable(value.is_trainable);
  }
}

void AdapterSet::keep(const std::string& name) {
  if (!in_use_.empty()) {
    throw Error(fmt::format("\"{}\" cannot be kept while \"{}\" is in use", name, in_use_));
  }
  if (name.empty() || kept_.contains(name)) {
    throw Error(fmt::format("an adapter cannot be kept as \"{}\": the name is {}", name,
                            name.empty() ? "empty" : "taken"));
  }
  kept_[name] = take();
  put(*bare_);
}

void AdapterSet::use(const std::string& name) {
  if (name == in_use_ && !name.empty()) return;
  const auto wanted = kept_.find(name);
  if (wanted == kept_.end()) {
    throw Error(
        fmt::format("no adapter is kept as \"{}\"; there are: {}", name, fmt::join(names(), ", ")));
  }
  use_none();
  put(*wanted->second);
  wanted->second = nullptr;
  in_use_ = name;
}

void AdapterSet::use_none() {
  if (in_use_.empty()) {
    if (!model_.parameters().has(ParameterRole::Adapter)) return;
    throw Error("the model has an adapter that was not kept");
  }
  kept_[in_use_] = take();
  in_use_.clear();
  put(*bare_);
}

std::vector<std::string> AdapterSet::names() const {
  std::vector<std::string> names;
  for (const auto& [name, state] : kept_) names.push_back(name);
  return names;
}

}  // namespace basis
