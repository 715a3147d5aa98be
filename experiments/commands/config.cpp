#include "experiments/config.h"

#include <fmt/format.h>

#include "experiments/commands/commands.h"

namespace basis {

int config_command() {
  fmt::print("{}", describe_config());
  fmt::print("\n# tasks: {}\n# methods: {}\n", fmt::join(known_tasks(), ", "),
             fmt::join(known_methods(), ", "));
  return 0;
}

}  // namespace basis
