#include <fmt/format.h>

#include "experiments/commands/commands.h"
#include "experiments/run_status.h"

namespace basis {

int status_command(const std::filesystem::path& run_folder) {
  fmt::print("{}", format_status(read_status(run_folder)));
  return 0;
}

}  // namespace basis
