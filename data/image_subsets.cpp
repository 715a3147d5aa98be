#include "data/image_subsets.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "data/shuffle.h"
#include "tensor/error.h"

namespace basis {
namespace {

constexpr std::uint64_t purpose = 0x73747274ull << 32;  // "strt"; below it the class

/// A row and its place in its class: (place + 1/2) / size is where it stands in the order.
struct Place {
  std::int64_t twice, size;  // 2 place + 1, rows of the class
  std::int32_t row;

  bool operator<(const Place& other) const { return twice * other.size < other.twice * size; }
};

std::vector<std::vector<std::int32_t>> rows_by_class(const ImageSet& set) {
  std::vector<std::vector<std::int32_t>> classes(static_cast<std::size_t>(set.classes));
  for (std::int64_t row = 0; row < set.count; ++row) {
    const auto label = static_cast<std::size_t>(set.labels[static_cast<std::size_t>(row)]);
    classes.at(label).push_back(static_cast<std::int32_t>(row));
  }
  return classes;
}

}  // namespace

std::vector<std::int32_t> stratified_order(const ImageSet& set, std::uint64_t seed) {
  std::vector<Place> places;
  std::uint64_t label = 0;
  for (std::vector<std::int32_t>& rows : rows_by_class(set)) {
    shuffle(rows, seed, purpose | label++);
    std::int64_t twice = 1;
    for (std::int32_t row : rows) {
      places.push_back({twice, std::ssize(rows), row});
      twice += 2;
    }
  }
  std::stable_sort(places.begin(), places.end());
  std::vector<std::int32_t> order;
  order.reserve(places.size());
  for (const Place& place : places) order.push_back(place.row);
  return order;
}

ImageSet nested_subset(const ImageSet& set, std::int64_t rows, std::uint64_t seed) {
  if (rows < 1 || rows > set.count) {
    throw Error(fmt::format("a subset of {} images asked, expected 1 to the {} of the set", rows,
                            set.count));
  }
  const std::vector<std::int32_t> order = stratified_order(set, seed);
  return select(set, std::span(order).first(static_cast<std::size_t>(rows)));
}

}  // namespace basis
