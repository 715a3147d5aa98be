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
  using Kind = AdapterMethod::Kind;
  const int matrices = 2 * 6;
  const Kind kind = GetParam().method.kind;
  EXPECT_EQ(adapters, kind == Kind::Lora ? 2 * matrices : kind == Kind::Spectral ? matrices : 0);
}

INSTANTIATE_TEST_SUITE_P(Methods, Trainable, testing::ValuesIn(all_methods()), name_of_method);

}  // namespace
}  // namespace basis::behaviour
