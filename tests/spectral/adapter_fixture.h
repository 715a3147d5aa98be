#pragma once

#include "spectral/adapter_file.h"
#include "spectral/peft_folder.h"
#include "tensor/file.h"
#include "tests/oracle/oracle_case.h"
#include "tests/tensor/file_fixture.h"

namespace basis {

/// Classifiers on the tiny BERT in tests/oracle/folders/classifier, and their logits on the texts
/// of expected.json.
class AdapterFolder : public TemporaryFolder {
 protected:
  using Model = std::unique_ptr<SequenceClassifier>;

  static std::filesystem::path stored(const std::string& name) {
    return oracle::folder() / "folders" / name;
  }
  static nlohmann::json expected() {
    return nlohmann::json::parse(read_file(stored("expected.json")));
  }

  Backend& backend() { return *machine_.backend; }
  Allocator& memory() { return *machine_.memory; }

  Model base(const std::string& head = "pooler", std::int64_t outputs = 3) {
    BertConfig config = BertConfig::read(stored("classifier"));
    config.head = head;
    if (outputs != 3) config.labels.clear();
    // A head of another size is the initialiser's: the checkpoint would refuse it.
    if (outputs != 3) {
      return std::make_unique<SequenceClassifier>(backend(), memory(), config, outputs, nullptr,
                                                  ModelOptions{});
    }
    Checkpoint checkpoint(stored("classifier"));
    return std::make_unique<SequenceClassifier>(backend(), memory(), config, outputs, &checkpoint,
                                                ModelOptions{});
  }

  /// The base with `method` attached and every stored number unlike its start, so that nothing
  /// can come right by being made anew.
  Model adapted(const AdapterMethod& method, const std::string& head = "pooler") {
    Model model = base(head);
    attach(backend(), memory(), *model, method);
    for (const auto& parameter : model->parameters().all()) {
      if (parameter->is_trainable() || parameter->role() == ParameterRole::Adapter) {
        parameter->set_value(random_tensor(backend(), memory(), parameter->shape(), DType::F32, 7,
                                           parameter->name(), 0.3));
      }
    }
    return model;
  }

  std::vector<double> logits(const SequenceClassifier& model) {
    std::vector<std::int32_t> lengths, ids, positions, types;
    const nlohmann::json file = expected();
    for (std::size_t b = 0; b < file.at("input_ids").size(); ++b) {
      const auto sequence = file.at("input_ids").at(b).get<std::vector<std::int32_t>>();
      const bool is_pair = !file.at("texts").at(b).at(1).is_null();
      std::int32_t type = 0, position = 0;
      for (const std::int32_t id : sequence) {
        positions.push_back(position++);
        ids.push_back(id);
        types.push_back(type);
        if (is_pair && id == separator) type = 1;
      }
      lengths.push_back(static_cast<std::int32_t>(sequence.size()));
    }
    const PackedLayout layout(backend(), memory(), lengths);
    const BertInputs inputs{layout, integers(ids, layout.rows()),
                            integers(positions, layout.rows()), integers(types, layout.rows())};
    Context context{backend(), *machine_.arena, nullptr, false, nullptr, DType::F32};
    return as_doubles(backend(), model.logits(context, inputs).value);
  }

  /// Name, values and whether it trains, for all parameters.
  struct Snapshot {
    std::string name;
    std::vector<float> values;
    bool trains;
    bool operator==(const Snapshot&) const = default;
  };
  std::vector<Snapshot> snapshot(const SequenceClassifier& model) {
    std::vector<Snapshot> all;
    for (const auto& parameter : model.parameters().all()) {
      all.push_back({parameter->name(), to_host<float>(backend(), parameter->value()),
                     parameter->is_trainable()});
    }
    return all;
  }

  /// Sets keys of a folder's adapter_config.json; null removes one.
  static void change_config(const std::filesystem::path& folder, const nlohmann::json& patch) {
    nlohmann::json config = nlohmann::json::parse(read_file(folder / "adapter_config.json"));
    config.merge_patch(patch);
    write_file_atomically(folder / "adapter_config.json", config.dump());
  }

  using Tensors = std::vector<std::pair<std::string, Tensor>>;
  /// Rewrites a folder's tensors.
  template <class Change>
  static void change_tensors(const std::filesystem::path& folder, const Change& change) {
    const SafeTensors file = SafeTensors::open(folder / "adapter_model.safetensors");
    Tensors tensors;
    for (const std::string& name : file.names()) tensors.emplace_back(name, file.tensor(name));
    change(tensors);
    write_safetensors(folder / "adapter_model.safetensors", tensors, file.metadata());
  }

  static void copy_folder(const std::filesystem::path& from, const std::filesystem::path& to) {
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
  }

 private:
  static constexpr std::int32_t separator = 3;  // [SEP] in the folder's vocabulary

  Tensor integers(std::vector<std::int32_t> values, std::int64_t rows) {
    values.resize(static_cast<std::size_t>(rows), 0);
    return to_device<std::int32_t>(backend(), memory(), values, {rows});
  }

  oracle::Machine machine_;
};

}  // namespace basis
