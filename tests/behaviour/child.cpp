#include "tests/behaviour/child.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tensor/error.h"

extern char** environ;

namespace basis::behaviour {

namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

Child::Child(const std::filesystem::path& folder, const std::vector<std::string>& words,
             const std::vector<std::string>& variables) {
  // All memory first: between fork and exec a process of many threads may not ask for any.
  std::vector<std::string> arguments = words;
  std::vector<std::string> environment = variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.emplace_back(*variable);
  }
  const std::vector<char*> argument_pointers = pointers(arguments);
  const std::vector<char*> environment_pointers = pointers(environment);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw Error("no pipe");
  process_ = fork();
  if (process_ < 0) throw Error("no process");
  if (process_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    if (chdir(folder.c_str()) == 0) {
      execve(argument_pointers[0], argument_pointers.data(), environment_pointers.data());
    }
    _exit(127);
  }
  close(ends[1]);
  pipe_ = ends[0];
}

Child::~Child() {
  if (process_ > 0) {
    send(SIGKILL);
    finish();
  }
  close(pipe_);
}

bool Child::read_some() {
  std::array<char, 4096> bytes{};
  ssize_t count = 0;
  do {
    count = read(pipe_, bytes.data(), bytes.size());
  } while (count < 0 && errno == EINTR);
  if (count > 0) output_.append(bytes.data(), static_cast<std::size_t>(count));
  return count > 0;
}

bool Child::wait_for_text(const std::string& text) {
  while (output_.find(text) == std::string::npos) {
    if (!read_some()) return false;
  }
  return true;
}

bool Child::wait_at_most(double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (;;) {
    // Up, not down: a wait of one millisecond has less than one left here, and must look once.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0) return false;
    pollfd one{pipe_, POLLIN, 0};
    if (poll(&one, 1, static_cast<int>(left.count())) > 0 && !read_some()) return true;
  }
}

void Child::send(int signal) const {
  kill(process_, signal);
}

int Child::finish() {
  while (read_some()) {
  }
  int status = 0;
  while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace basis::behaviour
