#pragma once

#include <memory>
#include <string>
#include <vector>

#include "autograd/row_gradient.h"
#include "nn/parameter.h"
#include "tensor/safetensors.h"

namespace basis {

/// A trained table whose gradient is rows, with AdamW or SGD without momentum, equal to the dense
/// update within rounding.
///
/// A row gets a slot with its first gradient and is updated in every step from then on, with a zero
/// gradient where it has none: its moments move on, as PyTorch's do. The moments of slots stand one
/// behind the other, so that rows without a slot cost no memory. Those only ever shrink by
/// 1 - lr wd, all alike: one number says by how much. Who reads them applies it (RowDebt); they pay
/// when they get a slot, or when someone asks for the whole value. So they round once instead of in
/// every step.
class RowTable {
 public:
  enum class Rule : std::uint8_t { AdamW, Sgd };
  struct Options {
    Rule rule = Rule::AdamW;
    AdamWConstants adamw;
    int group = 0;
    double weight_decay = 0;
    bool is_moved = false;  // by move_aside
  };

  /// Moves the value into memory of its own and gives the parameter its rows of gradients.
  RowTable(Backend&, Allocator&, Parameter&, const Options&);
  /// All rows pay; the parameter keeps the value. It must still be there.
  ~RowTable();
  RowTable(const RowTable&) = delete;
  RowTable& operator=(const RowTable&) = delete;

  /// (U, H): of the rows that have one in this step.
  Tensor gradient() const { return gradient_.rows(); }
  /// The update of a step in which there is a gradient, unless `state` says that it is skipped.
  void step(const StepState* state);

  /// Until put_back the table stands for another, where values are moved for a gradient: all rows
  /// are what they say and nobody owes. A copy is kept.
  void move_aside();
  void put_back();
  Tensor value() const { return value_; }
  /// (1, U) i32: the rows that have a gradient in this step. Good until `step`.
  Tensor rows_with_gradient();

  /// For checkpoints, by name behind the parameter's: "values" (V, H), not paid; "rows" (S) i32,
  /// the row of each slot; "owed" (1, 1) f64; AdamW's "moment1", "moment2" (S, H).
  std::vector<std::pair<std::string, Tensor>> state() const;
  /// What state() was when the file was written. Throws Error for a file that is not like that.
  void load(const SafeTensors& file);

 private:
  std::int64_t slots() const { return std::ssize(row_of_slot_); }
  std::string name_of(const char* what) const { return parameter_.name() + "." + what; }
  RowDebt debt() const { return {slot_of_row_.data<std::int32_t>(), owed_.data<double>()}; }
  /// Slots for rows that have a gradient for the first time: they pay and begin with zero moments.
  void add_slots();
  void copy_slots();
  void pay();

  Backend& backend_;
  Parameter& parameter_;
  Options options_;
  RowGradient gradient_;
  Tensor value_;              // (V, H)
  Tensor moment1_, moment2_;  // (V, H), of which the first S rows: the rest is address space only
  Tensor slot_of_row_;        // (1, V) i32: below 0 where a row has none
  Tensor rows_, sources_;     // (1, V) i32, of which the first S; see OptimizerRows
  Tensor owed_;               // (1, 1) f64
  Tensor kept_value_, kept_owed_;  // where values are moved aside
  std::vector<std::int32_t> host_slot_of_row_, row_of_slot_;
};

}  // namespace basis
