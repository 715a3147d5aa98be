#include "nn/parameter.h"

#include <algorithm>

#include <fmt/format.h>

namespace basis {

Parameter::Parameter(std::string name, Tensor value, ParameterRole role, bool decays)
    : name_(std::move(name)), value_(std::move(value)), role_(role), decays_(decays) {}

void Parameter::set_value(Tensor value) {
  if (value.shape() != value_.shape()) {
    throw ShapeError(fmt::format("{}: {} cannot take the place of {}", name_,
                                 value.shape().to_string(), value_.shape().to_string()));
  }
  ensure(!pay_, "a value whose rows owe is its optimiser's");
  value_ = std::move(value);
  touch();
}

Variable Parameter::variable(const Context& context) {
  Gradient* gradient = context.tape != nullptr && is_trainable_ ? &gradient_ : nullptr;
  return {value_, gradient, nullptr, &name_, nullptr, debt_};
}

Variable Parameter::weight(const Context& context) {
  ensure(!is_read_by_rows_, "a weight of a product is read as a whole");
  Prepared& prepared = context.dtype == DType::BF16 ? prepared_bf16_ : prepared_;
  if (prepared.version != version_) {
    // In the memory that it has: recorded work goes on reading there.
    if (prepared.weight.source.data == value_.bytes_begin()) {
      context.backend.refresh_weight(prepared.weight);
    } else {
      prepared.weight = context.backend.prepare_weight(value_.view(), context.dtype);
    }
    prepared.version = version_;
    // Products read the prepared copy from now on; the file keeps the value for who asks again.
    if (!is_trainable_ && !prepared.weight.is_plain()) value_.release_pages();
  }
  Variable weight = variable(context);
  weight.prepared = &prepared.weight;
  return weight;
}

Parameter& ParameterStore::create(std::string name, Tensor value, ParameterRole role, bool decays) {
  return insert(std::make_unique<Parameter>(std::move(name), std::move(value), role, decays));
}

Parameter& ParameterStore::insert(std::unique_ptr<Parameter> parameter) {
  if (!by_name_.try_emplace(parameter->name(), parameter.get()).second) {
    throw Error("two parameters are called " + parameter->name());
  }
  parameters_.push_back(std::move(parameter));
  return *parameters_.back();
}

Parameter* ParameterStore::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : found->second;
}

Parameter& ParameterStore::at(std::string_view name) const {
  if (Parameter* parameter = find(name)) return *parameter;
  throw Error(fmt::format("the model has no parameter \"{}\"", name));
}

std::vector<std::unique_ptr<Parameter>> ParameterStore::take(ParameterRole role) {
  std::vector<std::unique_ptr<Parameter>> taken, rest;
  for (std::unique_ptr<Parameter>& parameter : parameters_) {
    if (parameter->role() == role) by_name_.erase(parameter->name());
    (parameter->role() == role ? taken : rest).push_back(std::move(parameter));
  }
  parameters_ = std::move(rest);
  return taken;
}

void ParameterStore::add(std::vector<std::unique_ptr<Parameter>> parameters) {
  for (std::unique_ptr<Parameter>& parameter : parameters) insert(std::move(parameter));
}

bool ParameterStore::has(ParameterRole role) const {
  return std::any_of(parameters_.begin(), parameters_.end(),
                     [&](const auto& parameter) { return parameter->role() == role; });
}

std::vector<Parameter*> ParameterStore::trainable() const {
  std::vector<Parameter*> result;
  for (const auto& parameter : parameters_) {
    if (parameter->is_trainable()) result.push_back(parameter.get());
  }
  return result;
}

}  // namespace basis
