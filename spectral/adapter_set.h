#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nn/sequence_classifier.h"

namespace basis {

/// Several adapters on one model, of which at most one is in its slots. The encoder stands in
/// memory once, an adapter with its head as often as there are some; to switch moves pointers and
/// copies nothing. One is made by attach or load_adapter on the bare model and put away by keep():
///
///   AdapterSet adapters(model);
///   load_adapter(backend, memory, "sst2", model);
///   adapters.keep("sst2");
///   load_adapter(backend, memory, "qqp", model);
///   adapters.keep("qqp");
///   adapters.use("sst2");
///
/// Not while an optimiser has the model's parameters. The model must outlive it.
class AdapterSet {
 public:
  /// `model` has no adapter; as it is now it is again whenever none is in use.
  explicit AdapterSet(SequenceClassifier& model);
  ~AdapterSet();
  AdapterSet(const AdapterSet&) = delete;
  AdapterSet& operator=(const AdapterSet&) = delete;

  /// Takes what was attached since none was in use, with the head and whatever else it has trained,
  /// and leaves the bare model. Throws Error for a name that is taken or empty, and while one is in
  /// use.
  void keep(const std::string& name);
  /// Puts one into the model in the place of the one that is there. Throws Error, with `model` as
  /// it was, for a name that is not among them (they are named) and where one is attached that was
  /// not kept.
  void use(const std::string& name);
  /// Leaves the bare model.
  void use_none();

  std::vector<std::string> names() const;
  /// Which one is in use; empty where none is.
  const std::string& in_use() const { return in_use_; }

 private:
  struct State;  // all in which two of them differ
  std::unique_ptr<State> take();
  void put(State& state);

  SequenceClassifier& model_;
  std::map<std::string, std::unique_ptr<State>> kept_;  // null: the one in use
  std::unique_ptr<State> bare_;
  std::string in_use_;
};

}  // namespace basis
