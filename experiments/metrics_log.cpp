#include "experiments/metrics_log.h"

#include <system_error>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json.h"

namespace basis {
namespace {

/// Does a line stand before everything that comes again? Cut and foreign lines do not.
bool is_before(std::string_view line, std::int64_t resume_step, const std::string& name) {
  try {
    const Json json = Json::parse(line, name);
    const Json* step = json.find("step");
    return step != nullptr && step->is_integer() && step->integer() <= resume_step;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& stage_folder, std::int64_t resume_step)
    : path_(stage_folder / "metrics.jsonl") {
  std::string kept;
  std::error_code error;
  if (resume_step > 0 && std::filesystem::exists(path_, error)) {
    const std::string content = read_file(path_);
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = content.find('\n', begin)) != std::string::npos;) {
      const std::string_view line(content.data() + begin, end - begin);
      if (!is_before(line, resume_step, path_.string())) break;
      kept += line;
      kept += '\n';
      begin = end + 1;
    }
  }
  write_file_atomically(path_, kept);
}

void MetricsLog::write(std::int64_t step, const MetricValues& values) {
  Json json = Json::object({{"step", step}});
  for (const auto& [name, value] : values) {
    json.set(name, std::visit([](const auto& one) { return Json(one); }, value));
  }
  append_line(path_, json.dump(Json::one_line, path_.string()));
}

}  // namespace basis
