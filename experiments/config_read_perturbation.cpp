#include <optional>

#include "experiments/config_reader.h"

namespace basis {

namespace {

struct Complaint {
  const char* key;
  std::string message;
};

/// Of [train] or [pretrain], as it holds for one training.
template <class Settings>
std::optional<Complaint> complaint_about(const Settings& settings) {
  const bool is_sam = settings.perturbation == "sam";
  if (settings.perturbation == "none") {
    if (!settings.perturbation_relative) return std::nullopt;
    return Complaint{"perturbation_relative", " means nothing without a perturbation"};
  }
  if (settings.perturbation_size == 0) {
    return Complaint{"perturbation_size",
                     fmt::format(" is missing: \"{}\" needs its {}, such as {}",
                                 settings.perturbation, is_sam ? "rho" : "sigma",
                                 is_sam ? "0.05" : "0.01, or 0.1 where it is relative")};
  }
  if (is_sam && settings.perturbation_relative) {
    return Complaint{"perturbation_relative", " is of \"go\": rho is a length of all values"};
  }
  return std::nullopt;
}

}  // namespace

/// A key stands in the narrowest of the tables that have it.
void ConfigReader::check_perturbations() {
  const toml::table& root = tree_.root();
  const auto fail = [&](const Complaint& complaint, const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      const toml::table* const table = root.at_path(path).as_table();
      const bool is_last = path == paths.back();
      if (table == nullptr || (!is_last && table->get(complaint.key) == nullptr &&
                               table->get("perturbation") == nullptr)) {
        continue;
      }
      tree_.fail(source_of(*table, complaint.key),
                 key_name(complaint.key, path) + complaint.message);
    }
  };
  for (const std::string& task : config_.tasks) {
    for (const std::string& method : config_.methods) {
      const auto complaint = complaint_about(config_.train_for(task, method));
      if (complaint) fail(*complaint, {"method." + method, "task." + task, "train"});
    }
  }
  if (!config_.has_pretrain) return;
  for (const std::string& model : config_.model_names()) {
    const auto complaint = complaint_about(config_.pretrain_for(model));
    if (complaint) fail(*complaint, {model.empty() ? "model" : "model." + model, "pretrain"});
  }
}

}  // namespace basis
