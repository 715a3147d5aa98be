#include "experiments/metrics_log.h"

#include <cmath>
#include <system_error>

#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json_text.h"

namespace basis {
namespace {

/// Does a line stand before everything that comes again? Cut and foreign lines do not.
bool is_before(std::string_view line, std::int64_t resume_step, const std::string& name) {
  try {
    const nlohmann::json json = parse_json(line, name);
    return json.is_object() && json.at("step").get<std::int64_t>() <= resume_step;
  } catch (const std::exception&) {
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
  nlohmann::ordered_json json = {{"step", step}};
  for (const auto& [name, value] : values) {
    if (const auto* number = std::get_if<double>(&value)) {
      json[name] = std::isfinite(*number) ? nlohmann::ordered_json(*number)
                                          : nlohmann::ordered_json(nullptr);
    } else if (const auto* whole = std::get_if<std::int64_t>(&value)) {
      json[name] = *whole;
    } else {
      json[name] = std::get<std::string>(value);
    }
  }
  append_line(path_, json.dump());
}

}  // namespace basis
