#include "autograd/row_gradient.h"

#include "autograd/context.h"
#include "tensor/packed.h"

namespace basis {

RowGradient::RowGradient(Backend& backend, Allocator& allocator, const Shape& table, DType dtype)
    : backend_(backend),
      sums_(Tensor::allocate(allocator, table, dtype, backend.device())),
      places_(static_cast<std::size_t>(table[0]), -1) {}

void RowGradient::clear() {
  for (const std::int32_t id : ids_) places_[static_cast<std::size_t>(id)] = -1;
  ids_.clear();
}

void RowGradient::add(const Context& context, const Tensor& x, const RowSegments& segments) {
  const std::int64_t written = std::ssize(ids_);
  std::vector<std::int32_t> places;
  for (const std::int32_t id : segments.ids()) {
    std::int32_t& place = places_.at(static_cast<std::size_t>(id));
    if (place < 0) {
      place = static_cast<std::int32_t>(ids_.size());
      ids_.push_back(id);
    }
    places.push_back(place);
  }
  const Tensor on_device =
      to_device<std::int32_t>(backend_, context.arena, places, {1, std::ssize(places)});
  backend_.segment_sum_rows(x.view(), segments.offsets(), segments.rows(), on_device.view(),
                            written, sums_.view());
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
