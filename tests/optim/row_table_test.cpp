// A table whose gradient is rows ends where the dense update ends.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>

#include "autograd/embedding.h"
#include "autograd/rows.h"
#include "nn/masked_language_model.h"
#include "optim/optimizer.h"
#include "tensor/arena.h"
#include "tensor/caching_allocator.h"
#include "tensor/cpu/cpu_backend.h"
#include "tensor/packed.h"
#include "tests/tensor/as_doubles.h"

namespace basis {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr std::int64_t vocabulary = 23, width = 40;

/// Ten steps of ids. Row 0 is in every step, 7 in the first alone, 9 in the fifth alone, 20 in the
/// last alone; many are in none.
const std::vector<Ids>& ten_steps() {
  static const std::vector<Ids> steps = {{0, 7, 0, 3},  {0, 3, 3, 12, 0}, {0, 1}, {12, 0, 1, 0},
                                         {0, 9, 9, 9},  {0, 5, 3},        {5, 0}, {0, 2, 12, 2, 0},
                                         {0, 1, 0, 15}, {20, 0, 15, 20}};
  return steps;
}

struct Machine {
  std::unique_ptr<Backend> backend = make_cpu_backend(2);
  CachingAllocator memory{*backend};
  Arena arena{*backend, std::size_t{1} << 30};
};

/// One table of words, a position and a type, and the gradients of ten steps.
class Training {
 public:
  Training(Machine& machine, DType dtype, const OptimizerOptions& options, bool has_rows)
      : machine_(machine), dtype_(dtype) {
    for (const auto& [name, rows] : {std::pair{"word", vocabulary}, {"position", 6}, {"type", 1}}) {
      Parameter& parameter = store_.create(
          name, random_tensor(*machine.backend, machine.memory, {rows, width}, dtype, 3, name, 1),
          ParameterRole::Encoder, true);
      parameter.set_trainable(true);
    }
    word().set_read_by_rows(has_rows);
    optimizer_ = std::make_unique<Optimizer>(
        *machine.backend, machine.memory, store_.trainable(), [](const Parameter&) { return 0; },
        options);
  }

  Parameter& word() { return store_.at("word"); }
  Optimizer& optimizer() { return *optimizer_; }
  void end_optimizer() { optimizer_.reset(); }

  /// One step, its rows in micro-batches of `piece` (0: all in one). Gradients are random numbers
  /// times `scale`, a function of step and row.
  void step(std::int64_t number, std::size_t piece = 0, double scale = 1) {
    state_.step = static_cast<std::uint64_t>(number);
    state_.learning_rate[0] = 1e-2 * (1 - 0.05 * static_cast<double>(number));
    optimizer_->set_bias_corrections(state_);
    const Ids& ids = ten_steps()[static_cast<std::size_t>(number)];
    if (piece == 0) piece = ids.size();
    for (int pass = 0; pass < optimizer_->passes(); ++pass) {
      optimizer_->begin_pass(pass, &state_);
      if (is_watched_) moved_ = read_by_rows();
      for (std::size_t begin = 0; begin < ids.size(); begin += piece) {
        const std::size_t end = std::min(ids.size(), begin + piece);
        backward(number, begin, Ids(&ids[begin], &ids[0] + end), scale);
      }
    }
    optimizer_->put_back();
    optimizer_->step(&state_);
    if (state_.skip_update != 0) broken_ = optimizer_->parameter_not_finite();
    optimizer_->forget_gradients();
    machine_.arena.expect_empty();
  }
  void steps(std::int64_t begin, std::int64_t end, std::size_t piece = 0) {
    for (std::int64_t number = begin; number < end; ++number) step(number, piece);
  }

  /// All rows by way of the forward pass, which does not make them pay.
  std::vector<double> read_by_rows() {
    Context context{*machine_.backend, machine_.arena, nullptr, false, nullptr, dtype_};
    Ids all(vocabulary);
    std::iota(all.begin(), all.end(), 0);
    return as_doubles(*machine_.backend,
                      gather_rows(context, word().variable(context), integers(all)).value);
  }
  std::vector<double> values() { return as_doubles(*machine_.backend, word().value()); }
  /// All rows as the last pass of a step read them.
  const std::vector<double>& moved() const { return moved_; }
  void watch() { is_watched_ = true; }
  const StepState& state() const { return state_; }
  /// The parameter whose gradient was not finite in the last step that was skipped.
  const std::string& broken() const { return broken_; }

