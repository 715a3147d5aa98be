#include "tests/behaviour/bad_input.h"

#include <gmock/gmock.h>

#include "data/synthetic.h"
#include "data/wordpiece.h"
#include "nn/checkpoint.h"
#include "spectral/adapter_file.h"
#include "tests/behaviour/tiny.h"

namespace basis::behaviour {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

constexpr const char* mrpc_config =
    "threads = 1\ntasks = [\"mrpc\"]\nmethods = [\"lora\"]\nmodel.path = \"../base\"\n"
    "report.enabled = false\nspectrum.enabled = false\n"
    "[train]\nepochs = 1\nmax_length = 16\n[method.lora]\nrank = 2\n";
constexpr const char* mrpc_rows =
    "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\ta b\tc d\n0\t3\t4\te f\tg h\n";

void save_tokenizer(const fs::path& folder) {
  WordPieceTokenizer(SyntheticLanguage(0).vocabulary(), {}).save(folder);
}

void save_models(const fs::path& folder) {
  Machine machine;
  const auto model = tiny_model(machine);
  save_tokenizer(folder / "model");
  save_model(folder / "model", *model);

  save_tokenizer(folder / "base");
  std::vector<std::pair<std::string, Tensor>> encoder;
  for (const auto& parameter : model->parameters().all()) {
    if (parameter->role() != ParameterRole::Encoder) continue;
    encoder.emplace_back("bert." + parameter->name(), parameter->value());
  }
  BertConfig config = model->config();
  config.labels.clear();
  config.problem_type.clear();
  write_checkpoint(folder / "base", config, *machine.backend, encoder);

  AdapterMethod lora;
  lora.kind = AdapterMethod::Kind::Lora;
  lora.rank = 2;
  attach(*machine.backend, machine.memory, *model, lora);
  save_adapter(folder / "adapter", *model, lora);
}

}  // namespace

fs::path BadInput::good_;

void BadInput::SetUpTestSuite() {
  std::string pattern = (fs::temp_directory_path() / "basis-XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  good_ = pattern;
  save_models(good_);
  fs::create_directories(good_ / "data" / "glue" / "MRPC");
  for (const char* name : {"train.tsv", "dev.tsv"}) {
    write_file_atomically(good_ / "data" / "glue" / "MRPC" / name, mrpc_rows);
  }
  write_file_atomically(good_ / "mrpc.toml", mrpc_config);
}

void BadInput::TearDownTestSuite() {
  std::error_code ignored;
  fs::remove_all(good_, ignored);
}

void BadInput::SetUp() {
  FolderTest::SetUp();
  fs::copy(good_, work(), fs::copy_options::recursive);
}

std::string BadInput::good(const std::string& name) {
  return read_file(good_ / name);
}

std::string BadInput::good(const std::string& name, const std::string& from,
                           const std::string& to) {
  std::string content = good(name);
  const std::size_t place = content.find(from);
  EXPECT_NE(place, std::string::npos) << name << " has no " << from;
  EXPECT_EQ(content.find(from, place + 1), std::string::npos) << name << " has two " << from;
  return place == std::string::npos ? content : content.replace(place, from.size(), to);
}

void BadInput::write(const std::string& name, const std::string& content) const {
  fs::create_directories((work() / name).parent_path());
  write_file_atomically(work() / name, content);
}

Outcome BadInput::run(const std::string& arguments, const std::string& input) const {
  return run_program(work(), folder_, arguments, input);
}

std::map<std::string, std::string> BadInput::tree() const {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(work())) {
    const std::string name = entry.path().lexically_relative(work()).string();
    files[name] = entry.symlink_status().type() == fs::file_type::regular ? read_file(entry.path())
                                                                          : "no file";
  }
  return files;
}

void BadInput::expect_refusal(const std::string& arguments, const std::string& message,
                              const std::string& input) const {
  SCOPED_TRACE("basis " + arguments);
  const auto before = tree();
  const Outcome outcome = run(arguments, input);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.error, StartsWith("basis: "));
  EXPECT_THAT(outcome.error, HasSubstr(message));
  EXPECT_EQ(outcome.out, "");
  const auto after = tree();
  for (const auto& [name, content] : after) EXPECT_TRUE(before.contains(name)) << name << " is new";
  EXPECT_TRUE(after == before) << "files are not as they were";
}

void BadInput::expect_failed_stage(const std::string& config, const std::string& message) const {
  const Outcome outcome = run("run " + config + " --out run", "");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.out, HasSubstr("FAILED: "));
  EXPECT_THAT(outcome.out, HasSubstr(message));
  for (const auto& entry : fs::recursive_directory_iterator(work() / "run" / "stages")) {
    const std::string name = entry.path().filename().string();
    const bool is_known = entry.is_directory() || name == "lock" || name == "progress.json";
    EXPECT_TRUE(is_known) << entry.path();
  }
}
}  // namespace basis::behaviour
