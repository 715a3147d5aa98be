#include "experiments/attacked_answers.h"

#include <charconv>

#include <fmt/format.h>

#include "data/cross_fitting.h"
#include "experiments/compute.h"
#include "experiments/task_scores.h"
#include "tensor/error.h"
#include "tensor/safetensors.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

std::filesystem::path file_in(const std::filesystem::path& folder) {
  return folder / "attacked.safetensors";
}

/// Of name_of's text.
PixelChange change_named(const std::string& name, const std::filesystem::path& path) {
  if (name == "clean") return {name, 0};
  const std::size_t cut = name.find('_');
  double size = 0;
  if (cut != std::string::npos) {
    const char* const end = name.data() + name.size();
    const auto read = std::from_chars(name.data() + cut + 1, end, size);
    if (read.ec == std::errc() && read.ptr == end) return {name.substr(0, cut), size};
  }
  throw Error(
      fmt::format("{}: \"{}\" is no change of pixels; expected clean, pgd_SIZE or "
                  "noise_SIZE",
                  path.string(), name));
}

}  // namespace

std::string name_of(const PixelChange& change) {
  return change.first == "clean" ? change.first : fmt::format("{}_{}", change.first, change.second);
}

void write_attacked_answers(const std::filesystem::path& folder,
                            const std::map<PixelChange, Answers>& answers,
                            const std::vector<Example>& rows, const TaskData& data) {
  Compute host;
  std::vector<std::pair<std::string, Tensor>> tensors;
  const auto add = [&](const std::string& name, const auto& numbers) {
    const std::vector<float> values(numbers.begin(), numbers.end());
    tensors.emplace_back(
        name, to_device<float>(host.backend(), host.memory(), values, {std::ssize(values)}));
  };
  add("expected", answers_of(rows, data.task).classes);
  add("halves", halves_of(rows, data.images));
  for (const auto& [change, predicted] : answers) add(name_of(change), predicted.classes);
  write_safetensors(file_in(folder), tensors, {});
}

AttackedAnswers read_attacked_answers(const std::filesystem::path& folder) {
  const SafeTensors file = SafeTensors::open(file_in(folder));
  Compute host;
  const auto read = [&](const std::string& name) {
    return host_floats(host.backend(), file.tensor(name, DType::F32));
  };
  const auto classes = [&](const std::string& name) {
    Answers answers;
    for (const float value : read(name)) {
      answers.classes.push_back(static_cast<std::int32_t>(value));
    }
    return answers;
  };
  Predictions common;
  common.expected = classes("expected");
  for (const float half : read("halves")) common.halves.push_back(half == 0 ? 0 : 1);
  AttackedAnswers all;
  for (const std::string& name : file.names()) {
    if (name == "expected" || name == "halves") continue;
    Predictions& one = all[change_named(name, file_in(folder))] = common;
    one.predicted = classes(name);
    if (one.predicted.size() == one.expected.size()) continue;
    throw Error(fmt::format("{}: {} answers of {} to {} rows", file_in(folder).string(),
                            one.predicted.size(), name, one.expected.size()));
  }
  return all;
}

}  // namespace basis