 private:
  Tensor integers(const Ids& ids) {
    return to_device<std::int32_t>(*machine_.backend, machine_.memory, ids, {std::ssize(ids)});
  }
  void backward(std::int64_t number, std::size_t first, const Ids& ids, double scale) {
    Tape tape;
    Context context{*machine_.backend, machine_.arena, &tape, true, &state_, dtype_};
    Ids positions(ids.size());
    std::iota(positions.begin(), positions.end(), static_cast<std::int32_t>(first));
    const Variable sum =
        embedding_sum(context, {word().variable(context), integers(ids),
                                RowSegments(*machine_.backend, machine_.memory, ids),
                                store_.at("position").variable(context), integers(positions),
                                store_.at("type").variable(context), integers(Ids(ids.size(), 0))});
    const Tensor gradient = context.allocate(sum.shape());
    for (std::int64_t row = 0; row < std::ssize(ids); ++row) {
      RandomStream random(static_cast<std::uint64_t>(number),
                          first + static_cast<std::uint64_t>(row));
      for (std::int64_t j = 0; j < width; ++j) {
        const double value = random.normal() * scale;
        if (dtype_ == DType::F64) {
          gradient.data<double>()[row * width + j] = value;
        } else {
          gradient.data<float>()[row * width + j] = static_cast<float>(value);
        }
      }
    }
    tape.backward(context, sum, gradient);
  }

  Machine& machine_;
  DType dtype_;
  ParameterStore store_;
  std::unique_ptr<Optimizer> optimizer_;
  StepState state_;
  std::string broken_;
  std::vector<double> moved_;
  bool is_watched_ = false;
};

OptimizerOptions options_with(OptimizerOptions::Kind kind, double momentum = 0) {
  OptimizerOptions options;
  options.kind = kind;
  options.sgd.momentum = momentum;
  options.weight_decay = 0.3;  // large, so that what a row owes is seen
  options.clip_norm = 2;       // below every step's norm
  return options;
}

void expect_close(const std::vector<double>& found, const std::vector<double>& wanted,
                  double tolerance) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found[i], wanted[i], tolerance * std::max(1.0, std::abs(wanted[i])))
        << "row " << i / width << ", column " << i % width;
  }
}

class RowTables : public testing::Test {
 protected:
  static constexpr auto adamw = OptimizerOptions::Kind::AdamW;
  static constexpr auto sgd = OptimizerOptions::Kind::Sgd;
  Machine machine_;
};

/// f64, 1e-12: ten products of 1 - lr wd, and Adam's own rounding of 1e-16 times 1 / (sqrt(v) +
/// eps), where v is of order 1. f32, 20 roundings of 6e-8 a step (of the factor and of the
/// product), 1.2e-6 over all, and as much again for the clip norm's other order.
constexpr double f64_tolerance = 1e-12, f32_tolerance = 2.4e-6;

TEST_F(RowTables, TenStepsAreDenseAdamWs) {
  for (const DType dtype : {DType::F64, DType::F32}) {
    const double tolerance = dtype == DType::F64 ? f64_tolerance : f32_tolerance;
    Training rows(machine_, dtype, options_with(adamw), true);
    Training dense(machine_, dtype, options_with(adamw), false);
    const std::vector<double> start = rows.values();
    for (std::int64_t number = 0; number < 10; ++number) {
      rows.step(number);
      dense.step(number);
      EXPECT_NEAR(rows.state().gradient_norm, dense.state().gradient_norm,
                  1e-14 * dense.state().gradient_norm);
      EXPECT_LT(rows.state().clip_factor, 1);
      // What a batch would read, before anybody has paid.
      expect_close(rows.read_by_rows(), dense.values(), tolerance);
    }
    const std::vector<double> read = rows.read_by_rows();
    EXPECT_EQ(rows.values(), read) << "paying changes what is read";
    const std::size_t untouched = 4 * width;
    EXPECT_LT(read[untouched] / start[untouched], 0.99) << "nothing was owed";
  }
}

TEST_F(RowTables, PayingBetweenStepsChangesNothingElse) {
  Training once(machine_, DType::F64, options_with(adamw), true);
  Training often(machine_, DType::F64, options_with(adamw), true);
  once.steps(0, 10);
  for (std::int64_t number = 0; number < 10; ++number) {
    often.step(number);
    often.values();
  }
  expect_close(often.values(), once.values(), f64_tolerance);
}

TEST_F(RowTables, TenStepsAreDenseSgds) {
  for (const DType dtype : {DType::F64, DType::F32}) {
    Training rows(machine_, dtype, options_with(sgd), true);
    Training dense(machine_, dtype, options_with(sgd), false);
    rows.steps(0, 10);
    dense.steps(0, 10);
    expect_close(rows.values(), dense.values(),
                 dtype == DType::F64 ? f64_tolerance : f32_tolerance);
  }
}

TEST_F(RowTables, UnderMomentumAreDense) {
  Training rows(machine_, DType::F64, options_with(sgd, 0.9), true);
  EXPECT_EQ(rows.word().gradient().rows, nullptr);
  Training dense(machine_, DType::F64, options_with(sgd, 0.9), false);
  rows.steps(0, 10);
  dense.steps(0, 10);
  EXPECT_EQ(rows.values(), dense.values());
}

