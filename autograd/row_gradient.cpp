#include "autograd/row_gradient.h"

#include <algorithm>
#include <numeric>

#include "autograd/context.h"
#include "tensor/packed.h"

namespace basis {

namespace {

Tensor counted(Backend& backend, Allocator& allocator, std::int64_t count) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return to_device<std::int32_t>(backend, allocator, values, {1, count});
}

/// Columns [0, count) of one row.
ConstMatrixView first_columns(ConstMatrixView view, std::int64_t count) {
  view.columns = view.row_stride = count;
  return view;
}

}  // namespace

RowGradient::RowGradient(Backend& backend, Allocator& allocator, const Shape& table, DType dtype)
    : backend_(backend),
      sums_(Tensor::allocate(allocator, table, dtype, backend.device())),
      first_places_(counted(backend, allocator, table[0])),
      places_(static_cast<std::size_t>(table[0]), -1) {}

void RowGradient::clear() {
  for (const std::int32_t id : ids_) places_[static_cast<std::size_t>(id)] = -1;
  ids_.clear();
  added_.clear();
}

/// (U): the place of each id; new ones are appended.
std::vector<std::int32_t> RowGradient::add_ids(const RowSegments& segments) {
  std::vector<std::int32_t> places;
  for (const std::int32_t id : segments.ids()) {
    std::int32_t& place = places_.at(static_cast<std::size_t>(id));
    if (place < 0) {
      place = static_cast<std::int32_t>(ids_.size());
      ids_.push_back(id);
    }
    places.push_back(place);
  }
  added_.push_back(segments);
  return places;
}

void RowGradient::set_added(const std::vector<RowSegments>& added) {
  const std::vector<RowSegments> copy = added;  // may be our own
  clear();
  for (const RowSegments& segments : copy) add_ids(segments);
}

void RowGradient::add(const Context& context, const Tensor& x, const RowSegments& segments) {
  const std::int64_t written = std::ssize(ids_);
  const std::vector<std::int32_t> places = add_ids(segments);
  if (written == 0) {
    // Its own places: nothing is copied, and segments that are empty this time may be filled when
    // the same call is queued again.
    const std::int64_t count = std::min(segments.capacity(), sums_.shape()[0]);
    backend_.segment_sum_rows(x.view(), first_columns(segments.offsets(), count + 1),
                              segments.rows(), first_columns(first_places_.view(), count), 0,
                              sums_.view());
    return;
  }
  const auto count = std::ssize(places);
  const Tensor on_device = to_device<std::int32_t>(backend_, context.arena, places, {1, count});
  backend_.segment_sum_rows(x.view(), first_columns(segments.offsets(), count + 1), segments.rows(),
                            on_device.view(), written, sums_.view());
}

Tensor RowGradient::to_dense(Allocator& allocator) const {
  const Tensor dense = Tensor::allocate(allocator, sums_.shape(), sums_.dtype(), backend_.device());
  backend_.fill(0, dense.view());
  if (ids_.empty()) return dense;
  const Tensor ids = to_device<std::int32_t>(backend_, allocator, ids_, {1, std::ssize(ids_)});
  backend_.scatter_add_rows(rows().view(), ids.view(), dense.view());
  return dense;
}

}  // namespace basis
