#include "experiments/config_reader.h"
#include "experiments/cross_fitted.h"

namespace basis {

/// Methods that are there, images to attack, and something to do to them.
void ConfigReader::check_robustness() {
  const toml::table* const source = tree_.root()["robustness"].as_table();
  if (source == nullptr) return;
  const RobustnessSettings& settings = config_.robustness;
  const auto fail = [&](const char* key, const std::string& message) {
    tree_.fail(source_of(*source, key), key_name(key, "robustness") + message);
  };
  check_analysed_methods(*source, "robustness", settings.methods);
  check_no_duplicates(*source, "epsilons", "robustness", settings.epsilons);
  check_no_duplicates(*source, "noise", "robustness", settings.noise);
  if (settings.methods.empty()) return;
  if (settings.epsilons.empty() && settings.noise.empty()) {
    fail("epsilons", " and \"noise\" are both empty: name a size of either");
  }
  for (const std::string& task : config_.tasks) {
    if (config_.task.at(task).is_images()) continue;
    fail("methods", fmt::format(" attacks pixels, and task \"{}\" is text: leave it empty, or have "
                                "tasks with \"images\" alone",
                                task));
  }
}

/// What is claimed under an attack is what [robustness] does to those methods.
void ConfigReader::check_attack(const ClaimSettings& claim, const toml::table& source) {
  const std::string table = "claim." + claim.name;
  const RobustnessSettings& settings = config_.robustness;
  for (const auto& [key, name] :
       {std::pair{"method", &claim.method}, std::pair{"control", &claim.control}}) {
    for (const std::string& method : config_.methods) {
      const bool is_meant = method == *name || (is_family(config_, *name) &&
                                                config_.method.at(method).family == *name);
      if (!is_meant || contains(settings.methods, method)) continue;
      tree_.fail(source_of(source, key),
                 fmt::format("{} needs \"{}\" among \"methods\" in [robustness]",
                             key_name(key, table), method));
    }
  }
  const bool is_noise = claim.attack == "noise";
  const std::vector<double>& sizes = is_noise ? settings.noise : settings.epsilons;
  if (contains(sizes, claim.size)) return;
  tree_.fail(source_of(source, "size"),
             fmt::format("{} is {}, which is not among \"{}\" in [robustness]: {}",
                         key_name("size", table), toml_value(claim.size),
                         is_noise ? "noise" : "epsilons", toml_value(sizes)));
}

}  // namespace basis
