#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace basis {

// One function a command, in the file of its name. Each prints to standard output, returns the
// exit status and throws Error for a user's mistake.

struct RunOptions {
  std::filesystem::path config;
  std::vector<std::string> overrides;         // --set key=value
  std::optional<std::filesystem::path> out;   // none: runs/NAME
  std::optional<std::filesystem::path> data;  // none: $BASIS_DATA, else ~/.local/share/basis
  std::string only;
  bool lists = false;   // --list
  bool is_dry = false;  // --dry-run
};
int run_command(const RunOptions& options);

int status_command(const std::filesystem::path& run_folder);

int config_command();

int info_command();

struct TokenizeOptions {
  std::filesystem::path model;
  bool is_pairs = false;
  std::int64_t max_length = 0;  // 0: what the model takes
};
int tokenize_command(const TokenizeOptions& options);

/// Reads the command line, runs its command and returns the exit status. `--help` prints, and a bad
/// command line says what is wrong and gives 2.
int run_command_line(int count, const char* const* arguments);

}  // namespace basis
