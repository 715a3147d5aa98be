#include "experiments/snapshots.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tensor/error.h"
#include "tensor/json.h"
#include "tensor/json_keys.h"

namespace basis {
namespace {

std::filesystem::path list_of(const std::filesystem::path& stage_folder) {
  return stage_folder / "snapshots.json";
}

const Snapshot& require(const std::vector<Snapshot>& snapshots, const std::string& name,
                        const std::filesystem::path& stage_folder) {
  std::vector<std::string> known;
  for (const Snapshot& snapshot : snapshots) {
    if (snapshot.name == name) return snapshot;
    known.push_back(snapshot.name);
  }
  throw Error(
      fmt::format("{}: no snapshot \"{}\"; there are {}. [pretrain] names them in \"snapshots\" "
                  "(token counts) and \"keeps_best\"",
                  stage_folder.string(), name, fmt::join(known, ", ")));
}

}  // namespace

std::string Snapshot::folder() const {
  return name == "final" ? "model" : "model-" + name;
}

std::vector<Snapshot> read_snapshots(const std::filesystem::path& stage_folder) {
  std::error_code error;
  if (!std::filesystem::exists(list_of(stage_folder), error)) return {};
  const JsonKeys keys = JsonKeys::read(list_of(stage_folder));
  std::vector<Snapshot> snapshots;
  for (const JsonKeys& one : keys.objects("snapshots")) {
    snapshots.push_back({one.text("name"), one.integer("tokens"), one.number("held_out_loss")});
  }
  return snapshots;
}

void add_snapshot(const std::filesystem::path& stage_folder, const Snapshot& snapshot) {
  std::vector<Snapshot> snapshots = read_snapshots(stage_folder);
  std::erase_if(snapshots, [&](const Snapshot& old) { return old.name == snapshot.name; });
  snapshots.push_back(snapshot);
  std::stable_sort(snapshots.begin(), snapshots.end(),
                   [](const Snapshot& a, const Snapshot& b) { return a.tokens < b.tokens; });
  Json list = Json::list();
  for (const Snapshot& one : snapshots) {
    list.append(Json::object(
        {{"name", one.name}, {"tokens", one.tokens}, {"held_out_loss", one.held_out_loss}}));
  }
  Json::object({{"snapshots", std::move(list)}}).write(list_of(stage_folder), 1);
}

std::filesystem::path model_of_pretraining(const std::filesystem::path& stage_folder,
                                           const ModelSettings& model,
                                           const std::filesystem::path& matched) {
  if (model.checkpoint == "final") return stage_folder / "model";
  const std::vector<Snapshot> snapshots = read_snapshots(stage_folder);
  if (model.matched_model().empty()) {
    return stage_folder / require(snapshots, model.checkpoint, stage_folder).folder();
  }
  const double wanted = require(read_snapshots(matched), "final", matched).held_out_loss;
  require(snapshots, "final", stage_folder);
  const auto nearest = std::min_element(
      snapshots.begin(), snapshots.end(), [&](const Snapshot& a, const Snapshot& b) {
        return std::abs(a.held_out_loss - wanted) < std::abs(b.held_out_loss - wanted);
      });
  return stage_folder / nearest->folder();
}

}  // namespace basis
