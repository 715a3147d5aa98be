#include "experiments/row_encoder.h"

#include <fmt/format.h>

#include "data/image_task.h"
#include "experiments/model_folder.h"
#include "tensor/error.h"

namespace basis {
namespace {

void expect_fits(const std::filesystem::path& model, const BertConfig& config,
                 const TaskSettings& task) {
  const auto fail = [&](const std::string& what, const char* wanted) {
    throw Error(fmt::format("{}: the model reads {}, and task {} is {}: choose {}", model.string(),
                            what, task.name, task.is_images() ? "images" : "text", wanted));
  };
  if (!config.reads_patches()) {
    if (task.is_images()) fail("text", "a model that was pretrained on images");
    return;
  }
  const std::string patches =
      fmt::format("images in patches of {} x {}", config.patch_size, config.patch_size);
  if (!task.is_images()) fail(patches, "a model of text");
  if (config.patch_size == task.patch) return;
  throw Error(
      fmt::format("{}: the model reads {}, and \"patch\" in [task.{}] is {}: both must be "
                  "alike",
                  model.string(), patches, task.name, task.patch));
}

}  // namespace

RowEncoder::RowEncoder(const std::filesystem::path& model, const TaskSettings& task,
                       std::int64_t max_length, Cache* cache)
    : max_length_(max_length), cache_(cache) {
  expect_fits(model, BertConfig::read(model), task);
  if (!task.is_images()) tokenizer_.emplace(load_tokenizer(model));
}

EncodedDataset RowEncoder::encode(const std::vector<Example>& rows, const TaskData& data) const {
  if (!tokenizer_) return encode_images(rows, data.images);
  return tokenize_rows(rows, data.task, *tokenizer_, max_length_, cache_);
}

void RowEncoder::save_tokenizer(const std::filesystem::path& folder) const {
  if (tokenizer_) tokenizer_->save(folder);
}

}  // namespace basis
