#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "autograd/variable.h"

namespace basis {

struct Context;

/// The operations of a step in order of creation, replayed backwards: no recursion, no topological
/// sort. A node and all it saved go as soon as it has been replayed.
class Tape {
 public:
  /// From the gradient of an operation's output to those of its inputs. For a loss `dout` is empty
  /// and means 1. `dout` may be taken: the tape does not need it again.
  using Backward = std::function<void(Context&, Tensor& dout)>;

  Tape() = default;
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// Adds a node; the returned gradient is its output's, owned by the tape.
  Gradient* record(Backward backward);

  /// Replays from `loss`, a value that a loss operation returned, and empties the tape.
  void backward(Context& context, const Variable& loss);
  /// Replays from any value with `cotangent` (same shape and dtype) as its gradient, whose elements
  /// may be written over.
  void backward(Context& context, const Variable& output, Tensor cotangent);

  /// Forgets everything without replaying it.
  void clear();
  std::size_t size() const { return nodes_.size(); }

 private:
  struct Node {
    Gradient* output;
    Backward backward;
  };
  void replay(Context& context);

  std::vector<Node> nodes_;
  std::deque<Gradient> gradients_;  // addresses stay while nodes are added
};

}  // namespace basis