TEST_F(RowTables, WithoutDecayNobodyOwes) {
  OptimizerOptions options = options_with(adamw);
  options.weight_decay = 0;
  Training rows(machine_, DType::F32, options, true);
  const std::vector<double> start = rows.values();
  rows.steps(0, 10);
  const std::vector<double> end = rows.values();
  for (std::size_t j = 4 * width; j < 5 * width; ++j) EXPECT_EQ(end[j], start[j]);
}

// Each row is summed in the order of the batch, however that is cut.
TEST_F(RowTables, MicroBatchesGiveTheLargeBatchsBits) {
  for (const std::size_t piece : {1, 2, 3}) {
    Training cut(machine_, DType::F32, options_with(adamw), true);
    cut.step(7, piece);
    Training uncut(machine_, DType::F32, options_with(adamw), true);
    uncut.step(7);
    const auto dense = [&](Training& training) {
      return to_host<float>(*machine_.backend,
                            training.word().gradient().rows->to_dense(machine_.memory));
    };
    EXPECT_EQ(dense(cut), dense(uncut));
  }
  Training cut(machine_, DType::F64, options_with(adamw), true);
  Training uncut(machine_, DType::F64, options_with(adamw), true);
  cut.steps(0, 10, 2);
  uncut.steps(0, 10);
  expect_close(cut.values(), uncut.values(), f64_tolerance);
}

TEST_F(RowTables, ANumberThatIsNotFiniteNamesTheTableAndChangesNothing) {
  Training training(machine_, DType::F32, options_with(adamw), true);
  training.steps(0, 4);
  const std::vector<double> before = training.read_by_rows();
  training.step(4, 0, std::numeric_limits<double>::infinity());  // row 9 comes for the first time
  EXPECT_EQ(training.state().skip_update, 1);
  EXPECT_EQ(training.broken(), "word");
  EXPECT_EQ(training.read_by_rows(), before);
  EXPECT_EQ(training.values(), before);
  EXPECT_NE(training.optimizer().largest_parameter().name, "");
}

// The optimiser's end is when a stage saves its model.
TEST_F(RowTables, AllRowsPayWhenTheOptimiserGoes) {
  Training training(machine_, DType::F32, options_with(adamw), true);
  training.steps(0, 10);
  const std::vector<double> before = training.read_by_rows();
  training.end_optimizer();
  EXPECT_EQ(training.values(), before);
  EXPECT_EQ(training.read_by_rows(), before);
  EXPECT_EQ(training.word().gradient().rows, nullptr);
}

/// Under SAM or GO the gradients of these tests, which no value moves, are as without.
OptimizerOptions moved_options(OptimizerOptions::Kind kind,
                               const PerturbationOptions& perturbation) {
  OptimizerOptions options = options_with(kind);
  options.perturbation = perturbation;
  return options;
}

std::vector<PerturbationOptions> perturbations() {
  using Kind = PerturbationOptions::Kind;
  return {{Kind::Sam, 3}, {Kind::Go, 2, false}, {Kind::Go, 2, true}};
}

// Rows that owe are read at their worth and moved from there, and owe again afterwards.
TEST_F(RowTables, AreMovedAsADenseTableIs) {
  for (const PerturbationOptions& perturbation : perturbations()) {
    for (const auto kind : {adamw, sgd}) {
      const OptimizerOptions options = moved_options(kind, perturbation);
      Training rows(machine_, DType::F64, options, true);
      Training dense(machine_, DType::F64, options, false);
      rows.watch();
      dense.watch();
      for (std::int64_t number = 0; number < 10; ++number) {
        const std::vector<double> before = dense.values();
        rows.step(number);
        dense.step(number);
        expect_close(rows.moved(), dense.moved(), f64_tolerance);
        EXPECT_NE(dense.moved(), before);
        expect_close(rows.read_by_rows(), dense.values(), f64_tolerance);
      }
    }
  }
}

TEST_F(RowTables, ComeBackBitForBit) {
  for (const DType dtype : {DType::F64, DType::F32}) {
    Training plain(machine_, dtype, options_with(adamw), true);
    plain.steps(0, 10);
    for (const PerturbationOptions& perturbation : perturbations()) {
      Training moved(machine_, dtype, moved_options(adamw, perturbation), true);
      moved.steps(0, 10);
      EXPECT_EQ(moved.read_by_rows(), plain.read_by_rows());
    }
  }
}

