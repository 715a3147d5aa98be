#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "autograd/context.h"

namespace basis {

/// What a parameter belongs to, for counting and saving.
enum class ParameterRole : std::uint8_t {
  Encoder,  // embeddings, layers, and the pooler where the head does not use it
  Head,     // the task's or the language model's head, with the pooler it uses
  Adapter,  // a factor of an adapter, trained or frozen
};

/// A named value that may train. The value is the master copy, f32 (f64 in tests); the backend
/// keeps prepared copies, remade when `version` moves.
class Parameter {
 public:
  Parameter(std::string name, Tensor value, ParameterRole role, bool decays);
  Parameter(const Parameter&) = delete;
  Parameter& operator=(const Parameter&) = delete;

  const std::string& name() const { return name_; }
  /// Where rows owe weight decay (see set_debt) they pay it first.
  const Tensor& value() const {
    if (pay_) pay_();
    return value_;
  }
  const Shape& shape() const { return value_.shape(); }
  std::int64_t count() const { return value_.element_count(); }
  ParameterRole role() const { return role_; }
  /// Whether weight decay applies: not to biases and layer norms.
  bool decays() const { return decays_; }

  /// Elements that stand for nothing, such as the corners of a compact band: kept, never counted.
  std::int64_t padding() const { return padding_; }
  void set_padding(std::int64_t elements) { padding_ = elements; }

  bool is_trainable() const { return is_trainable_; }
  void set_trainable(bool is_trainable) { is_trainable_ = is_trainable; }

  /// Whether a step reads this table by the row and no other way, so that its gradient may be rows.
  bool is_read_by_rows() const { return is_read_by_rows_; }
  void set_read_by_rows(bool is_read_by_rows) { is_read_by_rows_ = is_read_by_rows; }

  /// Puts another tensor of the same shape in the value's place. Throws ShapeError.
  void set_value(Tensor value);
  /// Some rows stand there above their worth; `pay` puts that right for all of them. No debt and no
  /// function: all rows are what they say.
  void set_debt(const RowDebt& debt, std::function<void()> pay) {
    debt_ = debt;
    pay_ = std::move(pay);
  }
  Gradient& gradient() { return gradient_; }
  const Gradient& gradient() const { return gradient_; }

  /// Says that the value's elements have changed.
  void touch() { ++version_; }
  std::uint64_t version() const { return version_; }

  /// The parameter in a step: asks for a gradient when it trains and there is a tape.
  Variable variable(const Context& context);
  /// The same for a weight (out, in) that stands in `linear`: prepared once a version.
  Variable weight(const Context& context);

 private:
  std::string name_;
  Tensor value_;
  Gradient gradient_;
  ParameterRole role_;
  bool decays_;
  bool is_trainable_ = false;
  bool is_read_by_rows_ = false;
  RowDebt debt_;
  std::function<void()> pay_;
  std::int64_t padding_ = 0;
  std::uint64_t version_ = 1;
  struct Prepared {
    PreparedWeight weight;
    std::uint64_t version = 0;
  };
  Prepared prepared_, prepared_bf16_;  // for activations of f32 or f64, and of bf16
};

/// All parameters of a model, in order of creation. Addresses stay as long as the store lives.
class ParameterStore {
 public:
  /// Throws Error when the name is taken.
  Parameter& create(std::string name, Tensor value, ParameterRole role, bool decays);
  /// Null when there is none of that name.
  Parameter* find(std::string_view name) const;
  /// Throws Error when there is none.
  Parameter& at(std::string_view name) const;
  /// Takes every parameter of that role out; their addresses stay.
  std::vector<std::unique_ptr<Parameter>> take(ParameterRole role);
  /// Puts parameters in that were taken out. Throws Error where a name is taken.
  void add(std::vector<std::unique_ptr<Parameter>> parameters);

  const std::vector<std::unique_ptr<Parameter>>& all() const { return parameters_; }
  std::vector<Parameter*> trainable() const;
  /// Whether there is one of that role.
  bool has(ParameterRole role) const;

 private:
  Parameter& insert(std::unique_ptr<Parameter> parameter);

  std::vector<std::unique_ptr<Parameter>> parameters_;
  std::unordered_map<std::string, Parameter*> by_name_;
};

}  // namespace basis
