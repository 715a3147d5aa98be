#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace basis {

/// The checkpoints of a stage: FOLDER/checkpoints/step-000800/, whole or not there at all.
///
///     const auto last = checkpoints.latest();          // go on from last->path, or from the start
///     const auto path = checkpoints.begin();           // write files into it
///     checkpoints.commit(step);                        // now it counts, and older ones go
class Checkpoints {
 public:
  struct Checkpoint {
    std::int64_t step = 0;
    std::filesystem::path path;
  };

  /// Nothing is made before `begin`.
  explicit Checkpoints(const std::filesystem::path& stage_folder);

  /// The one of the most steps that is whole.
  std::optional<Checkpoint> latest() const;
  /// An empty folder to write into; what an earlier process left half-written goes. Throws Error.
  std::filesystem::path begin() const;
  /// Gives the folder its name and removes older checkpoints. One of the same step stays as it is:
  /// the same step has the same bits. Throws Error.
  void commit(std::int64_t step) const;
  /// Removes all of them. The runner does, once the stage's result stands.
  void clear() const;

 private:
  std::filesystem::path folder_;
};

}  // namespace basis