TEST_F(RowTables, SamMovesRowsThatHaveAGradientAlone) {
  const PerturbationOptions sam{PerturbationOptions::Kind::Sam, 3};
  Training training(machine_, DType::F64, moved_options(adamw, sam), true);
  training.steps(0, 4);
  training.watch();
  const std::vector<double> before = training.read_by_rows();
  training.step(4);  // of 0 and 9
  for (std::size_t row = 0; row < vocabulary; ++row) {
    for (std::size_t j = row * width; j < (row + 1) * width; ++j) {
      EXPECT_EQ(training.moved()[j] == before[j], row != 0 && row != 9) << row;
    }
  }
}

class RowTableCheckpoints : public RowTables {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "basis-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path saved(Training& training) const {
    write_safetensors(folder_ / "state.safetensors", training.optimizer().state(), {});
    return folder_ / "state.safetensors";
  }

  std::filesystem::path folder_;
};

TEST_F(RowTableCheckpoints, GoOnToTheSameBits) {
  Training whole(machine_, DType::F32, options_with(adamw), true);
  whole.steps(0, 10);
  for (const std::int64_t stop : {1, 5, 9}) {
    Training first(machine_, DType::F32, options_with(adamw), true);
    first.steps(0, stop);
    const SafeTensors file = SafeTensors::open(saved(first));
    Training second(machine_, DType::F32, options_with(adamw), true);
    second.steps(0, 2);  // what was there before the load is forgotten
    second.optimizer().load(file);
    EXPECT_EQ(second.read_by_rows(), first.read_by_rows());
    second.steps(stop, 10);
    EXPECT_EQ(second.values(), whole.values()) << "stopped after " << stop;
  }
}

TEST_F(RowTableCheckpoints, HoldMomentsOfRowsThatHadAGradientAlone) {
  Training training(machine_, DType::F32, options_with(adamw), true);
  training.steps(0, 2);
  const SafeTensors file = SafeTensors::open(saved(training));
  EXPECT_EQ(file.shape("word.rows"), Shape{4});  // 0, 3, 7, 12
  EXPECT_EQ(file.shape("word.moment1"), (Shape{4, width}));
  EXPECT_EQ(file.shape("word.moment2"), (Shape{4, width}));
  EXPECT_EQ(file.shape("word.values"), (Shape{vocabulary, width}));
}

TEST_F(RowTableCheckpoints, OfOthersAreRefused) {
  Training training(machine_, DType::F32, options_with(adamw), true);
  training.steps(0, 2);
  const auto refused = [&](const std::string& name, const Tensor& tensor) {
    auto state = training.optimizer().state();
    for (auto& entry : state) {
      if (entry.first == name) entry.second = tensor;
    }
    std::erase_if(state, [](const auto& entry) { return entry.second.is_empty(); });
    write_safetensors(folder_ / "other.safetensors", state, {});
    Training other(machine_, DType::F32, options_with(adamw), true);
    EXPECT_THROW(other.optimizer().load(SafeTensors::open(folder_ / "other.safetensors")), Error)
        << name;
  };
  const auto integers = [&](const Ids& ids) {
    return to_device<std::int32_t>(*machine_.backend, machine_.memory, ids, {std::ssize(ids)});
  };
  refused("word.rows", {});
  refused("word.rows", integers({0, 7, 3}));      // fewer than moments
  refused("word.rows", integers({0, 7, 3, 23}));  // beyond the table
  refused("word.rows", integers({0, 7, 3, -1}));
  refused("word.rows", integers({0, 7, 3, 7}));  // twice
  refused("word.owed", {});
  refused("word.values", integers({0, 7, 3, 23}));
  refused("moment1", {});
}

TEST_F(RowTables, ABatchThatDoesNotSayWhichRowsHaveWhichIdIsRefused) {
  Training training(machine_, DType::F32, options_with(adamw), true);
  Tape tape;
  Context context{*machine_.backend, machine_.arena, &tape, true, nullptr, DType::F32};
  const Tensor ids = to_device<std::int32_t>(*machine_.backend, machine_.memory, Ids{1, 2}, {2});
  const Variable word = training.word().variable(context);
  const auto sum = [&] { return embedding_sum(context, {word, ids, {}, word, ids, word, ids}); };
  EXPECT_THROW(sum(), Error);
}

// The decoder's product gives every row of the table a gradient.
TEST_F(RowTables, ATiedDecoderKeepsTheGradientDense) {
  BertConfig config;
  config.vocab_size = vocabulary;
  config.hidden_size = 8;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 2;
  config.intermediate_size = 8;
  MaskedLanguageModel language(*machine_.backend, machine_.memory, config, nullptr, {});
  EXPECT_FALSE(language.bert().word_embeddings().is_read_by_rows());
  ParameterStore store;
  ModelBuilder builder(*machine_.backend, machine_.memory, store, nullptr, {}, 0.02);
  const Bert alone(builder, store, config, false, ParameterRole::Head);
  EXPECT_TRUE(alone.word_embeddings().is_read_by_rows());
}

}  // namespace
}  // namespace basis
