// What a method trains moves, all of it; everything else keeps its bits.
#include <set>

#include "tests/behaviour/tiny.h"

namespace basis::behaviour {
namespace {

/// The softmax does not see a key's bias: its gradient is a rounding of zero.
bool is_key_bias(const std::string& name) {
  return name.ends_with("attention.self.key.bias");
}

std::int64_t moved_elements(const std::string& before, const std::string& after) {
  std::int64_t moved = 0;
  for (std::size_t i = 0; i < before.size(); i += sizeof(float)) {
    moved += before.compare(i, sizeof(float), after, i, sizeof(float)) != 0 ? 1 : 0;
  }
  return moved;
}

/// Of the six matrices of two layers.
int trained_of_matrices(const AdapterMethod& method) {
  using Kind = AdapterMethod::Kind;
  switch (method.kind) {
    case Kind::Full:
    case Kind::Head:
    case Kind::BitFit:
    case Kind::Norms:
      return 0;
    case Kind::Lora:
    case Kind::RsLora:
    case Kind::Pissa:
    case Kind::Vera:
      return 24;
    case Kind::Dora:
      return 36;
    case Kind::Ia3:
      return 6;
    case Kind::Spectral:
    case Kind::LoraXs:
      return 12;
    case Kind::Pica:
      return method.shares_factors ? 6 : 12;
  }
  return -1;
}

/// With a β and a c of each layer.
int trained_factors(const AdapterMethod& method) {
  const int of_activations = method.curvature == AdapterMethod::Curvature::Trained ? 4 : 0;
  return trained_of_matrices(method) + of_activations;
}

class Trainable : public testing::TestWithParam<NamedMethod> {};

TEST_P(Trainable, AllOfItMovesAndNothingElse) {
  for (const char* head : {"mean", "pooler"}) {
    SCOPED_TRACE(head);
    Machine machine;
    TinyModelOptions options;
    options.head = head;
    const auto model = tiny_model(machine, options);
    attach(*machine.backend, machine.memory, *model, GetParam().method);
    std::set<std::string> trained;
    for (const Parameter* parameter : model->parameters().trainable()) {
      trained.insert(parameter->name());
    }
    EXPECT_TRUE(trained.contains("classifier.weight"));
    EXPECT_EQ(trained.contains("pooler.dense.weight"), std::string(head) == "pooler");
    const auto before = values_of(*model);
    TinyTraining training(machine, *model);
    training.trainer().run(nullptr);
    const auto after = values_of(*model);
    ASSERT_EQ(after.size(), before.size());
    for (const auto& [name, value] : before) {
      if (is_key_bias(name) && trained.contains(name)) continue;
      EXPECT_EQ(after.at(name) != value, trained.contains(name)) << name;
    }
  }
}

// An adapter's factors are dense: no element may be left behind, and the corners of a band, which
// stand for nothing, stay as they were.
TEST_P(Trainable, EveryElementOfAnAdapterMovesButForPadding) {
  Machine machine;
  const auto model = tiny_model(machine);
  attach(*machine.backend, machine.memory, *model, GetParam().method);
  const auto before = values_of(*model);
  TinyTraining training(machine, *model);
  training.trainer().run(nullptr);
  const auto after = values_of(*model);
  int adapters = 0;
  for (const Parameter* parameter : model->parameters().trainable()) {
    if (parameter->role() != ParameterRole::Adapter) continue;
    ++adapters;
    const std::string& name = parameter->name();
    EXPECT_EQ(moved_elements(before.at(name), after.at(name)),
              parameter->count() - parameter->padding())
        << name;
  }
  EXPECT_EQ(adapters, trained_factors(GetParam().method));
}

INSTANTIATE_TEST_SUITE_P(Methods, Trainable, testing::ValuesIn(all_methods()), name_of_method);

}  // namespace
}  // namespace basis::behaviour
