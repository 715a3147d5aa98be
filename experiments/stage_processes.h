#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "experiments/parallel_runner.h"

namespace basis {

/// Each stage in a process of its own, which writes its news (stage_news.h) to standard output; any
/// other line, on standard error too, is a remark. A process that ends without telling the end of
/// its stage is a failed stage, with its exit status or the signal that killed it. No process
/// outlives this object, nor the thread that made it.
class StageProcesses : public StageWorkers {
 public:
  struct Command {
    std::string program;                        // path
    std::vector<std::string> words;             // with the program's name first
    std::vector<std::string> environment = {};  // "NAME=value", beside our own where that has none
  };

  /// `command_of` a place in the plan. Results are read from the store.
  StageProcesses(const Plan& plan, const StageStore& store,
                 std::function<Command(std::size_t stage)> command_of)
      : plan_(plan), store_(store), command_of_(std::move(command_of)) {}
  ~StageProcesses() override;
  StageProcesses(const StageProcesses&) = delete;
  StageProcesses& operator=(const StageProcesses&) = delete;

  void start(std::size_t stage) override;
  std::optional<Message> wait() override;
  void interrupt() override;

 private:
  struct Process {
    int id = -1;
    int pipe = -1;  // its outputs
    std::string unread = {};
    std::string last_words = {};  // its last line that was no news
    std::optional<StageEnd> end = {};
  };

  /// A whole line of what a process wrote.
  std::optional<StageNews> next_news(Process& process);
  /// Reads what is there. False at the end.
  static bool read_some(Process& process);
  /// After the end of its output: waits for its process, and says how the stage ended.
  StageEnd bury(std::size_t stage, Process& process);

  const Plan& plan_;
  const StageStore& store_;
  std::function<Command(std::size_t)> command_of_;
  std::map<std::size_t, Process> processes_;  // by place in the plan
};

}  // namespace basis
