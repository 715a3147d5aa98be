#include "tests/oracle/oracle_case.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "tensor/cpu/cpu_backend.h"

namespace basis::oracle {

std::filesystem::path folder() {
  // Elsewhere where a program was carried to another machine (scripts/package_gpu.sh).
  const char* carried = std::getenv("BASIS_ORACLE_FOLDER");
  return carried != nullptr ? carried : BASIS_ORACLE_FOLDER;
}

Machine::Machine(std::unique_ptr<Backend> on)
    : backend(on == nullptr ? make_cpu_backend() : std::move(on)),
      memory(std::make_unique<CachingAllocator>(*backend)),
      arena(std::make_unique<Arena>(*backend, std::size_t{1} << 30)) {
  arena->set_poison(true);
}

Case::Case(const std::string& path, DType dtype)
    : file_(SafeTensors::open(folder() / (path + ".safetensors"))),
      settings_(nlohmann::json::parse(file_.metadata().at("oracle"))),
      dtype_(dtype) {}

std::vector<double> Case::numbers(const std::string& name) const {
  const Tensor tensor = file_.tensor(name, DType::F64);
  const double* data = tensor.data<double>();
  return {data, data + tensor.element_count()};
}

std::filesystem::path Case::model_folder() const {
  return folder() / "models" /
         std::filesystem::path(settings_.at("model").get<std::string>()).filename();
}

BertConfig Case::config() const {
  BertConfig config = BertConfig::read(model_folder());
  config.hidden_dropout_prob = 0;
  config.attention_probs_dropout_prob = 0;
  config.classifier_dropout = 0;
  config.head = settings_.at("head").get<std::string>() == "pooler" ? "pooler" : "mean";
  return config;
}

std::int64_t Case::outputs() const {
  return file_.shape("classifier.weight")[0];
}

void Case::fill(Machine& machine, Parameter& parameter, const std::string& name) const {
  const Tensor stored = file_.tensor(name, dtype_);
  if (stored.element_count() != parameter.count()) {
    throw Error(name + " " + stored.to_string() + " is not " + parameter.value().to_string());
  }
  Tensor value =
      Tensor::allocate(*machine.memory, parameter.shape(), dtype_, machine.backend->device());
  machine.backend->copy_to_device(stored.bytes_begin(), value.bytes_begin(), value.bytes());
  parameter.set_value(value);
}

std::unique_ptr<SequenceClassifier> Case::classifier(Machine& machine) const {
  Checkpoint checkpoint(model_folder());
  auto model = std::make_unique<SequenceClassifier>(
      *machine.backend, *machine.memory, config(), outputs(), &checkpoint, ModelOptions{0, dtype_});
  for (const char* name : {"classifier.weight", "classifier.bias"}) {
    fill(machine, model->parameters().at(name), name);
  }
  for (const auto& parameter : model->parameters().all()) {
    const bool is_unused =
        model->config().head == "mean" && parameter->name().starts_with("pooler.");
    parameter->set_trainable(!is_unused);
  }
  return model;
}

std::unique_ptr<MaskedLanguageModel> Case::language_model(Machine& machine) const {
  Checkpoint checkpoint(model_folder());
  auto model = std::make_unique<MaskedLanguageModel>(*machine.backend, *machine.memory, config(),
                                                     &checkpoint, ModelOptions{0, dtype_});
  for (const auto& parameter : model->parameters().all()) {
    if (file_.contains(parameter->name())) fill(machine, *parameter, parameter->name());
    parameter->set_trainable(true);
  }
  return model;
}

namespace {

Tensor integers(Machine& machine, std::vector<std::int32_t> values, std::size_t padded_size) {
  values.resize(std::max(values.size(), padded_size), 0);
  const auto size = static_cast<std::int64_t>(values.size());
  return to_device<std::int32_t>(*machine.backend, *machine.memory, values, {size});
}

/// The rows of a tensor in host memory, then zeros.
Tensor padded_rows(Machine& machine, const Tensor& stored, std::int64_t rows) {
  Tensor padded = Tensor::allocate(*machine.memory, {rows, stored.shape().column_count()},
                                   stored.dtype(), machine.backend->device());
  machine.backend->fill(0, padded.view());
  machine.backend->copy_to_device(stored.bytes_begin(), padded.bytes_begin(), stored.bytes());
  return padded;
}

}  // namespace

OracleBatch Case::batch(Machine& machine, const std::string& prefix) const {
  auto read = [&](const std::string& name) {
    const Tensor tensor = file_.tensor(prefix + name, DType::I32);
    const std::int32_t* data = tensor.data<std::int32_t>();
    return std::vector<std::int32_t>(data, data + tensor.element_count());
  };
  const std::vector<std::int32_t> offsets = read("offsets");
  std::vector<std::int32_t> lengths, positions;
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
    lengths.push_back(offsets[b + 1] - offsets[b]);
    for (std::int32_t p = 0; p < lengths.back(); ++p) positions.push_back(p);
  }
  OracleBatch batch;
  batch.layout = PackedLayout(*machine.backend, *machine.memory, lengths);
  const auto rows = static_cast<std::size_t>(batch.layout.rows());
  if (file_.contains(prefix + "patches")) {
    batch.patches = constant(
        padded_rows(machine, file_.tensor(prefix + "patches", dtype_), batch.layout.rows()));
  } else {
    batch.ids = integers(machine, read("input_ids"), rows);
    batch.segments = RowSegments(*machine.backend, *machine.memory, read("input_ids"));
    batch.types = integers(machine, read("token_type_ids"), rows);
  }
  batch.positions = integers(machine, positions, rows);
  if (file_.contains("masked_rows")) {
    batch.masked_rows = integers(machine, read("masked_rows"), 0);
    const std::vector<std::int32_t> all = read("labels");
    std::vector<std::int32_t> kept;
    for (const std::int32_t row : read("masked_rows")) {
      kept.push_back(all[static_cast<std::size_t>(row)]);
    }
    batch.labels = integers(machine, kept, 0);
  } else if (file_.contains(prefix + "labels")) {
    batch.labels = integers(machine, read("labels"), 0);
  } else {
    const Tensor stored = file_.tensor(prefix + "targets", dtype_);
    batch.targets = Tensor::allocate(*machine.memory, {stored.element_count(), 1}, dtype_,
                                     machine.backend->device());
    machine.backend->copy_to_device(stored.bytes_begin(), batch.targets.bytes_begin(),
                                    stored.bytes());
  }
  return batch;
}

Variable loss_of(Context& context, const SequenceClassifier& model, const OracleBatch& batch,
                 Variable* logits, double count) {
  const Variable output = model.logits(context, batch.inputs());
  if (logits != nullptr) *logits = output;
  const double divisor = count > 0 ? count : static_cast<double>(batch.layout.sequences());
  return batch.targets.is_empty() ? cross_entropy(context, output, batch.labels, 1 / divisor)
                                  : squared_error(context, output, batch.targets, 1 / divisor);
}

double largest_magnitude(const std::vector<double>& values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

void expect_near(const std::vector<double>& found, const std::vector<double>& wanted,
                 double tolerance, const std::string& what) {
  ASSERT_EQ(found.size(), wanted.size()) << what;
  double worst = 0;
  std::size_t place = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double error = std::abs(found[i] - wanted[i]);
    if (!(error <= worst)) {  // a NaN is the worst of all
      worst = error;
      place = i;
    }
  }
  EXPECT_LE(worst, tolerance) << what << ": element " << place << " is " << found[place]
                              << ", PyTorch has " << wanted[place];
}

}  // namespace basis::oracle
