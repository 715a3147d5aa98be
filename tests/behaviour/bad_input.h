#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "tests/experiments/fixture.h"
#include "tests/experiments/program_run.h"

namespace basis::behaviour {

/// The `basis` program on files of which one is bad. Every test begins with a folder of good ones:
///   model/     a classifier of three labels with its tokenizer
///   adapter/   a LoRA on it
///   base/      its encoder without a head
///   data/glue/MRPC/   a few rows
///   mrpc.toml  a LoRA on base/ for them
class BadInput : public FolderTest {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;

  /// The content of a good file.
  static std::string good(const std::string& name);
  /// The same with its only `from` replaced.
  static std::string good(const std::string& name, const std::string& from, const std::string& to);

  void write(const std::string& name, const std::string& content) const;

  /// Runs the program, which must say `message` on standard error, give 2, print nothing and leave
  /// every file and folder as it was.
  void expect_refusal(const std::string& arguments, const std::string& message,
                      const std::string& input = "a text\n") const;

  /// Runs an experiment whose only stage must fail so: with 2, the message, and nothing in the
  /// stage's folder but what every stage that began has.
  void expect_failed_stage(const std::string& config, const std::string& message) const;

  std::filesystem::path work() const { return folder_ / "work"; }

 private:
  Outcome run(const std::string& arguments, const std::string& input) const;
  /// Every path with the content of its file.
  std::map<std::string, std::string> tree() const;

  static std::filesystem::path good_;
};

}  // namespace basis::behaviour
