#include "experiments/text_data.h"

#include "experiments/task_data.h"
#include "tensor/hash.h"

namespace basis {
namespace {

/// Everything that the packed text depends on.
std::string key_of(const PretrainSettings& settings, std::int64_t train_rows,
                   const WordPieceTokenizer& tokenizer, const DataRoot& data) {
  Hasher hasher;
  hasher.add("packed text 1").add(hash_of_file(data.require_file(settings.corpus)));
  hasher.add(settings.max_length).add(train_rows);
  for (const std::string& token : tokenizer.vocabulary()) hasher.add(token);
  return hasher.hex();
}

}  // namespace

PretrainSettings text_settings(const Config& config, const std::string& task,
                               const TrainSettings& train) {
  PretrainSettings settings;
  settings.corpus = config.task.at(task).corpus;
  settings.documents = config.pretrain.documents;
  settings.held_out_documents = config.pretrain.held_out_documents;
  settings.max_length = train.max_length;
  settings.batch_size = train.batch_size;
  settings.micro_batch = train.micro_batch;
  return settings;
}

PretrainCorpus load_text(const PretrainSettings& settings, std::int64_t language_seed,
                         std::int64_t train_rows, const WordPieceTokenizer& tokenizer,
                         const DataRoot& data, Cache* cache,
                         const std::function<void()>& check_stop) {
  constexpr std::int64_t any_seed = 0;
  const auto read = [&] {
    PretrainCorpus corpus =
        read_pretrain_corpus(settings, any_seed, language_seed, tokenizer, data, check_stop);
    if (train_rows > 0) corpus.train = first_rows(corpus.train, train_rows);
    return corpus;
  };
  if (settings.corpus == "synthetic") return read();
  const std::string key = key_of(settings, train_rows, tokenizer, data);
  const std::string train_key = Hasher().add(key).add("train").hex(),
                    dev_key = Hasher().add(key).add("dev").hex();
  auto train = cached_dataset(cache, train_key), dev = cached_dataset(cache, dev_key);
  if (train && dev) return {std::move(*train), std::move(*dev)};
  PretrainCorpus corpus = read();
  keep_dataset(cache, train_key, corpus.train);
  keep_dataset(cache, dev_key, corpus.held_out);
  return corpus;
}

}  // namespace basis
