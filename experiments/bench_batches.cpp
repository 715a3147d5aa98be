#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "experiments/bench_step.h"
#include "tensor/json_text.h"

namespace basis {

namespace {

HostBatch parse_batch(const std::string& line, const std::string& place, bool is_regression) {
  const nlohmann::json json = parse_json(line, place);
  HostBatch batch;
  const auto& ids = json.at("input_ids");
  const auto& types = json.at("token_type_ids");
  const auto& labels = json.at("labels");
  if (ids.size() != labels.size() || ids.size() != types.size() || ids.empty()) {
    throw Error(fmt::format("{}: {} sequences, {} types and {} labels", place, ids.size(),
                            types.size(), labels.size()));
  }
  for (std::size_t b = 0; b < ids.size(); ++b) {
    const auto sequence = ids[b].get<std::vector<std::int32_t>>();
    const auto sequence_types = types[b].get<std::vector<std::int32_t>>();
    if (sequence.empty() || sequence.size() != sequence_types.size()) {
      throw Error(fmt::format("{}: sequence {} has {} ids and {} types", place, b, sequence.size(),
                              sequence_types.size()));
    }
    if (*std::min_element(sequence.begin(), sequence.end()) < 0 ||
        *std::min_element(sequence_types.begin(), sequence_types.end()) < 0) {
      throw Error(fmt::format("{}: sequence {} has a negative id or type", place, b));
    }
    batch.lengths.push_back(static_cast<std::int32_t>(sequence.size()));
    batch.ids.insert(batch.ids.end(), sequence.begin(), sequence.end());
    batch.types.insert(batch.types.end(), sequence_types.begin(), sequence_types.end());
    for (std::size_t p = 0; p < sequence.size(); ++p) {
      batch.positions.push_back(static_cast<std::int32_t>(p));
    }
    batch.labels.push_back(is_regression ? -1 : labels[b].get<std::int32_t>());
    if (is_regression) batch.targets.push_back(labels[b].get<double>());
    batch.example_indices.push_back(static_cast<std::int32_t>(b));
  }
  return batch;
}

}  // namespace

std::vector<HostBatch> read_batches(const std::filesystem::path& path, bool is_regression,
                                    std::int64_t limit) {
  std::ifstream file(path);
  if (!file) throw Error(path.string() + ": cannot be read");
  std::vector<HostBatch> batches;
  std::int64_t number = 0;
  for (std::string line; std::getline(file, line) && (limit == 0 || number < limit);) {
    const std::string place = fmt::format("{}:{}", path.string(), ++number);
    try {
      batches.push_back(parse_batch(line, place, is_regression));
    } catch (const nlohmann::json::exception& error) {
      throw Error(place + ": not a batch: " + error.what());
    }
  }
  if (batches.empty()) throw Error(path.string() + ": no batches");
  return batches;
}

}  // namespace basis
