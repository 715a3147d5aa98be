#include "experiments/number_table.h"

#include <charconv>
#include <limits>

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis {

bool NumberTable::next() {
  std::optional<TableRow> row = reader_.next();
  if (!row) return false;
  if (!row->problem.empty()) {
    throw Error(fmt::format("{}: {}", reader_.place(row->line), row->problem));
  }
  row_ = std::move(*row);
  return true;
}

double NumberTable::number(std::size_t column) const {
  const std::string& field = text(column);
  if (field.empty()) return std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc{} || end != field.data() + field.size()) {
    throw Error(fmt::format("{}: \"{}\" is no number", reader_.place(row_.line), field));
  }
  return value;
}

std::int64_t NumberTable::place(std::size_t column) const {
  constexpr double largest = 1 << 20;
  const double value = number(column);
  if (!(value >= 1 && value <= largest)) {
    throw Error(fmt::format("{}: \"{}\" is no rank", reader_.place(row_.line), text(column)));
  }
  return static_cast<std::int64_t>(value);
}

}  // namespace basis
