#include <algorithm>
#include <fstream>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/bench_step.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json_keys.h"
#include "tensor/philox.h"

namespace basis {

namespace {

std::int32_t small_integer(const JsonKeys& keys, const std::string& key, const Json& value) {
  using Limits = std::numeric_limits<std::int32_t>;
  return static_cast<std::int32_t>(keys.as_integer(key, value, Limits::min(), Limits::max()));
}

std::vector<std::int32_t> small_integers(const JsonKeys& keys, const std::string& key,
                                         const Json& list) {
  std::vector<std::int32_t> integers;
  for (const Json& item : keys.as_list(key, list, "a list of integers")) {
    integers.push_back(small_integer(keys, key, item));
  }
  return integers;
}

HostBatch parse_batch(const std::string& line, const std::string& place, bool is_regression) {
  const JsonKeys keys(Json::parse(line, place), place);
  const auto list = [&](const char* key) -> const std::vector<Json>& {
    return keys.as_list(key, keys.require(key), "a list");
  };
  const std::vector<Json>& ids = list("input_ids");
  const std::vector<Json>& types = list("token_type_ids");
  const std::vector<Json>& labels = list("labels");
  if (ids.size() != labels.size() || ids.size() != types.size() || ids.empty()) {
    throw Error(fmt::format("{}: {} sequences, {} types and {} labels", place, ids.size(),
                            types.size(), labels.size()));
  }
  HostBatch batch;
  for (std::size_t b = 0; b < ids.size(); ++b) {
    const auto sequence = small_integers(keys, item_name("input_ids", b), ids[b]);
    const auto sequence_types = small_integers(keys, item_name("token_type_ids", b), types[b]);
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
    const std::string label = item_name("labels", b);
    batch.labels.push_back(is_regression ? -1 : small_integer(keys, label, labels[b]));
    if (is_regression) batch.targets.push_back(keys.as_number(label, labels[b]));
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
    batches.push_back(parse_batch(line, place, is_regression));
  }
  if (batches.empty()) throw Error(path.string() + ": no batches");
  return batches;
}

void write_batches(const std::filesystem::path& path, const std::vector<HostBatch>& batches) {
  std::string text;
  for (const HostBatch& batch : batches) {
    std::vector<std::string> ids, types;
    auto begin = std::ptrdiff_t{0};
    for (const std::int32_t length : batch.lengths) {
      const auto of_sequence = [&](const std::vector<std::int32_t>& all) {
        return fmt::format("[{}]",
                           fmt::join(all.begin() + begin, all.begin() + begin + length, ","));
      };
      ids.push_back(of_sequence(batch.ids));
      types.push_back(of_sequence(batch.types));
      begin += length;
    }
    const std::string labels = batch.targets.empty()
                                   ? fmt::format("{}", fmt::join(batch.labels, ","))
                                   : fmt::format("{}", fmt::join(batch.targets, ","));
    text += fmt::format("{{\"input_ids\":[{}],\"token_type_ids\":[{}],\"labels\":[{}]}}\n",
                        fmt::join(ids, ","), fmt::join(types, ","), labels);
  }
  write_file_atomically(path, text);
}

std::vector<HostBatch> draw_batches(const DrawnBatches& options) {
  constexpr std::int64_t shortest = 25, longest = 81;  // 53 on average
  constexpr std::uint32_t first_word = 5;              // behind [PAD], [UNK], [CLS], [SEP], [MASK]
  RandomStream stream(1, 1);
  const auto below = [&](std::int64_t end) {
    return static_cast<std::int64_t>(stream.below(static_cast<std::uint32_t>(end)));
  };
  std::vector<HostBatch> batches(static_cast<std::size_t>(options.steps));
  for (HostBatch& batch : batches) {
    for (std::int64_t b = 0; b < options.examples; ++b) {
      const std::int64_t length =
          options.has_full_length
              ? options.max_length
              : std::min(options.max_length, shortest + below(longest - shortest + 1));
      batch.lengths.push_back(static_cast<std::int32_t>(length));
      for (std::int64_t p = 0; p < length; ++p) {
        batch.ids.push_back(
            static_cast<std::int32_t>(first_word + below(options.vocabulary - first_word)));
        batch.types.push_back(p < length / 2 ? 0 : 1);
        batch.positions.push_back(static_cast<std::int32_t>(p));
      }
      const std::int64_t label = below(std::max<std::int64_t>(2, options.outputs));
      batch.labels.push_back(options.is_regression ? -1 : static_cast<std::int32_t>(label));
      if (options.is_regression) batch.targets.push_back(static_cast<double>(label));
      batch.example_indices.push_back(static_cast<std::int32_t>(b));
    }
  }
  return batches;
}

namespace {

struct NamedSize {
  const char* name;
  std::int64_t layers, width, heads;
};

constexpr NamedSize sizes[] = {
    {"tiny", 2, 128, 2},    {"mini", 4, 256, 4},   {"small", 4, 512, 8},   {"medium", 8, 512, 8},
    {"minilm", 6, 384, 12}, {"base", 12, 768, 12}, {"large", 24, 1024, 16}};

}  // namespace

BertConfig bench_size(const std::string& name) {
  std::vector<std::string> names;
  for (const NamedSize& size : sizes) {
    names.emplace_back(size.name);
    if (name != size.name) continue;
    BertConfig config;
    config.num_hidden_layers = size.layers;
    config.hidden_size = size.width;
    config.num_attention_heads = size.heads;
    config.intermediate_size = 4 * size.width;
    return config;
  }
  throw Error(fmt::format("no size \"{}\"; there are {}", name, fmt::join(names, ", ")));
}

std::string bench_sizes_text() {
  std::string text;
  for (const NamedSize& size : sizes) {
    text += fmt::format("{}{} ({} x {}, {} heads)", text.empty() ? "" : ", ", size.name,
                        size.layers, size.width, size.heads);
  }
  return text;
}

}  // namespace basis
