#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/task_reader.h"

namespace basis {

/// The ten sets of GLUE (arXiv 1804.07461), METHODS.md 5: "cola", "sst2", "mrpc", "stsb", "qqp",
/// "mnli", "qnli", "rte", "wnli" and the diagnostic "ax".
std::vector<std::string> glue_names();

/// A set of GLUE under its official file and column names in `data_root`/glue
/// (`.../glue/MRPC/...`). Case and hyphens of the name do not matter ("SST-2" is "sst2"). Class ids
/// are those of Hugging Face's GLUE, so that its checkpoints' heads fit. Test files may be missing;
/// `ax` has nothing but one, without labels. Throws Error for an unknown name.
TaskSource glue_source(std::string_view name, const std::filesystem::path& data_root);

}  // namespace basis
