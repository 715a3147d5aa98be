#include "experiments/step_graphs.h"

#include <fmt/format.h>

#include "autograd/row_gradient.h"

namespace basis {

namespace {

/// Ends the recording whichever way the pass ends.
class RecordingScope {
 public:
  explicit RecordingScope(Backend& backend) : backend_(backend) { backend_.begin_recording(); }
  ~RecordingScope() {
    if (is_open_) backend_.end_recording();
  }
  RecordingScope(const RecordingScope&) = delete;
  RecordingScope& operator=(const RecordingScope&) = delete;

  std::shared_ptr<void> end() {
    is_open_ = false;
    return backend_.end_recording();
  }

 private:
  Backend& backend_;
  bool is_open_ = true;
};

/// The same place in memory that `owner` keeps.
Tensor placed(const Tensor& tensor, const Block& owner) {
  return Tensor(owner, tensor.bytes_begin(), tensor.shape(), tensor.dtype(), tensor.device());
}

}  // namespace

std::string name_of_pass(const BatchShape& shape, std::int64_t loss_count) {
  return fmt::format("{}, {} labels", shape.to_string(), loss_count);
}

StepGraphs::StepGraphs(Backend& backend, Arena& arena, std::vector<Parameter*> trained)
    : backend_(backend), arena_(arena), trained_(std::move(trained)) {}

StepGraphs::Counts StepGraphs::counts() const {
  Counts counts{passes_, replayed_, 0};
  for (const auto& [name, graph] : graphs_) counts.recordings += graph.recording != nullptr ? 1 : 0;
  return counts;
}

Tensor StepGraphs::run(const std::string& name, const std::function<Tensor()>& pass) {
  ++passes_;
  const auto found = graphs_.find(name);
  if (found == graphs_.end()) {
    // The first time alone: libraries choose their algorithms, weights get their copies.
    if (graphs_.size() < most_graphs) graphs_[name] = {};
    return pass();
  }
  Graph& graph = found->second;
  if (graph.recording != nullptr && graph.generation == arena_.generation()) return replay(graph);
  graph = {};
  return record(graph, pass);
}

Tensor StepGraphs::record(Graph& graph, const std::function<Tensor()>& pass) {
  if (!arena_.begin_extent()) return pass();
  // Weights are prepared within the pass, as they must be whenever it is queued again.
  for (Parameter* parameter : trained_) parameter->touch();
  const std::uint64_t generation = arena_.generation();
  RecordingScope scope(backend_);
  Tensor loss = pass();
  const std::shared_ptr<void> recording = scope.end();
  backend_.replay(recording);
  // It outgrew the arena: its addresses were good this once.
  if (arena_.generation() != generation) return loss;
  graph.recording = recording;
  graph.generation = generation;
  graph.begin = arena_.begin();
  graph.extent = arena_.extent();
  graph.loss = loss.bytes_begin();
  for (Parameter* parameter : trained_) {
    const Gradient& gradient = parameter->gradient();
    if (!gradient.is_written) continue;
    Written written{parameter, {}, {}};
    if (gradient.rows != nullptr) {
      written.added = gradient.rows->added();
    } else {
      written.tensor = placed(gradient.tensor, nullptr);
    }
    graph.written.push_back(std::move(written));
  }
  return loss;
}

Tensor StepGraphs::replay(const Graph& graph) {
  ++replayed_;
  const Block memory = arena_.allocate(graph.extent);
  ensure(memory.get() == graph.begin, "a pass finds the arena empty");
  backend_.replay(graph.recording);
  for (const Written& written : graph.written) {
    Gradient& gradient = written.parameter->gradient();
    if (gradient.rows != nullptr) {
      gradient.rows->set_added(written.added);
    } else {
      gradient.tensor = placed(written.tensor, memory);
    }
    gradient.is_written = true;
  }
  return Tensor(memory, graph.loss, {1, 1}, DType::F64, backend_.device());
}

}  // namespace basis
