#pragma once

#include <cstddef>
#include <type_traits>
#include <vector>

#include "tensor/backend.h"
#include "tensor/caching_allocator.h"

namespace basis {

/// For one call: host memory that it names, and a copy in a device's memory. Stretches that overlap
/// are one; each keeps its address modulo 64, by which kernels choose, and has a margin.
class Mirror {
 public:
  explicit Mirror(Backend& device, Allocator& memory) : device_(device), memory_(memory) {}

  void add(const void* begin, std::size_t bytes, bool is_written);
  /// After every add().
  void copy_in();
  /// Where the device has what stands at `host`; null stays null.
  void* mapped(const void* host) const;
  /// Takes back what may have been written. Fails the test where something else was.
  void copy_out();

 private:
  static constexpr std::size_t margin = 64;

  struct Stretch {
    std::byte* begin = nullptr;
    std::byte* end = nullptr;
    bool is_written = false;
    std::size_t place = 0;  // in the image
    std::size_t size() const { return static_cast<std::size_t>(end - begin); }
  };
  void merge();

  Backend& device_;
  Allocator& memory_;
  std::vector<Stretch> stretches_;
  std::vector<std::byte> image_;  // what was copied in
  Block block_;
};

/// A table's debt: one slot for each of its rows.
struct DebtOfTable {
  RowDebt debt;
  std::int64_t rows = 0;
  operator const RowDebt&() const { return debt; }
};

// ---- visit(argument, f): calls f(pointer, bytes) for every pointer in an argument ---------------

template <class Number, class F>
void visit(Number&, const F&) {
  static_assert(!std::is_pointer_v<Number>);
}

template <class View, class F>
void visit_view(View& view, const F& f) {
  const std::int64_t elements =
      view.element_count() == 0 ? 0 : (view.rows - 1) * view.row_stride + view.columns;
  f(view.data, static_cast<std::size_t>(elements) * size_of(view.dtype));
}
template <class F>
void visit(ConstMatrixView& view, const F& f) {
  visit_view(view, f);
}
template <class F>
void visit(MatrixView& view, const F& f) {
  visit_view(view, f);
}
template <class F>
void visit(Workspace& workspace, const F& f) {
  f(workspace.data, workspace.bytes);
}
template <class F>
void visit(StepState*& state, const F& f) {
  f(state, sizeof(StepState));
}
template <class F>
void visit(const StepState*& state, const F& f) {
  f(state, sizeof(StepState));
}
template <class F>
void visit(SequenceView& sequences, const F& f) {
  f(sequences.offsets, static_cast<std::size_t>(sequences.sequences + 1) * sizeof(std::int32_t));
  f(sequences.sequence_of_row, static_cast<std::size_t>(sequences.rows) * sizeof(std::int32_t));
}
template <class F>
void visit(PreparedWeight& weight, const F& f) {
  visit(weight.source, f);
}
template <class F>
void visit(DebtOfTable& table, const F& f) {
  f(table.debt.slots, static_cast<std::size_t>(table.rows) * sizeof(std::int32_t));
  f(table.debt.owed, sizeof(double));
}
template <class F>
void visit(EmbeddingRows& rows, const F& f) {
  auto& [word, ids, debt, position, positions, type, types] = rows;
  for (ConstMatrixView* view : {&word, &ids, &position, &positions, &type, &types}) {
    visit(*view, f);
  }
  DebtOfTable table{debt, word.rows};
  visit(table, f);
  debt = table.debt;
}
template <class F>
void visit(OptimizerRange& range, const F& f) {
  auto& [value, gradient, moment1, moment2, group, decay] = range;
  for (MatrixView* view : {&value, &moment1, &moment2}) visit(*view, f);
  visit(gradient, f);
}
template <class F>
void visit(OptimizerRows& all, const F& f) {
  auto& [table, rows, sources, gradient, moment1, moment2, owed, group, decay] = all;
  for (MatrixView* view : {&table, &moment1, &moment2, &owed}) visit(*view, f);
  for (ConstMatrixView* view : {&rows, &sources, &gradient}) visit(*view, f);
}
template <class Element, class F>
void visit(std::vector<Element>& elements, const F& f) {
  for (Element& element : elements) visit(element, f);
}

// ---- A call -------------------------------------------------------------------------------------

/// call(arguments...) with every pointer in them mapped to the device.
template <class Call, class... Arguments>
void mirrored(Backend& device, Allocator& memory, const Call& call, Arguments... arguments) {
  Mirror mirror(device, memory);
  const auto add = [&](auto* pointer, std::size_t bytes) {
    constexpr bool is_written = !std::is_const_v<std::remove_pointer_t<decltype(pointer)>>;
    mirror.add(pointer, bytes, is_written);
  };
  (visit(arguments, add), ...);
  mirror.copy_in();
  (visit(arguments,
         [&](auto*& pointer, std::size_t bytes) {
           using Pointer = std::remove_reference_t<decltype(pointer)>;
           if (bytes > 0) pointer = static_cast<Pointer>(mirror.mapped(pointer));
         }),
   ...);
  call(arguments...);
  mirror.copy_out();
}

}  // namespace basis
