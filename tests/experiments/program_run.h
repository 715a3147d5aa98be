#pragma once

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>

#include <sys/wait.h>

#include "tensor/file.h"

namespace basis {

/// What a program did.
struct Outcome {
  int status = -1;  // -1: it was killed
  std::string out;
  std::string error;
};

/// Runs `basis ARGUMENTS` in `folder` with `input` on its standard input. Leaves the files "input",
/// "out" and "error" in `logs`.
inline Outcome run_program(const std::filesystem::path& folder, const std::filesystem::path& logs,
                           const std::string& arguments, const std::string& input = "",
                           const std::string& environment = "") {
  write_file_atomically(logs / "input", input);
  // A path in a stream stands in quotes.
  std::ostringstream command;
  command << "cd " << folder << " && BASIS_CACHE=cache BASIS_DATA=data " << environment << " "
          << std::filesystem::path(BASIS_PROGRAM) << " " << arguments << " < " << logs / "input"
          << " > " << logs / "out"
          << " 2> " << logs / "error";
  const int status = std::system(command.str().c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(logs / "out"),
          read_file(logs / "error")};
}

}  // namespace basis
