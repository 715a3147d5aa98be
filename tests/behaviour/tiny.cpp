#include "tests/behaviour/tiny.h"

#include <numeric>

#include "autograd/losses.h"
#include "autograd/row_gradient.h"
#include "data/synthetic.h"
#include "experiments/training_settings.h"
#include "tensor/cpu/cpu_backend.h"
#include "tests/tensor/as_doubles.h"

namespace basis::behaviour {

namespace {

constexpr std::size_t arena_bytes = std::size_t{1} << 30;  // of address space
constexpr std::int64_t classes = 3;
constexpr std::int64_t longest = 40;

BertInputs inputs_of(const Batch& batch) {
  return {batch.layout, batch.ids, batch.positions, batch.types, 0, 0, batch.segments};
}

const SyntheticLanguage& language() {
  static const SyntheticLanguage one(0);
  return one;
}

EncodedDataset make_rows() {
  const WordPieceTokenizer tokenizer(language().vocabulary(), WordPieceOptions{},
                                     "synthetic vocabulary");
  SyntheticOptions options;
  options.train_rows = 48;
  options.dev_rows = 3;
  const TaskData data = language().task("synthetic-entailment", options);
  // Every fourth row has its first text alone: more lengths, both token types in every batch.
  std::size_t row = 0;
  return encode(data.train, false, [&](const Example& example) {
    return row++ % 4 == 0 ? tokenizer.encode(example.first, longest)
                          : tokenizer.encode_pair(example.first, example.second, longest);
  });
}

}  // namespace

namespace {

Arena arena_on(Backend& backend) {
  if (backend.device() == DeviceKind::Cpu) return Arena(backend, arena_bytes);
  return Arena(backend);
}

}  // namespace

Machine::Machine(int threads) : Machine(make_cpu_backend(threads)) {}
Machine::Machine(std::unique_ptr<Backend> one)
    : backend(std::move(one)), memory(*backend), arena(arena_on(*backend)) {}

const EncodedDataset& tiny_rows() {
  static const EncodedDataset rows = make_rows();
  return rows;
}

std::unique_ptr<SequenceClassifier> tiny_model(Machine& machine, const TinyModelOptions& options) {
  BertConfig config;
  config.vocab_size = std::ssize(language().vocabulary());
  config.hidden_size = 32;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.intermediate_size = 48;
  config.max_position_embeddings = longest;
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = options.dropout;
  config.initializer_range = 0.1;
  config.head = options.head;
  config.labels = {"no", "maybe", "yes"};
  config.problem_type = "single_label_classification";
  return std::make_unique<SequenceClassifier>(*machine.backend, machine.memory, config, classes,
                                              nullptr, ModelOptions{7, options.dtype});
}

std::vector<NamedMethod> all_methods() {
  using Kind = AdapterMethod::Kind;
  using Form = AdapterMethod::Form;
  using Apply = AdapterMethod::Apply;
  std::vector<NamedMethod> methods;
  for (const Kind kind : {Kind::Full, Kind::Head, Kind::BitFit, Kind::Norms}) {
    methods.push_back({name_of(kind), {}});
    methods.back().method.kind = kind;
  }
  const auto add = [&](const std::string& name, Kind kind, Form form, Apply apply) {
    NamedMethod one{name + (apply == Apply::Merged     ? "_merged"
                            : apply == Apply::SidePath ? "_side"
                                                       : "_folded"),
                    {}};
    one.method.kind = kind;
    one.method.form = form;
    one.method.apply = apply;
    one.method.rank = 4;
    one.method.tokens_per_step = 100;  // on width 32 with rank 4 auto is folded
    one.method.seed = 5;
    methods.push_back(one);
  };
  for (const Apply apply : {Apply::SidePath, Apply::Auto, Apply::Merged}) {
    add("lora", Kind::Lora, Form::Core, apply);
    for (const Form form : {Form::Diagonal, Form::Band, Form::Core}) {
      add(std::string("spectral_") + name_of(form), Kind::Spectral, form, apply);
    }
  }
  for (const Apply apply : {Apply::SidePath, Apply::Auto}) {
    add("pissa", Kind::Pissa, Form::Core, apply);
    add("lora_xs", Kind::LoraXs, Form::Core, apply);
    add("pica", Kind::Pica, Form::Core, apply);
    add("pica_shared", Kind::Pica, Form::Core, apply);
    methods.back().method.shares_factors = true;
  }
  add("rslora", Kind::RsLora, Form::Core, Apply::Auto);
  using Curvature = AdapterMethod::Curvature;
  for (const auto& [name, kind, curvature] :
       {std::tuple{"ct_steered", Kind::Head, Curvature::Steered},
        std::tuple{"ct_trained", Kind::Head, Curvature::Trained},
        std::tuple{"ct_spectral", Kind::Spectral, Curvature::Trained}}) {
    add(name, kind, Form::Core, Apply::SidePath);
    methods.back().method.curvature = curvature;
    methods.back().method.curvature_beta = 0.7;
  }
  for (const Kind kind : {Kind::Vera, Kind::Dora, Kind::Ia3}) {
    add(name_of(kind), kind, Form::Core, Apply::SidePath);
  }
  return methods;
}

void PrintTo(const NamedMethod& method, std::ostream* out) {
  *out << method.name;
}

std::string name_of_method(const testing::TestParamInfo<NamedMethod>& info) {
  return info.param.name;
}

TinyTraining::TinyTraining(Machine& machine, SequenceClassifier& model,
                           const TinyTrainingOptions& options)
    : machine_(machine),
      model_(model),
      options_(options),
      plan_(tiny_rows(), BatchOptions{options.batch, 0, options.micro_batch, true, false}, 3, 0) {
  task_.steps = options.steps;
  task_.begin_step = [this](std::int64_t step) { return begin_step(step); };
  task_.loss = [this](Context& context, std::int64_t i, double scale) {
    return loss(context, i, scale);
  };
  OptimizerOptions optimizer;
  optimizer.clip_norm = options.clip_norm;
  optimizer.perturbation = options.perturbation;
  optimizer.weight_decay = 0;  // what moves, moves by its gradient
  optimizer_ =
      std::make_unique<Optimizer>(*machine.backend, machine.memory, model.parameters().trainable(),
                                  learning_rate_group, optimizer);
  TrainerOptions trainer;
  trainer.seed = 11;
  trainer.dtype = options.dtype;
  trainer.recomputes_layers = options.recomputes_layers;
  trainer.schedule.kind = Schedule::Kind::Constant;
  trainer.learning_rates = {options.learning_rate, options.learning_rate};
  trainer.checkpoint_every = options.checkpoint_every;
  trainer.folder = options.folder;
  trainer.before_update = options.before_update;
  trainer_ =
      std::make_unique<Trainer>(*machine.backend, machine.arena, *optimizer_, task_, trainer);
}

TrainingTask::Step TinyTraining::begin_step(std::int64_t step) {
  batches_.clear();
  TrainingTask::Step result;
  for (const MicroBatch& micro : plan_.micro_batches(step % plan_.size())) {
    batches_.push_back(make_batch(*machine_.backend, machine_.memory, tiny_rows(), micro.examples,
                                  micro.first_example, options_.dtype));
    result.loss_count += batches_.back().loss_count;
    result.tokens += batches_.back().layout.tokens();
  }
  result.micro_batches = std::ssize(batches_);
  return result;
}

Variable TinyTraining::loss(Context& context, std::int64_t micro_batch, double scale) {
  const Batch& batch = batches_[static_cast<std::size_t>(micro_batch)];
  const Variable loss = cross_entropy(context, model_.logits(context, inputs_of(batch)),
                                      batch.labels, scale * gradient_scale);
  if (options_.after_forward) options_.after_forward();
  return loss;
}

namespace {

/// The gradients of the parameters that train, by name; a table's rows as the dense table.
std::map<std::string, std::vector<double>> gradients_of(Machine& machine,
                                                        const SequenceClassifier& model) {
  std::map<std::string, std::vector<double>> gradients;
  for (const Parameter* parameter : model.parameters().trainable()) {
    const Gradient& gradient = parameter->gradient();
    gradients[parameter->name()] = as_doubles(
        *machine.backend,
        gradient.rows != nullptr ? gradient.rows->to_dense(machine.memory) : gradient.tensor);
  }
  return gradients;
}

}  // namespace

StepOutcome outcome_of_step(const AdapterMethod& method, const TinyModelOptions& model_options,
                            TinyTrainingOptions options) {
  Machine machine;
  const auto model = tiny_model(machine, model_options);
  attach(*machine.backend, machine.memory, *model, method);
  options.learning_rate = 0;
  options.clip_norm = 0;
  StepOutcome outcome;
  options.before_update = [&] { outcome.gradients = gradients_of(machine, *model); };
  TinyTraining training(machine, *model, options);
  const StepReport report = training.trainer().train_step(2);
  outcome.loss = report.loss;
  outcome.norm = report.gradient_norm;
  return outcome;
}

std::map<std::string, std::string> values_of(const SequenceClassifier& model) {
  std::map<std::string, std::string> values;
  for (const auto& parameter : model.parameters().all()) {
    const Tensor value = to_host(model.backend(), parameter->value());
    values[parameter->name()].assign(reinterpret_cast<const char*>(value.bytes_begin()),
                                     value.bytes());
  }
  return values;
}

std::vector<float> logits_of(Machine& machine, const SequenceClassifier& model) {
  std::vector<std::int32_t> all(static_cast<std::size_t>(tiny_rows().size()));
  std::iota(all.begin(), all.end(), 0);
  const Batch batch = make_batch(*machine.backend, machine.memory, tiny_rows(), all, 0);
  Context context{*machine.backend, machine.arena, nullptr, false, nullptr, DType::F32};
  return to_host<float>(*machine.backend, model.logits(context, inputs_of(batch)).value);
}

}  // namespace basis::behaviour
