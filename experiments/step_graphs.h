#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/batch.h"
#include "nn/parameter.h"
#include "tensor/arena.h"
#include "tensor/row_segments.h"

namespace basis {

/// The name of a pass over a batch that stands in the place of its shape. The divisor of the loss
/// is a number of the pass.
std::string name_of_pass(const BatchShape& shape, std::int64_t loss_count);

/// Forward and backward passes that are recorded once and queued again (CUDA graphs): thousands of
/// small calls by the host become one. A pass is known by a name; passes of one name must queue the
/// same kernels on the same addresses, so what differs between them lies in the backend's memory.
class StepGraphs {
 public:
  /// `trained`: the parameters whose gradients passes write. They must outlive this.
  StepGraphs(Backend& backend, Arena& arena, std::vector<Parameter*> trained);

  /// Queues a pass: `pass` the first time, then what a second call of it recorded. Gives the loss
  /// that it gave, (1, 1) f64, and leaves gradients as it did. The arena is empty before.
  Tensor run(const std::string& name, const std::function<Tensor()>& pass);

  /// Of all passes so far, how many were queued by a recording, and how many recordings there are.
  struct Counts {
    std::int64_t passes = 0, replayed = 0, recordings = 0;
  };
  Counts counts() const;

 private:
  /// A gradient that the pass wrote.
  struct Written {
    Parameter* parameter;
    Tensor tensor;                   // without its memory
    std::vector<RowSegments> added;  // of rows
  };
  struct Graph {
    std::shared_ptr<void> recording;
    std::uint64_t generation = 0;  // of the arena
    std::byte* begin = nullptr;    // of the arena's part that the pass works in
    std::size_t extent = 0;
    std::byte* loss = nullptr;
    std::vector<Written> written;
  };
  Tensor record(Graph& graph, const std::function<Tensor()>& pass);
  Tensor replay(const Graph& graph);

  static constexpr std::size_t most_graphs = 64;
  Backend& backend_;
  Arena& arena_;
  std::vector<Parameter*> trained_;
  std::map<std::string, Graph> graphs_;  // without a recording: seen once
  std::int64_t passes_ = 0, replayed_ = 0;
};

}  // namespace basis
