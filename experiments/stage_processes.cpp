#include "experiments/stage_processes.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "experiments/stage_news.h"
#include "tensor/error.h"

extern char** environ;

namespace basis {
namespace {

constexpr int milliseconds_without_news = 200;
constexpr int status_without_program = 127;  // as a shell's

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// Our own variables, and those of `more` that we do not have.
std::vector<std::string> environment_with(const std::vector<std::string>& more) {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.emplace_back(*variable);
  }
  for (const std::string& variable : more) {
    const std::string name = variable.substr(0, variable.find('='));
    if (std::getenv(name.c_str()) == nullptr) environment.push_back(variable);
  }
  return environment;
}

/// While it lives, Ctrl-C and SIGTERM wait: a new process must not take them for us.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, &before_);
  }
  ~SignalsBlocked() { unblock(); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

  void unblock() const { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

/// In the new process: becomes the program. Only calls that are allowed between fork and exec.
[[noreturn]] void become(const char* program, char* const* words, char* const* environment,
                         int output, pid_t parent, const SignalsBlocked& blocked) {
  signal(SIGINT, SIG_DFL);  // until the program has its own handler they end it
  signal(SIGTERM, SIG_DFL);
  blocked.unblock();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(status_without_program);  // it ended before the line above
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execve(program, words, environment);
  _exit(status_without_program);
}

int wait_for(pid_t process) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

std::string name_of_signal(int signal) {
  const char* const name = sigabbrev_np(signal);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

/// The end of a stage whose process told none.
StageEnd end_of(int status, const std::string& last_words) {
  constexpr int internal_error_status = 70;
  StageEnd end;
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    if (signal == SIGINT || signal == SIGTERM) return {StageOutcome::Interrupted, {}, ""};
    end.message =
        fmt::format("its process was killed by {} ({})", name_of_signal(signal), strsignal(signal));
  } else {
    end.message = fmt::format("its process ended with status {}", WEXITSTATUS(status));
    end.is_internal_error = WEXITSTATUS(status) == internal_error_status;
  }
  if (!last_words.empty()) end.message += fmt::format(": {}", last_words);
  return end;
}

}  // namespace

StageProcesses::~StageProcesses() {
  for (auto& [stage, process] : processes_) {
    kill(process.id, SIGKILL);
    wait_for(process.id);
    close(process.pipe);
  }
}

void StageProcesses::start(std::size_t stage) {
  // All memory first: between fork and exec a process of many threads may not ask for any.
  Command command = command_of_(stage);
  std::vector<std::string> environment = environment_with(command.environment);
  const std::vector<char*> words = pointers(command.words);
  const std::vector<char*> variables = pointers(environment);
  const pid_t parent = getpid();
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw Error(fmt::format("no pipe to another process: {}", std::strerror(errno)));
  }
  const SignalsBlocked blocked;
  const pid_t id = fork();
  if (id == 0) {
    become(command.program.c_str(), words.data(), variables.data(), ends[1], parent, blocked);
  }
  const int reason = errno;
  close(ends[1]);
  if (id < 0) {
    close(ends[0]);
    throw Error(fmt::format("no process can be started: {}", std::strerror(reason)));
  }
  processes_[stage] = {id, ends[0]};
}

void StageProcesses::interrupt() {
  for (const auto& [stage, process] : processes_) kill(process.id, SIGTERM);
}

bool StageProcesses::read_some(Process& process) {
  std::array<char, 4096> bytes{};
  ssize_t count = 0;
  do {
    count = read(process.pipe, bytes.data(), bytes.size());
  } while (count < 0 && errno == EINTR);
  if (count > 0) process.unread.append(bytes.data(), static_cast<std::size_t>(count));
  return count > 0;
}

std::optional<StageNews> StageProcesses::next_news(Process& process) {
  for (std::size_t end = 0; (end = process.unread.find('\n')) != std::string::npos;) {
    const std::string line = process.unread.substr(0, end);
    process.unread.erase(0, end + 1);
    std::optional<StageNews> news = parse_news(line);
    if (!news) {
      if (line.empty()) continue;
      process.last_words = line;
      return line;
    }
    if (const auto* told = std::get_if<StageEnd>(&*news)) {
      process.end = *told;  // told when the process has ended too
      continue;
    }
    return news;
  }
  return std::nullopt;
}

StageEnd StageProcesses::bury(std::size_t stage, Process& process) {
  const int status = wait_for(process.id);
  close(process.pipe);
  if (!process.end) {
    return end_of(status, process.unread.empty() ? process.last_words : process.unread);
  }
  StageEnd end = *process.end;
  if (end.outcome != StageOutcome::Computed && end.outcome != StageOutcome::Reused) return end;
  try {
    // A report with gaps has no result.
    if (auto result = store_.result_of(plan_.stages[stage])) end.result = *result;
  } catch (const Error& error) {
    return {StageOutcome::Failed, {}, error.what()};
  }
  return end;
}

std::optional<StageWorkers::Message> StageProcesses::wait() {
  for (auto& [stage, process] : processes_) {
    if (auto news = next_news(process)) return Message{stage, std::move(*news)};
  }
  std::vector<pollfd> pipes;
  for (const auto& [stage, process] : processes_) pipes.push_back({process.pipe, POLLIN, 0});
  // A signal ends the wait, so that an interrupt is seen at once.
  if (poll(pipes.data(), pipes.size(), milliseconds_without_news) <= 0) return std::nullopt;
  std::size_t i = 0;
  for (auto& [stage, process] : processes_) {
    if (pipes[i++].revents == 0) continue;
    if (read_some(process)) {
      if (auto news = next_news(process)) return Message{stage, std::move(*news)};
      continue;
    }
    Message message{stage, bury(stage, process)};
    processes_.erase(message.stage);
    return message;
  }
  return std::nullopt;
}

}  // namespace basis
