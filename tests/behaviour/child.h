#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace basis::behaviour {

/// A program in a process of its own, its output in a pipe. Killed when the object goes.
class Child {
 public:
  /// Starts `words` in `folder` with these variables ("NAME=value") beside our own.
  Child(const std::filesystem::path& folder, const std::vector<std::string>& words,
        const std::vector<std::string>& variables);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Waits until it has written a text, or has ended.
  bool wait_for_text(const std::string& text);
  /// Waits until it has ended, at most so long. True when it has.
  bool wait_at_most(double seconds);
  void send(int signal) const;
  /// Waits for its end. Exit status, or minus the signal that ended it.
  int finish();

  /// What it has written to both outputs so far.
  const std::string& output() const { return output_; }

 private:
  bool read_some();

  pid_t process_ = -1;
  int pipe_ = -1;
  std::string output_;
};

}  // namespace basis::behaviour
