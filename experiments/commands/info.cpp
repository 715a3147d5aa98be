#include <fmt/format.h>

#include "experiments/cache.h"
#include "experiments/commands/commands.h"
#include "experiments/data_root.h"
#include "experiments/recorder.h"
#include "tensor/cpu/cpu_backend.h"
#include "tensor/cuda/cuda_backend.h"

namespace basis {

int info_command() {
  Description description = describe_build();
  const std::unique_ptr<Backend> backend = make_cpu_backend();
  for (auto& entry : backend->description()) description.push_back(std::move(entry));
  const std::vector<std::string> fused = backend->own_fused_kernels();
  description.emplace_back("own fused kernels",
                           fused.empty() ? "none" : fmt::format("{}", fmt::join(fused, ", ")));
  description.emplace_back("cuda", describe_cuda());
  description.emplace_back("data root", DataRoot::find(std::nullopt).folder().string());
  const Cache cache(Cache::default_folder());
  description.emplace_back(
      "cache", fmt::format("{} ({} MiB of at most {})", cache.folder().string(), cache.size() >> 20,
                           Cache::default_bytes >> 20));
  for (const auto& [name, value] : description) fmt::print("{:<20} {}\n", name, value);
  return 0;
}

}  // namespace basis
