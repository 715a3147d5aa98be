#include "experiments/task_data.h"

#include <algorithm>

#include <fmt/format.h>

#include "data/glue.h"
#include "data/synthetic.h"
#include "data/table.h"
#include "experiments/image_data.h"
#include "tensor/error.h"
#include "tensor/hash.h"
#include "tensor/philox.h"

namespace basis {

namespace {

TaskFile file_of(const DataRoot& data, const std::string& path, bool is_required) {
  TaskFile file;
  if (!path.empty()) file.path = data.resolve(path);
  file.is_required = is_required;
  return file;
}

/// A task that the config describes itself.
TaskSource own_source(const TaskSettings& settings, const DataRoot& data) {
  TaskSource source;
  source.task.name = settings.name;
  source.task.is_pair = !settings.second.empty();
  source.task.is_regression = settings.regression;
  source.task.labels = settings.labels;
  for (const std::string& name : settings.metrics) source.task.metrics.push_back(metric_of(name));
  source.format = table_format_named(settings.format);
  source.first_column = settings.first;
  source.second_column = settings.second;
  source.label_column = settings.label;
  source.train = file_of(data, settings.train, true);
  source.dev = file_of(data, settings.dev, true);
  source.test = file_of(data, settings.test, true);
  source.origin = fmt::format("[task.{}] of the config", settings.name);
  return source;
}

Encoding encode_example(const WordPieceTokenizer& tokenizer, const Task& task,
                        const Example& example, std::int64_t max_length) {
  return task.is_pair ? tokenizer.encode_pair(example.first, example.second, max_length)
                      : tokenizer.encode(example.first, max_length);
}

/// Everything that token ids depend on.
std::string key_of(const std::vector<Example>& rows, const Task& task,
                   const WordPieceTokenizer& tokenizer, std::int64_t max_length) {
  Hasher hasher;
  hasher.add("tokenised 1").add(max_length).add(static_cast<std::int64_t>(task.is_pair));
  hasher.add(static_cast<std::int64_t>(task.is_regression));
  const WordPieceOptions& options = tokenizer.options();
  hasher.add(static_cast<std::int64_t>(options.lowercase));
  hasher.add(static_cast<std::int64_t>(options.strip_accents.value_or(options.lowercase)));
  hasher.add(static_cast<std::int64_t>(options.split_chinese));
  for (const std::string& token : tokenizer.vocabulary()) hasher.add(token);
  for (const Example& row : rows) {
    hasher.add(row.first).add(row.second).add(row.label).add(fmt::format("{}", row.target));
  }
  return hasher.hex();
}

}  // namespace

TaskData load_task(const Config& config, const std::string& name, const TrainSettings& train,
                   const DataRoot& data) {
  const auto settings = config.task.find(name);
  if (settings != config.task.end() && settings->second.is_images()) {
    return load_image_task(config, settings->second, train, data);
  }
  if (config.makes_rows(name)) {
    const SyntheticLanguage language(static_cast<std::uint64_t>(config.data.language_seed));
    TaskData result =
        language.task(name, {static_cast<std::uint64_t>(config.data.rows_seed),
                             config.data.synthetic_train_rows, config.data.synthetic_dev_rows});
    const auto limit = static_cast<std::size_t>(train.train_rows);
    if (limit > 0 && result.train.size() > limit) result.train.resize(limit);
    return result;
  }
  const bool is_own = settings != config.task.end() && settings->second.is_own();
  TaskSource source =
      is_own ? own_source(settings->second, data) : glue_source(name, data.folder());
  source.row_limit = train.train_rows;
  return read_task(source);
}

TaskData load_grid_task(const Config& config, const std::string& name, const TrainSettings& train,
                        const DataRoot& data) {
  const auto rows = static_cast<std::size_t>(config.grid.rows);
  TrainSettings more = train;
  // A synthetic task without a limit trains on all rows that the config makes but these.
  const std::int64_t all = config.makes_rows(name) && train.train_rows == 0
                               ? config.data.synthetic_train_rows
                               : train.train_rows + config.grid.rows;
  more.train_rows = all;
  TaskData task = load_task(config, name, more, data);
  if (std::ssize(task.train) < all || task.train.size() <= rows) {
    throw Error(fmt::format(
        "{}: {} training rows are too few to train on some and choose a learning rate on {} behind "
        "them: lower \"train_rows\" or \"rows\" in [grid]",
        name, task.train.size(), rows));
  }
  task.dev.assign(task.train.end() - static_cast<std::ptrdiff_t>(rows), task.train.end());
  task.train.resize(task.train.size() - rows);
  task.dev_mismatched.clear();
  return task;
}

void shuffle_labels(std::vector<Example>& rows, std::uint64_t seed) {
  RandomStream random(seed, hash_of_name("shuffled labels"));
  for (std::size_t i = rows.size(); i > 1; --i) {
    Example &one = rows[i - 1], &other = rows[random.below(i)];
    std::swap(one.label, other.label);
    std::swap(one.target, other.target);
  }
}

std::optional<EncodedDataset> cached_dataset(Cache* cache, const std::string& key) {
  const auto entry = cache == nullptr ? std::nullopt : cache->find(key);
  if (!entry) return std::nullopt;
  const auto* text = reinterpret_cast<const char*>(entry->bytes.data());
  return deserialize({text, entry->bytes.size()}, "cached set " + key);
}

void keep_dataset(Cache* cache, const std::string& key, const EncodedDataset& dataset) {
  if (cache == nullptr) return;
  const std::string bytes = serialize(dataset);
  cache->put(key, std::as_bytes(std::span(bytes)));
}

EncodedDataset tokenize_rows(const std::vector<Example>& rows, const Task& task,
                             const WordPieceTokenizer& tokenizer, std::int64_t max_length,
                             Cache* cache) {
  const std::string key = key_of(rows, task, tokenizer, max_length);
  if (auto known = cached_dataset(cache, key)) return std::move(*known);
  EncodedDataset dataset = encode(rows, task.is_regression, [&](const Example& example) {
    return encode_example(tokenizer, task, example, max_length);
  });
  keep_dataset(cache, key, dataset);
  return dataset;
}

}  // namespace basis
