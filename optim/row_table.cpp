#include "optim/row_table.h"

#include <fmt/format.h>

#include "tensor/packed.h"

namespace basis {

namespace {

Tensor integers(Backend& backend, Allocator& allocator, std::int64_t count) {
  return Tensor::allocate(allocator, {1, count}, DType::I32, backend.device());
}

}  // namespace

RowTable::RowTable(Backend& backend, Allocator& allocator, Parameter& parameter,
                   const Options& options)
    : backend_(backend),
      parameter_(parameter),
      options_(options),
      gradient_(backend, allocator, parameter.shape(), parameter.value().dtype()),
      slot_of_row_(integers(backend, allocator, parameter.shape()[0])),
      rows_(integers(backend, allocator, parameter.shape()[0])),
      sources_(integers(backend, allocator, parameter.shape()[0])),
      owed_(to_device<double>(backend, allocator, std::vector<double>{1}, {1, 1})),
      host_slot_of_row_(static_cast<std::size_t>(parameter.shape()[0]), -1) {
  const auto table = [&] {
    return Tensor::allocate(allocator, parameter.shape(), parameter.value().dtype(),
                            backend.device());
  };
  value_ = table();
  backend.convert(parameter.value().view(), value_.view());
  if (options.rule == Rule::AdamW) {
    moment1_ = table();
    moment2_ = table();
  }
  if (options.is_moved) {
    kept_value_ = table();
    kept_owed_ = to_device<double>(backend, allocator, std::vector<double>{1}, {1, 1});
  }
  copy_slots();
  parameter.set_value(value_);
  parameter.gradient().rows = &gradient_;
  parameter.set_debt(debt(), [this] { pay(); });
}

RowTable::~RowTable() {
  pay();
  parameter_.set_debt({}, nullptr);
  parameter_.gradient() = {};
}

void RowTable::copy_slots() {
  copy_to_device<std::int32_t>(backend_, host_slot_of_row_, slot_of_row_);
  copy_to_device<std::int32_t>(backend_, row_of_slot_, rows_);
}

void RowTable::pay() {
  if (to_host<double>(backend_, owed_).front() == 1) return;
  backend_.pay_rows(value_.view(), {}, debt());
  copy_to_device<double>(backend_, std::vector<double>{1}, owed_);
}

/// In the device's order alone: nothing waits for what is owed.
void RowTable::move_aside() {
  backend_.convert(value_.view(), kept_value_.view());
  backend_.convert(owed_.view(), kept_owed_.view());
  if (options_.weight_decay == 0) return;
  backend_.pay_rows(value_.view(), {}, debt());
  backend_.fill(1, owed_.view());
}

void RowTable::put_back() {
  backend_.convert(kept_value_.view(), value_.view());
  backend_.convert(kept_owed_.view(), owed_.view());
}

Tensor RowTable::rows_with_gradient() {
  const std::vector<std::int32_t>& ids = gradient_.ids();
  copy_to_device<std::int32_t>(backend_, ids, sources_);
  return sources_.reshape({sources_.element_count()})
      .rows(0, std::ssize(ids))
      .reshape({1, std::ssize(ids)});
}

void RowTable::add_slots() {
  const std::int64_t before = slots();
  for (const std::int32_t id : gradient_.ids()) {
    std::int32_t& slot = host_slot_of_row_[static_cast<std::size_t>(id)];
    if (slot >= 0) continue;
    slot = static_cast<std::int32_t>(slots());
    row_of_slot_.push_back(id);
  }
  if (slots() == before) return;
  copy_to_device<std::int32_t>(backend_, row_of_slot_, rows_);
  backend_.pay_rows(value_.view(), rows_.columns(before, slots()), debt());
  copy_to_device<std::int32_t>(backend_, host_slot_of_row_, slot_of_row_);
  for (const Tensor* moment : {&moment1_, &moment2_}) {
    if (!moment->is_empty()) backend_.fill(0, moment->rows(before, slots()).view());
  }
}

void RowTable::step(const StepState* state) {
  add_slots();
  std::vector<std::int32_t> sources(row_of_slot_.size(), -1);
  std::int32_t source = 0;
  for (const std::int32_t id : gradient_.ids()) {
    const std::int32_t slot = host_slot_of_row_[static_cast<std::size_t>(id)];
    sources[static_cast<std::size_t>(slot)] = source++;
  }
  copy_to_device<std::int32_t>(backend_, sources, sources_);
  OptimizerRows rows{value_.view(),
                     rows_.columns(0, slots()),
                     sources_.columns(0, slots()),
                     gradient_.rows().view(),
                     {},
                     {},
                     owed_.view(),
                     options_.group,
                     options_.weight_decay};
  if (options_.rule == Rule::Sgd) return backend_.sgd_rows(rows, state);
  rows.moment1 = moment1_.rows(0, slots()).view();
  rows.moment2 = moment2_.rows(0, slots()).view();
  backend_.adamw_rows(rows, options_.adamw, state);
}

std::vector<std::pair<std::string, Tensor>> RowTable::state() const {
  std::vector<std::pair<std::string, Tensor>> state{
      {name_of("owed"), owed_},
      {name_of("values"), value_},
      {name_of("rows"), rows_.reshape({rows_.element_count()}).rows(0, slots())}};
  if (options_.rule == Rule::AdamW) {
    state.emplace_back(name_of("moment1"), moment1_.rows(0, slots()));
    state.emplace_back(name_of("moment2"), moment2_.rows(0, slots()));
  }
  return state;
}

void RowTable::load(const SafeTensors& file) {
  const auto refuse = [&](const std::string& name) {
    return Error(fmt::format("\"{}\" does not fit {}", name, parameter_.name()));
  };
  const std::string rows_name = name_of("rows");
  if (!file.contains(rows_name)) throw refuse(rows_name);
  const Tensor rows = file.tensor(rows_name, DType::I32);
  host_slot_of_row_.assign(host_slot_of_row_.size(), -1);
  row_of_slot_.clear();
  for (const std::int32_t row :
       std::span(rows.data<std::int32_t>(), static_cast<std::size_t>(rows.element_count()))) {
    if (row < 0 || row >= value_.shape()[0]) throw refuse(rows_name);
    std::int32_t& slot = host_slot_of_row_[static_cast<std::size_t>(row)];
    if (slot >= 0) throw refuse(rows_name);
    slot = static_cast<std::int32_t>(slots());
    row_of_slot_.push_back(row);
  }
  copy_slots();
  for (const auto& [name, tensor] : state()) {
    if (!file.contains(name) || file.shape(name) != tensor.shape()) throw refuse(name);
    copy_to_device(backend_, file.tensor(name, tensor.dtype()), tensor);
  }
}

}  // namespace basis
