#pragma once

// For files of tensor/cuda and its tests alone; not installed.

#include <cstddef>
#include <deque>
#include <map>

namespace basis::cuda {

/// Values by key, the oldest forgotten beyond a number.
template <class Key, class Value>
class BoundedTable {
 public:
  explicit BoundedTable(std::size_t most) : most_(most) {}

  /// Null where there is none. Valid until the next add.
  Value* find(const Key& key) {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
  }
  /// Of a key that is not there.
  Value& add(const Key& key, Value value) {
    if (values_.size() >= most_) {
      values_.erase(order_.front());
      order_.pop_front();
    }
    order_.push_back(key);
    return values_.emplace(key, std::move(value)).first->second;
  }
  void clear() {
    values_.clear();
    order_.clear();
  }
  std::size_t size() const { return values_.size(); }
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }

 private:
  std::size_t most_;
  std::map<Key, Value> values_;
  std::deque<Key> order_;
};

}  // namespace basis::cuda
